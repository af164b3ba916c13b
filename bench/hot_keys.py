#!/usr/bin/python3
"""What HOTKEYS costs while it is on: bench/hot_keys.py [--rounds 5] [--quick].

One server, the same load without HOTKEYS and under several forms of HOTKEYS START, taking turns; the server's own CPU
time per command, medians. The keys are drawn evenly from a million: the worst case for a sketch, since hardly any
command finds a counter of its own, and from a hundred: each command does. Beside it: by how much used_memory grew after
all those keys, while the tracking was on.
"""

import argparse
import statistics
import subprocess
import sys

from peers import Peer, Refused, encode

KEYS = 1_000_000
CLIENTS, PIPELINE = 50, 16
FORMS = {
    'off': None,
    'CPU': ('METRICS', 1, 'CPU'),
    'CPU NET': ('METRICS', 2, 'CPU', 'NET'),
    'CPU NET COUNT 1000': ('METRICS', 2, 'CPU', 'NET', 'COUNT', 1000),
    'CPU NET SAMPLE 100': ('METRICS', 2, 'CPU', 'NET', 'SAMPLE', 100),
}


def measured(peer, form, keys, n):
    """(µs of CPU a command, growth of used_memory in bytes)"""
    before_bytes = int(peer.info()['used_memory'])
    if form:
        peer.call('HOTKEYS', 'START', *form)
    before = peer.cpu().total
    subprocess.run(['redis-benchmark', '-p', str(peer.port), '-c', str(CLIENTS), '-P', str(PIPELINE), '-n', str(n),
                    '-r', str(keys), '-q', 'GET', 'key:__rand_int__'], check=True, stdout=subprocess.DEVNULL)
    spent = (peer.cpu().total - before) / n * 1e6
    peer.settle()
    grown = int(peer.info()['used_memory']) - before_bytes
    if form:
        peer.call('HOTKEYS', 'STOP')
        peer.call('HOTKEYS', 'RESET')
    return spent, grown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--quick', action='store_true', help='short runs')
    options = parser.parse_args()
    n = 200_000 if options.quick else 1_000_000
    peer = Peer('vitrine')
    try:
        peer.load(encode('SET', f'key:{i:012}', 'v' * 32) for i in range(KEYS))
        peer.settle()
        print('| GET of | HOTKEYS | µs | more than off | memory, KB |\n|---|---|---|---|---|')
        for keys in (KEYS, 100):
            samples = {name: [] for name in FORMS}
            for _ in range(options.rounds):
                for name, form in FORMS.items():
                    samples[name].append(measured(peer, form, keys, n))
            off = statistics.median(spent for spent, _ in samples['off'])
            for name, found in samples.items():
                spent = statistics.median(spent for spent, _ in found)
                grown = statistics.median(grown for _, grown in found)
                print(f'| {keys:,} keys | {name} | {spent:.2f} | {spent / off - 1:+.0%} | {grown / 1024:.0f} |',
                      flush=True)
    finally:
        peer.stop()


if __name__ == '__main__':
    try:
        main()
    except Refused as e:
        sys.exit(f'not measured: {e}')
