#!/usr/bin/python3
"""Blocking commands: who is served, in which order, with what; on Redis 7.0.15 and on Vitrine.

  tests/differential/blocking.py --seed 1 --scenarios 200 [--peer oracle] [--only N] [--lists]

A scenario has several clients that park themselves on keys and one that pushes, renames, swaps, unblocks. After each
action the replies that arrived at each client are compared. Exit status 0: no difference.
"""

import argparse
import pathlib
import random
import select
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness                                                    # noqa: E402
from compare import same_with_doubles                             # noqa: E402
from known import without_counters                                # noqa: E402
from harness import Closed, Short, encode, parse, show            # noqa: E402

CLIENTS = 6
LISTS = [b'l0', b'l1', b'l2']
ZSETS = [b'z0', b'z1']
STREAMS = [b's0', b's1']
GROUPS = [b'g', b'h']
ANY = LISTS + ZSETS + STREAMS + [b'other']


class Sleeper:
    """A client that may be parked."""

    def __init__(self, server, resp3):
        self.client = server.client(resp3=resp3)
        self.client.sock.setblocking(True)
        self.waiting = 0                   # replies owed
        self.got = []

    def send(self, commands):
        self.client.sock.sendall(b''.join(encode(c) for c in commands))
        self.waiting += len(commands)

    def drain(self):
        c = self.client
        while self.waiting:
            try:
                if c.pos < len(c.buf):
                    raw, c.pos = parse(c.buf, c.pos)
                    self.got.append(raw)
                    self.waiting -= 1
                    continue
            except Short:
                pass
            if not select.select([c.sock], [], [], 0)[0]:
                return
            try:
                c.fill()
            except Closed:
                self.got.append(('!', b'closed'))
                self.waiting = 0


class Stage:
    """One server with its clients."""

    def __init__(self, server, resp3):
        self.server = server
        self.pusher = server.client(resp3=resp3)
        self.pusher.call('FLUSHALL')
        self.sleepers = [Sleeper(server, resp3) for _ in range(CLIENTS)]
        self.ids = [s.client.call('CLIENT', 'ID') for s in self.sleepers]

    def act(self, action):
        """The pusher's replies."""
        kind = action[0]
        if kind == 'park':
            self.sleepers[action[1]].send(action[2])
            self.pusher.call('PING')
            return []
        if kind == 'sleep':
            time.sleep(action[1])
            return []
        if kind == 'unblock':
            return [self.pusher.raw(b'CLIENT', b'UNBLOCK', str(self.ids[action[1]]), *action[2])]
        if kind == 'kill':
            return [self.pusher.raw(b'CLIENT', b'KILL', b'ID', str(self.ids[action[1]]))]
        self.pusher.send_bytes(b''.join(encode(c) for c in action[1]))
        return [self.pusher.raw_reply() for _ in action[1]]

    def settle(self, seconds):
        deadline = time.monotonic() + seconds
        self.pusher.call('PING')
        while True:
            for s in self.sleepers:
                s.drain()
            left = deadline - time.monotonic()
            open_ = [s.client.sock for s in self.sleepers if s.waiting]
            if left <= 0 or not open_ or not select.select(open_, [], [], left)[0]:
                return

    def state(self):
        return [(s.waiting, s.got) for s in self.sleepers]

    def close(self):
        self.pusher.close()
        for s in self.sleepers:
            s.client.close()


def keys(r, pool, most=3):
    return [r.choice(pool) for _ in range(r.randint(1, most))]


def side(r):
    return r.choice([b'LEFT', b'RIGHT'])


def blocking_read(r, milliseconds):
    # Never the same key twice: of two ids of one key 7.0.15 knows only the last.
    names = sorted(set(keys(r, STREAMS, 2) if r.random() < 0.95 else keys(r, ANY, 2)))
    count = [b'COUNT', b'%d' % r.randint(1, 3)] if r.random() < 0.3 else []
    if r.random() < 0.5:
        ids = [r.choice([b'$', b'$', b'$', b'0', b'10', b'100000']) for _ in names]
        return [b'XREAD', *count, b'BLOCK', milliseconds, b'STREAMS', *names, *ids]
    ids = [b'>' if r.random() < 0.9 else b'0' for _ in names]
    no_ack = [b'NOACK'] if r.random() < 0.2 else []
    return [b'XREADGROUP', b'GROUP', r.choice(GROUPS), r.choice([b'alice', b'bob']), *count, b'BLOCK', milliseconds,
            *no_ack, b'STREAMS', *names, *ids]


