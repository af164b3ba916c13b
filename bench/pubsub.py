#!/usr/bin/python3
"""What one delivery of a message costs the server, with many subscribers, beside Debian's Redis 7.0.15 in the same run.

  bench/pubsub.py [--subscribers 10000] [--messages 20] [--bytes 100] [--rounds 3]

`alone`: each message is published when the last has reached everybody, so that every delivery needs a write of its own;
`together`: ten are published at once. The figure is the server's CPU time per delivery, all of it and what user mode
has of it; the servers take turns.
"""

import argparse
import resource
import select
import statistics
import sys
import time

from peers import Peer, encode

TOGETHER = 10


class Crowd:
    """The subscribers of one server."""

    def __init__(self, peer, count):
        self.peer, self.poll, self.clients = peer, select.epoll(), {}
        for _ in range(count):
            c = peer.server.client(timeout=60)
            c.ok('SUBSCRIBE', 'news')
            c.sock.setblocking(False)
            self.clients[c.sock.fileno()] = c.sock
            self.poll.register(c.sock.fileno(), select.EPOLLIN)
        self.publisher = peer.server.client(timeout=60)

    def deliver(self, count, body):
        """Publishes so many messages at once and waits until everybody has them."""
        self.publisher.send_bytes(encode('PUBLISH', 'news', body) * count)
        expected = len(encode('message', 'news', body)) * count * len(self.clients)
        while expected:
            for fd, _ in self.poll.poll(60, 4096):
                expected -= len(self.clients[fd].recv(1 << 16))
        for _ in range(count):
            assert self.publisher.reply() == len(self.clients)

    def measure(self, messages, together, body):
        before = self.peer.cpu()
        for _ in range(messages // together):
            self.deliver(together, body)
        spent = self.peer.cpu() - before
        deliveries = messages // together * together * len(self.clients)
        return spent.total / deliveries * 1e6, spent.user / deliveries * 1e6

    def close(self):
        self.poll.close()
        self.publisher.close()
        for sock in self.clients.values():
            sock.close()
        while self.peer.call('PUBSUB', 'NUMSUB', 'news')[1]:
            time.sleep(0.05)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--subscribers', type=int, default=10000)
    p.add_argument('--messages', type=int, default=20)
    p.add_argument('--bytes', type=int, default=100)
    p.add_argument('--rounds', type=int, default=3)
    o = p.parse_args()
    needed = o.subscribers + 100
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f'{needed} descriptors are needed, {hard} are allowed')
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    names, body = ('vitrine', 'redis'), b'm' * o.bytes
    peers = [Peer(name, ('maxclients', o.subscribers + 50)) for name in names]
    try:
        costs = {}
        for turn in range(o.rounds):
            for peer in peers if turn % 2 == 0 else reversed(peers):
                crowd = Crowd(peer, o.subscribers)
                for row, together in (('alone', 1), ('together', TOGETHER)):
                    costs.setdefault((row, peer.name), []).append(crowd.measure(o.messages, together, body))
                crowd.close()
        print('| deliveries | Vitrine, us | of it user | Redis, us | of it user | ratio | user |\n' + '|---' * 7 + '|')
        for row in ('alone', 'together'):
            (ours, our_user), (theirs, their_user) = (
                [statistics.median(x) for x in zip(*costs[row, name])] for name in names)
            print(f'| {row} | {ours:.3f} | {our_user:.3f} | {theirs:.3f} | {their_user:.3f} | {ours / theirs:.2f} | '
                  f'{our_user / their_user:.2f} |')
    finally:
        for peer in peers:
            peer.stop()


if __name__ == '__main__':
    main()
