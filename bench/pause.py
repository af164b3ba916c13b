#!/usr/bin/python3
"""The longest pause of a server while it does much at once: bench/pause.py [--only PART] [--quick] [--servers a,b].

A second connection pings in a tight loop from a process of its own while the server

  grows to 10 M keys and shrinks back, 64 commands at a time      growth
  reclaims a million keys that are all due at the same moment     expiry
  deletes a value of 5 million elements, by DEL and by UNLINK     set, zset, hash, list

`idle` and `busy` (overwriting the same thousand keys, 64 at a time) are the noise of the method on this machine. Where
it is allowed, the pinger and the first thread of the server, which executes, have real-time priority, so that neither
waits for other programs; the server's other threads have not. Where INFO has a figure of the server's own for its
longest stall, it is printed too.
"""

import argparse
import array
import csv
import gc
import multiprocessing
import os
import pathlib
import sys
import time

from peers import Peer, Refused, encode, grouped

COLUMNS = ('what', 'server', 'seconds', 'pings', 'p99.9_ms', 'max_ms', 'over_1_ms')
BATCH = 64


def at_once(pid):
    """Real-time priority for one thread, not for those it starts."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        pass


# ---- the pinger -------------------------------------------------------------------------------------------------

def ping_loop(port, stop, pipe):
    import socket
    at_once(0)
    s = socket.create_connection(('127.0.0.1', port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    gc.disable()
    times, now = array.array('d'), time.perf_counter
    pipe.send('ready')
    while not stop.is_set():
        for _ in range(20):
            began = now()
            s.send(b'*1\r\n$4\r\nPING\r\n')
            s.recv(64)
            times.append(now() - began)
        time.sleep(0.001)              # leaves the core to the load now and then
    ordered = sorted(times)
    pipe.send((len(ordered), ordered[int(len(ordered) * 0.999)] * 1e3, ordered[-1] * 1e3,
               sum(t > 1e-3 for t in ordered)))


class Pinger:
    """Pings while the block runs; `result` is (pings, p99.9 in ms, longest in ms, pings over 1 ms)."""

    def __init__(self, peer):
        self.stop = multiprocessing.Event()
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=ping_loop, args=(peer.port, self.stop, theirs), daemon=True)

    def __enter__(self):
        self.process.start()
        self.pipe.recv()
        time.sleep(0.2)
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
        time.sleep(0.2)
        self.stop.set()
        self.result = self.pipe.recv() if self.pipe.poll(60) else None
        self.process.join(5)


# ---- what the server does meanwhile -----------------------------------------------------------------------------

def in_batches(peer, commands):
    """Like Peer.load, but so few commands at a time that they are no stall of their own."""
    with peer.server.client(timeout=300) as c:
        batch = []
        for command in commands:
            batch.append(command)
            if len(batch) == BATCH:
                exchange(c, batch)
                batch = []
        if batch:
            exchange(c, batch)


def exchange(client, batch):
    client.sock.sendall(b''.join(batch))
    missing = len(batch)
    while missing:
        data = client.sock.recv(65536)
        if not data or data[:1] == b'-':
            raise Refused(data[:100].decode(errors='replace'))
        missing -= data.count(b'\n')


def idle(peer, _scale):
    yield 'idle', lambda: time.sleep(5)


def busy(peer, scale):
    yield 'busy', lambda: in_batches(peer, (encode('SET', f'key:{i % 1000:012}', 'x' * 16) for i in range(scale // 10)))


def growth(peer, scale):
    yield f'growth to {scale:,} keys', lambda: in_batches(
        peer, (encode('SET', f'key:{i:012}', f'value:{i:010}') for i in range(scale)))
    yield f'shrink from {scale:,} keys', lambda: in_batches(
        peer, (encode('DEL', f'key:{i:012}') for i in range(scale)))


def expiry(peer, scale):
    count = scale // 10
    due_ms = int(time.time() * 1000) + 6000 + count // 100

    def wait():
        end = time.monotonic() + 90
        while time.monotonic() < end and peer.call('DBSIZE'):
            time.sleep(0.05)
        peer.note = f'{count:,} keys reclaimed {time.time() - due_ms / 1e3:.2f} s after they were due'

    peer.call('FLUSHALL')
    peer.load(encode('SET', f'due:{i:012}', f'value:{i:010}', 'PXAT', due_ms) for i in range(count))
    peer.settle(2)
    time.sleep(max(0, due_ms / 1e3 - time.time() - 0.5))
    yield f'expiry of {count:,} keys at once', wait


def value_of(kind, count):
    if kind == 'list':
        return grouped('RPUSH', 'big', ((f'item:{i:010}',) for i in range(count)), 1000)
    if kind == 'set':
        return grouped('SADD', 'big', ((f'member:{i:010}',) for i in range(count)), 1000)
    if kind == 'hash':
        return grouped('HSET', 'big', ((f'field:{i:010}', f'value:{i:07}') for i in range(count)), 1000)
    return grouped('ZADD', 'big', ((i * 7919 % 1_000_003, f'member:{i:010}') for i in range(count)), 1000)


def large(kind):
    def scenario(peer, scale):
        count = scale // 2
        peer.call('FLUSHALL')
        peer.load(value_of(kind, count))
        peer.call('COPY', 'big', 'twin')
        peer.settle()
        for command, key in (('DEL', 'twin'), ('UNLINK', 'big')):
            def delete():
                peer.call(command, key)
                time.sleep(1 + count / 1e6)       # freeing may go on in the background
            yield f'{command} of a {kind} of {count:,}', delete
    return scenario


SCENARIOS = {'idle': idle, 'busy': busy, 'growth': growth, 'expiry': expiry, 'set': large('set'), 'zset': large('zset'),
             'hash': large('hash'), 'list': large('list')}


def own_figure(peer):
    """What the server itself says of its stalls, where it does."""
    return {k: v for k, v in peer.info().items() if 'stall' in k}


def measure(name, scenario, scale):
    """Rows of COLUMNS for one server and one scenario."""
    peer = Peer(name)
    peer.note = ''
    at_once(peer.pid)
    try:
        for what, act in SCENARIOS[scenario](peer, scale):
            with Pinger(peer) as pinger:
                act()
            if pinger.result is None:
                raise Refused(f'{what}: no ping came back for a minute')
            pings, p999, longest, over = pinger.result
            row = (what, name, f'{pinger.seconds:.1f}', pings, f'{p999:.2f}', f'{longest:.2f}', over)
            print('| ' + ' | '.join(str(cell) for cell in row) + ' |' + (f'  {peer.note}' if peer.note else ''),
                  flush=True)
            yield dict(zip(COLUMNS, row))
        stalls = own_figure(peer)
        if stalls:
            print(f'  {name} says of itself: {stalls}')
    finally:
        peer.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', action='append', help=f'of {", ".join(SCENARIOS)}')
    parser.add_argument('--quick', action='store_true', help='a tenth of the sizes')
    parser.add_argument('--servers', default='vitrine,redis')
    options = parser.parse_args()
    scale = 1_000_000 if options.quick else 10_000_000
    print('| ' + ' | '.join(COLUMNS) + ' |\n' + '|---' * len(COLUMNS) + '|')
    rows, refused = [], 0
    for scenario in [s for s in SCENARIOS if not options.only or s in options.only]:
        for name in options.servers.split(','):
            try:
                rows += measure(name, scenario, scale)
            except (Refused, AssertionError) as e:
                print(f'not measured: {scenario} on {name}: {e}', flush=True)
                refused += 1
    out = pathlib.Path(__file__).resolve().parent / 'results'
    out.mkdir(exist_ok=True)
    with open(out / 'pause.csv', 'w', newline='') as f:
        writer = csv.DictWriter(f, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(f'table: {out}/pause.csv')
    return 1 if refused else 0


if __name__ == '__main__':
    sys.exit(main())