def blocking(r, timeout):
    if r.random() < 0.25:
        return blocking_read(r, b'%d' % round(float(timeout) * 1000))
    x = r.randrange(8)
    lists = keys(r, LISTS) if r.random() < 0.95 else keys(r, ANY)
    if x == 0:
        return [b'BLPOP', *lists, timeout]
    if x == 1:
        return [b'BRPOP', *lists, timeout]
    if x == 2:
        return [b'BLMOVE', r.choice(LISTS), r.choice(LISTS), side(r), side(r), timeout]
    if x == 3:
        return [b'BRPOPLPUSH', r.choice(LISTS), r.choice(LISTS if r.random() < 0.9 else ANY), timeout]
    if x == 4:
        names = lists
        tail = [b'COUNT', b'%d' % r.randint(1, 4)] if r.random() < 0.6 else []
        return [b'BLMPOP', timeout, b'%d' % len(names), *names, side(r), *tail]
    names = keys(r, ZSETS)
    if x == 5:
        return [r.choice([b'BZPOPMIN', b'BZPOPMAX']), *names, timeout]
    if x == 6:
        return [b'BZPOPMIN', *names, timeout]
    tail = [b'COUNT', b'%d' % r.randint(1, 4)] if r.random() < 0.6 else []
    return [b'BZMPOP', timeout, b'%d' % len(names), *names, r.choice([b'MIN', b'MAX']), *tail]


class Storing(list):
    """A command that stores into its target, which goes away first: whether overwriting a key of another type wakes
    those who wait for it differs between versions of Redis (it does from 7.2 on, and here)."""
    target = b''


def storing(command, target, *rest):
    made = Storing(command + [target, *rest])
    made.target = target
    return made


def prepared(command):
    return [[b'DEL', command.target], command] if isinstance(command, Storing) else [command]


def pushing(r, counter):
    """One command, or two that belong together."""
    return prepared(pushing_once(r, counter))


def pushing_once(r, counter):
    def value():
        counter[0] += 1
        return b'v%d' % counter[0]

    def values():
        return [value() for _ in range(r.choice([1, 1, 1, 2, 3, 5]))]
    if r.random() < 0.25:
        counter[0] += 1
        key, group = r.choice(STREAMS), r.choice(GROUPS)
        return r.choice([
            [b'XADD', key, b'%d-%d' % (counter[0], r.randint(1, 2)), b'f', value()],
            [b'XADD', key, b'%d-%d' % (counter[0], r.randint(1, 2)), b'f', value()],
            [b'XADD', key, b'NOMKSTREAM', b'MAXLEN', b'%d' % r.randint(1, 2), b'%d-*' % counter[0], b'f', value()],
            [b'XGROUP', b'CREATE', key, group, r.choice([b'$', b'0']), b'MKSTREAM'],
            [b'XGROUP', b'CREATE', key, group, r.choice([b'$', b'0']), b'MKSTREAM'],
            [b'XGROUP', b'DESTROY', key, group], [b'XGROUP', b'SETID', key, group, r.choice([b'$', b'0'])],
            [b'XDEL', key, b'%d-1' % (counter[0] - 1)], [b'XTRIM', key, b'MAXLEN', b'1'],
            [b'XSETID', key, b'%d-9' % counter[0]], [b'XINFO', b'GROUPS', key], [b'XLEN', key]])
    x = r.randrange(20)
    if x < 6:
        return [r.choice([b'RPUSH', b'LPUSH']), r.choice(LISTS), *values()]
    if x < 9:
        return [b'ZADD', r.choice(ZSETS)] + [a for v in values() for a in (b'%d' % r.randint(0, 9), v)]
    return r.choice([
        [b'DEL', r.choice(ANY)], [b'SET', r.choice(ANY), value()], [b'RENAME', r.choice(ANY), r.choice(ANY)],
        [b'COPY', r.choice(ANY), r.choice(ANY), b'REPLACE'], [b'RPUSH', b'other', *values()],
        [b'SADD', b'other', *values()], storing([b'SORT', b'other', b'ALPHA', b'STORE'], r.choice(LISTS)),
        storing([b'ZUNIONSTORE'], r.choice(ZSETS), b'1', b'other'),
        [b'LMOVE', b'other', r.choice(LISTS), side(r), side(r)],
        storing([b'ZRANGESTORE'], r.choice(ZSETS), b'other', b'0', b'-1'),
        [b'LINSERT', r.choice(LISTS), b'BEFORE', b'v1', b'x'],
        [b'ZINCRBY', r.choice(ZSETS), b'1', value()], [b'MOVE', r.choice(ANY), b'1'], [b'LPOP', r.choice(LISTS)],
        [b'LPUSHX', r.choice(LISTS), value()], [b'PEXPIRE', r.choice(ANY), b'-1'],
        [b'LRANGE', r.choice(LISTS), b'0', b'-1']])


