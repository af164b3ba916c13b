#!/usr/bin/python3
"""Saving and loading a snapshot, side by side: bench/snapshot.py [--keys N] [--rounds N] [--quick].

Redis makes the data (N strings, a thirtieth as many hashes of eight fields, a sorted set of a tenth as many members),
saves it; then each server in turn loads that same file and saves it again. Loading is from the start of the process to
its first ordinary answer, saving is one SAVE; wall time and the server's own CPU time, median of the rounds. The file
systems are those of the temporary folder.
"""

import argparse
import os
import shutil
import statistics
import time

from peers import Peer, harness


def make_data(folder, keys):
    with harness.peer('oracle') as server, server.client(timeout=600) as c:
        c.ok('DEBUG', 'POPULATE', keys, 'key', 16)
        c.ok('EVAL', """for i = 1, ARGV[1] do
            redis.call('HSET', 'hash:' .. i, 'name', 'user number ' .. i, 'email', 'user' .. i .. '@example.com',
                       'age', i % 90, 'city', 'city' .. (i % 1000), 'score', i * 3, 'f6', 'some value', 'f7', 'xyz',
                       'f8', i) end""", 0, keys // 30)
        c.ok('EVAL', """math.randomseed(1); for i = 1, ARGV[1] do
            redis.call('ZADD', 'z', math.random() * 1e6, 'member:' .. i) end""", 0, keys // 10)
        c.ok('SAVE')
        shutil.copyfile(f'{server.dir}/dump.rdb', f'{folder}/dump.rdb')


def measure(name, source):
    """(load wall, load CPU, save wall, save CPU) in seconds, and the size of the file."""
    peer = Peer(name)
    server = peer.server
    try:
        server.process.kill()
        server.process.wait()
        shutil.copyfile(source, f'{server.dir}/dump.rdb')
        start = time.monotonic()
        server.start(120)
        with server.client(timeout=600) as c:
            while isinstance(c.call('DBSIZE'), harness.Error):
                time.sleep(0.005)
            loaded = time.monotonic() - start
            peer.pid = server.pid
            load_cpu = peer.cpu().total
            start = time.monotonic()
            c.ok('SAVE')
            saved = time.monotonic() - start
            return loaded, load_cpu, saved, peer.cpu().total - load_cpu, os.path.getsize(f'{server.dir}/dump.rdb')
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--keys', type=int, default=3_000_000)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--quick', action='store_true')
    args = parser.parse_args()
    keys, rounds = (300_000, 1) if args.quick else (args.keys, args.rounds)
    folder = os.path.join(os.environ.get('TMPDIR', '/tmp'), f'vitrine-snapshot-{os.getpid()}')
    os.makedirs(folder)
    try:
        make_data(folder, keys)
        results = {'redis': [], 'vitrine': []}
        for _ in range(rounds):
            for name, rows in results.items():
                rows.append(measure(name, f'{folder}/dump.rdb'))
    finally:
        shutil.rmtree(folder)
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    print(f'{keys} strings, {keys // 30} hashes, a sorted set of {keys // 10}; median of {rounds}\n')
    print('| | Redis | Vitrine | ratio |\n|---|---|---|---|')
    for i, what in enumerate(('load, s', 'load, CPU s', 'save, s', 'save, CPU s', 'file, MB')):
        ours, theirs = medians['vitrine'][i], medians['redis'][i]
        scale = 1e6 if i == 4 else 1
        print(f'| {what} | {theirs / scale:.2f} | {ours / scale:.2f} | {ours / theirs:.2f} |')


main()
