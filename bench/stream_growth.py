#!/usr/bin/python3
"""Whether a stream's costs stay flat while it grows to ten million entries: bench/stream_growth.py [options].

At each size the server's own CPU time, in microseconds, of

  append   XADD of two fields, the last hundred thousand before that size
  range    XRANGE of 10 entries at a random place; and backwards from there, XREVRANGE
  trim     XTRIM MAXLEN exactly, 100 entries at a time; for each entry that went
  group    XREADGROUP of 10 entries at the end, and XACK of each, per entry

and resident bytes per entry. A cost counts as flat when at a thousand times the entries it is at most twice what it
was: reading at random places waits for memory once the data does not fit into a cache.
"""

import argparse
import random
import sys

from peers import Peer, encode

START = 1_700_000_000_000
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
COLUMNS = ('append', 'range', 'reverse', 'trim', 'group')
FLAT = 2


def appended(first, last):
    for i in range(first, last):
        yield b'*7\r\n$4\r\nXADD\r\n$3\r\nbig\r\n$15\r\n%d-0\r\n$1\r\na\r\n$2\r\n%d\r\n$1\r\nb\r\n$2\r\n%d\r\n' % (
            START + i, 10 + i % 50, 10 + i * 7 % 90)


def cost(peer, commands, lines, n=None):
    """Microseconds of the server for each of n things done."""
    commands = list(commands)
    before = peer.cpu().total
    peer.load(commands, lines)
    return (peer.cpu().total - before) / (n or len(commands)) * 1e6


class Growing:
    def __init__(self, peer):
        self.peer, self.end, self.first = peer, 0, 0
        self.random = random.Random(1)
        peer.settle()
        self.empty = peer.rss()

    def append(self, n):
        self.peer.load(appended(self.end, self.end + n), lines=2)
        self.end += n

    def grow_to(self, size):
        n = min(size // 2, 100_000)
        self.append(size - (self.end - self.first) - n)
        spent = cost(self.peer, appended(self.end, self.end + n), 2)
        self.end += n
        return spent

    def ranges(self, n, reverse):
        for _ in range(n):
            at = START + self.random.randrange(self.first + 10, self.end - 10)
            yield encode('XREVRANGE', 'big', at, '-', 'COUNT', 10) if reverse else \
                encode('XRANGE', 'big', at, '+', 'COUNT', 10)

    def trim(self, n):
        size = self.end - self.first
        spent = cost(self.peer, [encode('XTRIM', 'big', 'MAXLEN', size - 100 * (i + 1)) for i in range(n)], 1, n * 100)
        self.first += 100 * n
        self.append(100 * n)
        return spent

    def group(self, n):
        self.peer.call('XGROUP', 'CREATE', 'big', 'g', f'{START + self.end - 1 - 10 * n}')
        commands = []
        for i in range(n):
            first = START + self.end - 10 * (n - i)
            commands.append(encode('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 10, 'STREAMS', 'big', '>'))
            commands.append(encode('XACK', 'big', 'g', *(f'{first + k}-0' for k in range(10))))
        before = self.peer.cpu().total
        self.peer.client.send_bytes(b''.join(commands))
        replies = [self.peer.client.reply() for _ in commands]
        spent = (self.peer.cpu().total - before) / (10 * n) * 1e6
        assert replies[1::2] == [10] * n
        self.peer.call('XGROUP', 'DESTROY', 'big', 'g')
        return spent


def measure(name, sizes):
    rows = []
    peer = Peer(name)
    try:
        stream = Growing(peer)
        for size in sizes:
            append = stream.grow_to(size)
            peer.settle()
            bytes_each = (peer.rss() - stream.empty) / size
            lines = 1 + 10 * 12
            rows.append((size, bytes_each, append, cost(peer, stream.ranges(20_000, False), lines),
                         cost(peer, stream.ranges(20_000, True), lines), stream.trim(30), stream.group(1000)))
            print(f'| {name} | {size:,} | {bytes_each:.1f} | ' + ' | '.join(f'{c:.2f}' for c in rows[-1][2:]) + ' |',
                  flush=True)
    finally:
        peer.stop()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='a million entries only')
    parser.add_argument('--peer', default='vitrine', choices=['vitrine', 'redis'])
    options = parser.parse_args()
    print('| server | entries | bytes each | ' + ' | '.join(f'{c} µs' for c in COLUMNS) + ' |')
    print('|---' * (3 + len(COLUMNS)) + '|')
    rows = measure(options.peer, SIZES[:3] if options.quick else SIZES)
    steep = [f'{c}: {last / first:.2f} ×' for c, first, last in zip(COLUMNS, rows[0][2:], rows[-1][2:])
             if last > FLAT * first]
    print('not flat: ' + ', '.join(steep) if steep else f'flat: no cost is more than {FLAT} × what it was')
    return 1 if steep else 0


if __name__ == '__main__':
    sys.exit(main())