def of_sorted_sets(action):
    """Whether an action needs a command of sorted sets."""
    commands = action[2] if action[0] == 'park' else action[1] if action[0] == 'push' else []
    return any(c[0].startswith((b'Z', b'BZ')) for c in commands)


def scenario(seed, lists_only=False):
    """The actions, made without looking at any reply."""
    r = random.Random(seed)
    counter = [0]
    actions = []
    for _ in range(r.randint(10, 60)):
        x = r.random()
        if x < 0.4:
            commands = [blocking(r, b'0')]
            if r.random() < 0.15:              # pipelined behind the blocking one: must wait its turn
                commands.append(r.choice([[b'PING'], [b'RPUSH', r.choice(LISTS), b'piped'], blocking(r, b'0')]))
            if r.random() < 0.1:               # inside MULTI nothing blocks
                commands = [[b'MULTI'], commands[0], [b'EXEC']]
            actions.append(('park', r.randrange(CLIENTS), commands))
        elif x < 0.44:
            actions.append(('park', r.randrange(CLIENTS), [blocking(r, b'0.02')]))
            actions.append(('sleep', 0.08))
        elif x < 0.5:
            actions.append(('unblock', r.randrange(CLIENTS), r.choice([[], [b'TIMEOUT'], [b'ERROR'], [b'NOSUCH']])))
        elif x < 0.515:
            actions.append(('kill', r.randrange(CLIENTS)))
        elif x < 0.9:
            actions.append(('push', pushing(r, counter)))
        elif x < 0.92:
            actions.append(('push', [r.choice([[b'SWAPDB', b'0', b'1'], [b'FLUSHDB'], [b'FLUSHALL', b'ASYNC']])]))
        else:
            inner = [c for _ in range(r.randint(1, 5)) for c in pushing(r, counter)]
            actions.append(('push', [[b'MULTI'], *inner, [b'EXEC']]))
    if lists_only:
        actions = [a for a in actions if not of_sorted_sets(a)]
    return r.random() < 0.3, actions


def same_loss(a, b):
    """The stream or the group of a waiting XREADGROUP is gone: 7.0.15 has texts of its own for that; since Redis 7.2
    the command runs again and says what it would say now."""
    return a[0] == b[0] == '-' and (
        a[1] in (b'UNBLOCKED the stream key no longer exists',
                 b'NOGROUP the consumer group this client was blocked on no longer exists') and
        b[1].startswith((b'NOGROUP No such key', b'WRONGTYPE')))


def same_states(a, b):
    for (wait_a, got_a), (wait_b, got_b) in zip(a, b):
        if wait_a != wait_b or len(got_a) != len(got_b):
            return False
        if not all(same_with_doubles(x, y) or same_loss(x, y) for x, y in zip(got_a, got_b)):
            return False
    return True


