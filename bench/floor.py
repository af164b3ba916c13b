#!/usr/bin/python3
"""What the least server takes, and how far from it Vitrine and Redis are: bench/floor.py [--rounds N] [--quick].

The least server (bench/floor.cc) reads, looks a key up and writes, and does nothing else; the reply of HGETALL it has
ready made, that of ZRANGE is a constant. A target below what it takes cannot be met on this machine. Microseconds of
the server's CPU for a command, in all and in user mode, medians of the rounds; the three take turns.
"""

import argparse
import os
import pathlib
import socket
import statistics
import subprocess
import time

from peers import LOAD_CORE, SERVER_CORE, Peer, cpu_of, drain, encode
from run import measure
from workloads import GROUPS, KEYS, VALUE, rows

BINARY = pathlib.Path(__file__).resolve().parent.parent / 'build/release/floor'
ROWS = {'strings': [('GET', 1), ('SET', 1)], 'hashes': [('HGETALL 5', 1)],
        'zset': [('ZRANGE 10', 1), ('ZRANGE 10', 16)]}
HASHES = 100_000


def fields_of(i):
    """The reply of HGETALL to one of the hashes."""
    return encode('name', f'name-{i:06}', 'mail', f'{i:06}@example.org', 'age', i % 90, 'city', 'Firenze', 'score',
                  i * 7 % 1000)


LOADS = {'strings': lambda: [encode('SET', f'key:{i:012}', VALUE) for i in range(KEYS)],
         'hashes': lambda: [encode('SET', f'user:{i:012}', fields_of(i)) for i in range(HASHES)]}


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(('127.0.0.1', port))
        self.send_bytes = self.sock.sendall


class Floor:
    """What run.measure() asks of a peer."""
    name = 'floor'

    def __init__(self, group):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        os.sched_setaffinity(0, {SERVER_CORE})
        self.process = subprocess.Popen([BINARY, str(self.port)])
        os.sched_setaffinity(0, {LOAD_CORE})
        time.sleep(0.3)
        client, step = Client(self.port), 100   # a request must arrive whole, so it is small and the only one
        commands = LOADS.get(group, list)()
        for first in range(0, len(commands), step):
            drain(client, commands[first:first + step])

    def cpu(self):
        return cpu_of(self.process.pid)

    def stop(self):
        self.process.kill()
        self.process.wait()


def started(name, group):
    if name == 'floor':
        return Floor(group)
    peer = Peer(name)
    GROUPS[group](peer)
    peer.settle()
    return peer


def line(row, peers, rounds, requests):
    samples = [[measure(peer, row, requests) for peer in peers] for _ in range(rounds)]
    total, user = ([statistics.median(s[i][mode] for s in samples) for i in range(3)] for mode in ('total', 'user'))
    cells = ' | '.join(f'{t:.2f} ({u:.2f})' for t, u in zip(total, user))
    return f'| {row.name} | {row.pipeline} | {cells} | {total[0] / total[2]:.2f} ({user[0] / user[2]:.2f}) |'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--quick', action='store_true')
    options = parser.parse_args()
    known = {(row.name, row.pipeline): row for row in rows()}
    print('| load | pipeline | least µs (user) | Vitrine µs (user) | Redis µs (user) | least to Redis (user) |')
    print('|---|---|---|---|---|---|')
    for group, loads in ROWS.items():
        peers = [started(name, group) for name in ('floor', 'vitrine', 'redis')]
        try:
            for load in loads:
                requests = (10_000 if options.quick else 100_000) * (6 if load[1] > 1 else 1)
                print(line(known[load], peers, options.rounds, requests), flush=True)
        finally:
            for peer in peers:
                peer.stop()


if __name__ == '__main__':
    main()
