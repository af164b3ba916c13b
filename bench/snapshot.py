#!/usr/bin/python3
"""Saving and loading a snapshot, side by side: bench/snapshot.py [options].

  --keys N, --rounds N, --quick, --only files|meanwhile, --every SECONDS

files: Redis makes the data (N strings, a thirtieth as many hashes of eight fields, a sorted set of a tenth as many
members), saves it; then each server in turn loads that same file and saves it again. Loading is from the start of the
process to its first ordinary answer, saving is one SAVE; wall time and the server's own CPU time. The file systems are
those of the temporary folder.

meanwhile: 40 clients read and 10 write over a million keys, one request at a time each, first alone, then while BGSAVE
follows on BGSAVE, or so many SECONDS after the last began (who is faster forks more often, where one follows on the
other); the child may run on any core but the server's. And what a BGSAVE under writes costs in memory: what the server
says of it (rdb_last_cow_size), and what the kernel says of the child (Private_Dirty) just before its end.

Medians of the rounds, the servers taking turns.
"""

import argparse
import os
import pathlib
import shutil
import threading
import time

from peers import CORES, SERVER_CORE, Peer, encode, harness, in_turns, temporary_folder
from run import finish, mixed, redis_benchmark
from workloads import KEYS, VALUE

TARGET = 1.5


# ---- files --------------------------------------------------------------------------------------------------------

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


def measure_files(name, files):
    """(load wall, load CPU, save wall, save CPU) in seconds, and the size of the file."""
    with Peer(name, files=files) as peer:
        start = time.monotonic()
        peer.call('SAVE')
        saved = time.monotonic() - start
        return (peer.load_s, peer.load_cpu_s, saved, peer.cpu().total - peer.load_cpu_s,
                os.path.getsize(f'{peer.server.dir}/dump.rdb'))


def table_of_files(keys, rounds):
    with temporary_folder('snapshot') as folder:
        make_data(folder, keys)
        theirs, ours = in_turns(rounds, lambda name: measure_files(name, folder))
    print(f'{keys} strings, {keys // 30} hashes, a sorted set of {keys // 10}; median of {rounds}\n')
    print('| | Redis | Vitrine | ratio |\n|---|---|---|---|')
    for what, a, b in zip(('load, s', 'load, CPU s', 'save, s', 'save, CPU s', 'file, MB'), theirs, ours):
        scale = 1e6 if 'MB' in what else 1
        print(f'| {what} | {a / scale:.2f} | {b / scale:.2f} | {b / a:.2f} |', flush=True)


# ---- meanwhile ----------------------------------------------------------------------------------------------------

def saving(peer):
    return peer.info()['rdb_bgsave_in_progress'] == '1'


class Saver(threading.Thread):
    """BGSAVE follows on BGSAVE, at most one in so many seconds, until it is told to stop."""

    def __init__(self, peer, every_s):
        super().__init__()
        self.peer, self.every_s, self.stopped, self.saves = peer, every_s, threading.Event(), 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()

    def run(self):
        while not self.stopped.is_set():
            began = time.monotonic()
            self.peer.call('BGSAVE')
            self.saves += 1
            while saving(self.peer):
                time.sleep(0.002)
            self.stopped.wait(max(0, began + self.every_s - time.monotonic()))


def private_dirty(pid):
    """Of the process's first child, in bytes; None when there is none (any more)."""
    try:
        child = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()[0]
        rows = pathlib.Path(f'/proc/{child}/smaps_rollup').read_text().splitlines()
        return next(int(row.split()[1]) << 10 for row in rows if row.startswith('Private_Dirty:'))
    except (OSError, IndexError, StopIteration):
        return None


def copy_on_write(peer, n):
    """(what the server says, what the kernel says) of one BGSAVE under writes, in bytes."""
    writes = redis_benchmark(peer, n, 50, 1, ['-r', str(KEYS), '-d', '32', '-t', 'set'], wait=False)
    time.sleep(0.2)
    peer.call('BGSAVE')
    seen = 0
    while saving(peer):
        seen = private_dirty(peer.pid) or seen
        time.sleep(0.001)
    finish(writes)
    return int(peer.info()['rdb_last_cow_size']), seen


def measure_meanwhile(name, n, every_s):
    """p99 in ms of GET and SET, alone and during snapshots, how many of these there were, and the bytes of
    copy_on_write."""
    others = [core for core in CORES if core != SERVER_CORE] or CORES
    with Peer(name, ('bgsave_cpulist', ','.join(map(str, others)))) as peer:
        peer.load(encode('SET', f'key:{i:012}', VALUE) for i in range(KEYS))
        peer.settle()
        idle = mixed(peer, n)
        with Saver(peer, every_s) as saver:
            busy = mixed(peer, n)
        said, seen = copy_on_write(peer, n)
    return idle['GET'], busy['GET'], idle['SET'], busy['SET'], saver.saves, said, seen


def table_of_meanwhile(n, rounds, every_s):
    theirs, ours = in_turns(rounds, lambda name: measure_meanwhile(name, n, every_s))
    print(f'\n{KEYS} keys, {n} requests; median of {rounds}\n')
    print('| | Redis | Vitrine | target | met |\n|---|---|---|---|---|')
    for i, command in enumerate(('GET', 'SET')):
        for j, when in enumerate(('alone', 'while snapshots are written')):
            print(f'| p99 of {command} {when}, ms | {theirs[2 * i + j]:.2f} | {ours[2 * i + j]:.2f} | | |')
        their_ratio, our_ratio = (row[2 * i + 1] / row[2 * i] for row in (theirs, ours))
        print(f'| ratio | {their_ratio:.2f} | {our_ratio:.2f} | ≤ {TARGET} | '
              f'{"yes" if our_ratio <= TARGET else "**no**"} |')
    print(f'| snapshots meanwhile | {theirs[4]:.0f} | {ours[4]:.0f} | | |')
    print(f'| copied pages, by its own word, MB | {theirs[5] / 1e6:.1f} | {ours[5] / 1e6:.1f} | | |')
    print(f'| copied pages, seen from outside, MB | {theirs[6] / 1e6:.1f} | {ours[6] / 1e6:.1f} | | |')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--keys', type=int, default=3_000_000)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--every', type=float, default=0.0)
    parser.add_argument('--only', choices=('files', 'meanwhile'))
    args = parser.parse_args()
    keys, requests, rounds = (300_000, 50_000, 1) if args.quick else (args.keys, 300_000, args.rounds)
    if args.only != 'meanwhile':
        table_of_files(keys, rounds)
    if args.only != 'files':
        table_of_meanwhile(requests, rounds, args.every)


main()