def play(servers, resp3, actions):
    """None, or (index of the action, sentence)."""
    stages = [Stage(s, resp3) for s in servers]
    try:
        for index, action in enumerate(actions):
            if action[0] in ('park', 'kill') and stages[0].sleepers[action[1]].waiting and action[0] == 'park':
                continue
            if any(g and g[-1] == ('!', b'closed') for _, g in [stages[0].state()[action[1]]]) \
                    if action[0] in ('park', 'kill', 'unblock') else False:
                continue
            if swaps(action) and sum(s.waiting > 0 for s in stages[0].sleepers) > 1:
                continue                   # in which order the keys of a swapped database are served is open
            replies = [stage.act(action) for stage in stages]
            if action[0] != 'kill' and not (len(replies[0]) == len(replies[1]) and all(
                    same_reply(x, y) for x, y in zip(*replies))):
                return index, f'oracle {[show(x) for x in replies[0]]}\n    peer   {[show(x) for x in replies[1]]}'
            for wait in (0.002, 0.15):
                for stage in stages:
                    stage.settle(wait)
                if same_states(stages[0].state(), stages[1].state()):
                    break
            else:
                return index, '\n'.join(
                    f'    client {i}: oracle owes {a[0]} {[show(x) for x in a[1][-3:]]}\n'
                    f'              peer owes   {b[0]} {[show(x) for x in b[1][-3:]]}'
                    for i, (a, b) in enumerate(zip(stages[0].state(), stages[1].state())) if not same_states([a], [b]))
        return None
    finally:
        for stage in stages:
            stage.close()


def same_reply(a, b):
    # XREADGROUP that waits has made its consumer (Redis 7.2); in 7.0.15 the first entry makes it.
    names = (b'lag', b'entries-read', b'consumers')
    return same_with_doubles(a, b) or without_counters(a, names) == without_counters(b, names)


def swaps(action):
    return action[0] == 'push' and action[1][0][0] == b'SWAPDB'


def text(action):
    if action[0] == 'park':
        return f"client {action[1]}: " + '; '.join(b' '.join(c).decode(errors='replace') for c in action[2])
    if action[0] == 'push':
        return 'pusher: ' + '; '.join(b' '.join(c).decode(errors='replace') for c in action[1])
    return ' '.join(str(a) for a in action)


def shrink(servers, resp3, actions, seconds=20):
    deadline = time.monotonic() + seconds
    i = 0
    while i < len(actions) and time.monotonic() < deadline:
        candidate = actions[:i] + actions[i + 1:]
        if play(servers, resp3, candidate):
            actions = candidate
        else:
            i += 1
    return actions


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--scenarios', type=int, default=200)
    p.add_argument('--only', type=int)
    p.add_argument('--peer', default='vitrine', choices=['vitrine', 'oracle'])
    p.add_argument('--max-differences', type=int, default=5)
    p.add_argument('--lists', action='store_true', help='leave sorted sets out')
    options = p.parse_args(argv)
    found = 0
    began = time.monotonic()
    done = 0
    with harness.Oracle() as oracle, harness.peer(options.peer) as other:
        servers = [oracle, other]
        for number in [options.only] if options.only is not None else range(options.scenarios):
            resp3, actions = scenario(f'{options.seed}/{number}', options.lists)
            try:
                trouble = play(servers, resp3, actions)
            except (Closed, OSError) as e:
                trouble = (0, f'{e}\n{other.log(3000)}')
            done += 1
            if not trouble:
                continue
            found += 1
            print(f'DIFFERENCE seed {options.seed} scenario {number}{" (RESP3)" if resp3 else ""}')
            if not other.alive():
                print(f'  peer died:\n{other.log(3000)}')
                other.restart()
            else:
                actions = shrink(servers, resp3, actions[:trouble[0] + 1])
                trouble = play(servers, resp3, actions) or trouble
            for action in actions:
                print('    ' + text(action))
            print(f'  at the last action: {trouble[1]}', flush=True)
            if found >= options.max_differences:
                break
    print(f'blocking: {done} scenarios, {time.monotonic() - began:.1f} s: {found} differences')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
