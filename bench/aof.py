#!/usr/bin/python3
"""The append-only log, side by side: bench/aof.py [--keys N] [--rounds N] [--quick].

SET of 32 bytes over N keys, pipeline 16 and none, without a log and under each policy: the server's own CPU time for
each (the threads that sync belong to it). Then a log of N SETs that Redis wrote is loaded by both, from the start of
the process to its first ordinary answer, and rewritten. Medians of the rounds; both servers take turns. The file
systems are those of the temporary folder.
"""

import argparse
import shutil
import time

from peers import Peer, in_turns, temporary_folder
from run import redis_benchmark

POLICIES = ('off', 'no', 'everysec', 'always')
NO_REWRITES = ('auto-aof-rewrite-percentage', '0')


def load(peer, requests, keys, pipeline):
    redis_benchmark(peer, requests, 50, pipeline, ['-r', str(keys), '-d', '32', '-t', 'set'])


def measure_sets(name, policy, requests, keys, pipeline):
    """µs of CPU per SET, and SETs per second."""
    settings = [] if policy == 'off' else [('appendonly', 'yes'), ('appendfsync', policy), NO_REWRITES]
    with Peer(name, *settings) as peer:
        load(peer, requests // 10, keys, pipeline)
        before, start = peer.cpu(), time.monotonic()
        load(peer, requests, keys, pipeline)
        return (peer.cpu() - before).total / requests * 1e6, requests / (time.monotonic() - start)


def make_log(folder, keys):
    with Peer('redis', ('appendonly', 'yes'), ('appendfsync', 'no'), NO_REWRITES) as peer:
        load(peer, keys, keys * 10, 64)
        shutil.copytree(f'{peer.server.dir}/appendonlydir', f'{folder}/appendonlydir')


def measure_load(name, files):
    """Seconds to load, of CPU for it, to rewrite."""
    with Peer(name, ('appendonly', 'yes'), NO_REWRITES, files=files) as peer:
        start = time.monotonic()
        peer.call('BGREWRITEAOF')
        while peer.info()['aof_rewrite_in_progress'] == '1':
            time.sleep(0.01)
        return peer.load_s, peer.load_cpu_s, time.monotonic() - start


def table_of_sets(requests, keys, rounds):
    print('| SET | pipeline | Redis µs | Vitrine µs | ratio | Redis op/s | Vitrine op/s |')
    print('|---|---|---|---|---|---|---|')
    for pipeline in (16, 1):
        for policy in POLICIES:
            some = requests if pipeline > 1 else requests // 10
            some = some // 10 if policy == 'always' else some
            (theirs, their_rate), (ours, our_rate) = in_turns(
                rounds, lambda name: measure_sets(name, policy, some, keys, pipeline))
            what = 'no log' if policy == 'off' else f'appendfsync {policy}'
            print(f'| {what} | {pipeline} | {theirs:.2f} | {ours:.2f} | {ours / theirs:.2f} '
                  f'| {their_rate / 1e3:,.0f} k | {our_rate / 1e3:,.0f} k |', flush=True)


def table_of_loads(folder, keys, rounds):
    make_log(folder, keys)
    theirs, ours = in_turns(rounds, lambda name: measure_load(name, folder))
    print(f'\n| log of {keys:,} SETs | Redis | Vitrine | ratio |\n|---|---|---|---|')
    for what, a, b in zip(('load, s', 'load, CPU s', 'rewrite, s'), theirs, ours):
        print(f'| {what} | {a:.2f} | {b:.2f} | {b / a:.2f} |')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--keys', type=int, default=1_000_000)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--quick', action='store_true')
    args = parser.parse_args()
    keys, rounds = (100_000, 1) if args.quick else (args.keys, args.rounds)
    with temporary_folder('aof') as folder:
        table_of_sets(keys * 2, keys, rounds)
        table_of_loads(folder, keys, rounds)


main()
