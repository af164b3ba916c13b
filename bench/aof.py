#!/usr/bin/python3
"""The append-only log, side by side: bench/aof.py [--keys N] [--rounds N] [--quick].

SET of 32 bytes over N keys, pipeline 16 and none, without a log and under each policy: the server's own CPU time for
each (the threads that sync belong to it). Then a log of N SETs that Redis wrote is loaded by both, from the start of
the process to its first ordinary answer, and rewritten. Medians of the rounds; both servers take turns. The file
systems are those of the temporary folder.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import time

from peers import LOAD_CORE, Peer, harness

POLICIES = ('off', 'no', 'everysec', 'always')


def load(port, requests, keys, pipeline):
    command = ['redis-benchmark', '-p', str(port), '-n', str(requests), '-r', str(keys), '-d', '32', '-c', '50',
               '-P', str(pipeline), '-q', '-t', 'set']
    os.sched_setaffinity(0, {LOAD_CORE})
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure_sets(name, policy, requests, keys, pipeline):
    """µs of CPU per SET, and SETs per second."""
    settings = [('save', '')] + ([] if policy == 'off' else [('appendonly', 'yes'), ('appendfsync', policy),
                                                             ('auto-aof-rewrite-percentage', '0')])
    peer = Peer(name, *settings)
    try:
        load(peer.port, requests // 10, keys, pipeline)
        before, start = peer.cpu(), time.monotonic()
        load(peer.port, requests, keys, pipeline)
        return (peer.cpu() - before).total / requests * 1e6, requests / (time.monotonic() - start)
    finally:
        peer.server.stop()


def make_log(folder, keys):
    with harness.peer('oracle', ('save', ''), ('appendonly', 'yes'), ('appendfsync', 'no'),
                      ('auto-aof-rewrite-percentage', '0')) as server:
        load(server.port, keys, keys * 10, 64)
        shutil.copytree(f'{server.dir}/appendonlydir', f'{folder}/appendonlydir')


def measure_load(name, source):
    """Seconds to load, of CPU for it, to rewrite."""
    peer = Peer(name, ('save', ''), ('appendonly', 'yes'))
    server = peer.server
    try:
        server.process.kill()
        server.process.wait()
        shutil.rmtree(f'{server.dir}/appendonlydir')
        shutil.copytree(f'{source}/appendonlydir', f'{server.dir}/appendonlydir')
        start = time.monotonic()
        server.start(120)
        with server.client(timeout=600) as c:
            while isinstance(c.call('DBSIZE'), harness.Error):
                time.sleep(0.005)
            loaded = time.monotonic() - start
            peer.pid = server.pid
            cpu = peer.cpu().total
            start = time.monotonic()
            c.ok('BGREWRITEAOF')
            while b'aof_rewrite_in_progress:1' in c.ok('INFO', 'persistence'):
                time.sleep(0.01)
            return loaded, cpu, time.monotonic() - start
    finally:
        server.stop()


def table_of_sets(requests, keys, rounds):
    print('| SET | pipeline | Redis µs | Vitrine µs | ratio | Redis op/s | Vitrine op/s |')
    print('|---|---|---|---|---|---|---|')
    for pipeline in (16, 1):
        for policy in POLICIES:
            some = requests if pipeline > 1 else requests // 10
            some = some // 10 if policy == 'always' else some
            rows = {name: [] for name in ('redis', 'vitrine')}
            for _ in range(rounds):
                for name, of in rows.items():
                    of.append(measure_sets(name, policy, some, keys, pipeline))
            (theirs, their_rate), (ours, our_rate) = (
                [statistics.median(column) for column in zip(*rows[name])] for name in rows)
            what = 'no log' if policy == 'off' else f'appendfsync {policy}'
            print(f'| {what} | {pipeline} | {theirs:.2f} | {ours:.2f} | {ours / theirs:.2f} '
                  f'| {their_rate / 1e3:,.0f} k | {our_rate / 1e3:,.0f} k |', flush=True)


def table_of_loads(folder, keys, rounds):
    make_log(folder, keys)
    rows = {name: [] for name in ('redis', 'vitrine')}
    for _ in range(rounds):
        for name, of in rows.items():
            of.append(measure_load(name, folder))
    theirs, ours = ([statistics.median(column) for column in zip(*rows[name])] for name in rows)
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
    folder = os.path.join(os.environ.get('TMPDIR', '/tmp'), f'vitrine-aof-{os.getpid()}')
    os.makedirs(folder)
    try:
        table_of_sets(keys * 2, keys, rounds)
        table_of_loads(folder, keys, rounds)
    finally:
        shutil.rmtree(folder)


main()
