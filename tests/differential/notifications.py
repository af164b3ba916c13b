#!/usr/bin/python3
"""Keyspace notifications: the random command streams of run.py to Redis 7.0.15 and to Vitrine, one command at a time;
what a listener to __key*__:* hears after each must be the same, in the same order.

  tests/differential/notifications.py [--seed 1] [--commands 30000] [--peer vitrine|oracle] [--only EPISODE]

Left out: what comes when a deadline passes (whoever notices first); which keys SORT has looked for in vain, since its
patterns may name any of equal elements; and that Redis' XREAD looks for a missing stream twice.
"""

import argparse
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness                                       # noqa: E402
import run as streams                                # noqa: E402
from gen import Special                              # noqa: E402
from steps import Dead, Difference as Differs, Line, Pair    # noqa: E402

MARK = b'__keymark__:'
ALL = b'KEAnm'
MAY_SORT = {b'SORT', b'SORT_RO', b'EXEC'}
TIMED = {b'expired', b'hexpired'}
EPISODE = 2500


class Listener:
    """Hears everything of one server; mark() ends what one command has caused."""

    def __init__(self, server):
        self.line, self.publisher = Line(server), Line(server)
        self.line.raw([b'PSUBSCRIBE', b'__key*__:*'])

    def heard(self):
        self.publisher.raw([b'PUBLISH', MARK, b''])
        events = []
        while True:
            _, pattern, channel, message = [x[1] for x in self.line.reply()[1]]
            if channel == MARK:
                return events
            kind, _, rest = channel.partition(b':')
            event = message if kind.startswith(b'__keyspace') else rest
            if event not in TIMED:
                events.append((channel, message))

    def close(self):
        self.line.close()
        self.publisher.close()


def comparable(command, events):
    misses = lambda e: e[1] == b'keymiss' or e[0].endswith(b':keymiss')   # noqa: E731
    if command.upper() in MAY_SORT:
        return [e for e in events if not misses(e)]
    if command.upper() == b'XREAD':
        return list(dict.fromkeys(events))
    return events


def shown(events):
    return ' '.join(f'{c.decode("latin1")}={m.decode("latin1")}' for c, m in events) or 'nothing'


class Difference:
    def __init__(self, index, args, ours, theirs):
        self.args, self.index, self.lists = args, index, (theirs, ours)

    def signature(self):
        names = [tuple(c.partition(b':')[2] for c, _ in events if c.startswith(b'__keyevent')) for events in self.lists]
        return self.args[0].upper() if self.args else b'', *names

    def text(self):
        command = ' '.join(repr(a)[1:] for a in self.args)[:600]
        return f'{command}\n    oracle: {shown(self.lists[0])[:900]}\n    peer:   {shown(self.lists[1])[:900]}'


def play(pair, stream, steps, out):
    """Plays one episode; differences go to `out` by signature."""
    pair.reset(stream.setup)
    for server in pair.servers:
        with server.client() as c:
            c.ok('CONFIG', 'SET', 'notify-keyspace-events', ALL.decode())
    listeners = [Listener(s) for s in pair.servers]
    try:
        for index, step in enumerate(steps):
            if isinstance(step, Special):
                if step.kind == 'check':
                    continue
                pair.soft = []
                try:
                    pair.special(step, index)
                except Differs as d:
                    if d.kind == 'dead':
                        raise
                for listener in listeners:
                    listener.heard()       # a special step is not the same on both servers
                continue
            if pair.places_to_clear_errno([step]):
                for side, line in enumerate(pair.lines):
                    if pair.is_oracle(side):
                        pair.guard(side, line.raw, [b'CONFIG', b'SET', b'dir', b'/nonexistent'])
            replies = pair.both(step)
            pair.track(step, b'-' if replies[0][0] == '-' else b'+' + replies[0][1] + b'\r\n'
                       if replies[0][0] == '+' else b'*')
            theirs, ours = (comparable(step[0], listener.heard()) for listener in listeners)
            if theirs != ours and replies[0][0] == replies[1][0]:
                found = Difference(index, step, ours, theirs)
                out.setdefault(found.signature(), found)
    finally:
        for listener in listeners:
            listener.close()


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--commands', type=int, default=30000)
    p.add_argument('--only', type=int)
    p.add_argument('--peer', default='vitrine', choices=['vitrine', 'oracle'])
    options = p.parse_args(argv)
    began, found = time.monotonic(), {}
    with harness.Oracle() as oracle, harness.peer(options.peer) as other:
        pair = Pair(oracle, other)
        episode = options.only or 0
        while pair.commands < options.commands:
            stream = streams.episode_stream(f'notify {options.seed}', episode, None)
            stream.setup = [s for s in stream.setup if s[0] != b'HELLO']
            steps = list(stream.steps(EPISODE))
            try:
                # What does not happen again was a deadline that passed on one server first.
                first, again = {}, {}
                play(pair, stream, steps, first)
                if first:
                    play(pair, stream, steps, again)
                for signature, difference in first.items():
                    if signature in again:
                        found.setdefault(signature, difference)
            except Dead as d:
                print(f'episode {episode}: {d}\n{pair.servers[d.side].log(3000)}')
                return 1
            if options.only is not None:
                break
            episode += 1
        commands = pair.commands
    for difference in found.values():
        print(f'DIFFERENCE seed {options.seed}: {difference.text()}')
    print(f'notifications: {commands} commands, seed {options.seed}, {time.monotonic() - began:.1f} s: '
          f'{len(found)} unexplained differences')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
