#!/usr/bin/python3
"""What one delivery of a message costs the server, with many subscribers, beside Debian's Redis 7.0.15 in the same run.

  bench/pubsub.py [--subscribers 10000] [--messages 20] [--bytes 100] [--rounds 3]

`alone`: each message is published when the last has reached everybody, so that every delivery needs a write of its own;
`in a row`: one client publishes the next as soon as it is told how many the last will reach; `together`: ten are
published at once. The figure is the server's CPU time per delivery, all of it and what user mode
has of it; the servers take turns.
"""

import argparse
import resource
import select
import statistics
import sys
import threading
import time

from peers import Peer, encode

ROWS = {'alone': (1, True), 'in a row': (1, False), 'together': (10, True)}    # at once; waits until all are there


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

    def receive(self, count, body):
        """Waits until everybody has so many messages."""
        expected = len(encode('message', 'news', body)) * count * len(self.clients)
        while expected:
            for fd, _ in self.poll.poll(60, 4096):
                expected -= len(self.clients[fd].recv(1 << 16))

    def publish(self, count, at_once, body):
        for _ in range(count // at_once):
            self.publisher.send_bytes(encode('PUBLISH', 'news', body) * at_once)
            for _ in range(at_once):
                assert self.publisher.reply() == len(self.clients)

    def measure(self, messages, at_once, waits, body):
        """Messages so many at once; the next when everybody has those, or as soon as the publisher is answered."""
        before = self.peer.cpu()
        step = at_once if waits else messages
        for _ in range(messages // step):
            publishing = threading.Thread(target=self.publish, args=(step, at_once, body))
            publishing.start()
            self.receive(step, body)
            publishing.join()
        spent = self.peer.cpu() - before
        deliveries = messages // step * step * len(self.clients)
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
                for row, how in ROWS.items():
                    costs.setdefault((row, peer.name), []).append(crowd.measure(o.messages, *how, body))
                crowd.close()
        print('| deliveries | Vitrine, us | of it user | Redis, us | of it user | ratio | user |\n' + '|---' * 7 + '|')
        for row in ROWS:
            (ours, our_user), (theirs, their_user) = (
                [statistics.median(x) for x in zip(*costs[row, name])] for name in names)
            print(f'| {row} | {ours:.3f} | {our_user:.3f} | {theirs:.3f} | {their_user:.3f} | {ours / theirs:.2f} | '
                  f'{our_user / their_user:.2f} |')
    finally:
        for peer in peers:
            peer.stop()


if __name__ == '__main__':
    main()
