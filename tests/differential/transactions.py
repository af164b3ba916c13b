#!/usr/bin/python3
"""Transactions: random commands of three connections, most of them about MULTI and WATCH, one at a time to Redis 7.0.15
and to Vitrine; every reply must be the same.

  tests/differential/transactions.py [--seed 1] [--episodes 150] [--peer vitrine|oracle] [--only EPISODE]
"""

import argparse
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness                            # noqa: E402
from steps import Line                    # noqa: E402

STEPS = 300
KEYS = [b'a', b'b', b'c', b'd']


def data_command(r):
    """A command on few keys: it changes something, nothing, or fails when it runs."""
    k, k2, n = r.choice(KEYS), r.choice(KEYS), b'%d' % r.randrange(3)
    return r.choice([
        [b'SET', k, n], [b'SET', k, n], [b'SET', k, n, b'NX'], [b'SET', k, n, b'XX', b'GET'], [b'GET', k],
        [b'DEL', k], [b'DEL', k, k2], [b'UNLINK', k], [b'INCR', k], [b'APPEND', k, b''], [b'APPEND', k, b'1'],
        [b'LPUSH', k, n], [b'LPOP', k], [b'LTRIM', k, b'0', b'9'], [b'LREM', k, b'0', n], [b'LSET', k, b'0', n],
        [b'LINSERT', k, b'BEFORE', n, n], [b'LMOVE', k, k2, b'LEFT', b'RIGHT'], [b'RPOPLPUSH', k, k2],
        [b'SADD', k, n], [b'SREM', k, n], [b'SMOVE', k, k2, n], [b'SPOP', k, b'0'], [b'SINTERSTORE', k, k2, k],
        [b'SUNIONSTORE', k, k2, k], [b'HSET', k, b'f', n], [b'HDEL', k, b'f'], [b'HINCRBY', k, b'f', n],
        [b'HSETNX', k, b'f', n], [b'ZADD', k, n, b'm'], [b'ZADD', k, b'XX', n, b'm'], [b'ZREM', k, b'm'],
        [b'ZPOPMIN', k], [b'ZINCRBY', k, n, b'm'], [b'ZREMRANGEBYRANK', k, b'0', b'0'], [b'ZUNIONSTORE', k, b'1', k2],
        [b'RENAME', k, k2], [b'RENAMENX', k, k2], [b'COPY', k, k2], [b'COPY', k, k2, b'REPLACE'],
        [b'COPY', k, k2, b'DB', n], [b'MOVE', k, n], [b'SORT', k, b'ALPHA', b'STORE', k2], [b'TYPE', k], [b'EXISTS', k],
        [b'EXPIRE', k, b'100'], [b'EXPIRE', k, b'-1'], [b'PEXPIRE', k, b'0'], [b'PERSIST', k],
        [b'EXPIRE', k, b'100', b'NX'],
        [b'GETEX', k, b'EX', b'100'], [b'GETEX', k, b'PERSIST'], [b'GETDEL', k], [b'GETSET', k, n],
        [b'SETEX', k, b'100', n],
        [b'SETRANGE', k, b'0', b''], [b'SETRANGE', k, b'1', n], [b'SETBIT', k, b'3', b'1'], [b'MSET', k, n, k2, n],
        [b'MSETNX', k, n, k2, n], [b'BITOP', b'NOT', k, k2], [b'PFADD', k, n], [b'TOUCH', k],
        [b'XADD', k, b'1-' + n, b'f', n],
        [b'XTRIM', k, b'MAXLEN', b'1'], [b'XDEL', k, b'1-' + n], [b'XGROUP', b'CREATE', k, b'g', b'$', b'MKSTREAM'],
        [b'XGROUP', b'SETID', k, b'g', b'0'],
        [b'XREADGROUP', b'GROUP', b'g', b'x', b'COUNT', b'1', b'STREAMS', k, b'>'],
        [b'XACK', k, b'g', b'1-' + n],
        [b'FLUSHDB'] if r.random() < 0.3 else [b'PING'], [b'FLUSHALL'] if r.random() < 0.2 else [b'ECHO', n],
        [b'SWAPDB', n, b'%d' % r.randrange(3)] if r.random() < 0.6 else [b'GET', k], [b'SELECT', n],
        [b'RESTORE', k, b'0', b'\x00\xc0\x05\x0b\x00\x97\x0f\x52\x9b\x96\xe5\x0f\x5b', b'REPLACE'],
    ])


def odd_command(r):
    """What is refused when queued, or waits elsewhere."""
    k, k2 = r.choice(KEYS), r.choice(KEYS)
    return r.choice([
        [b'GET'], [b'NOSUCH', k], [b'SET', k], [b'WATCH', k], [b'MULTI'], [b'WATCH'], [b'CONFIG', b'NOSUCH'],
        [b'OBJECT', b'NOSUCH', k], [b'EXEC', b'x'], [b'DISCARD', b'x'], [b'CLIENT', b'NO-EVICT'], [b'UNWATCH'],
        [b'SUBSCRIBE'], [b'SSUBSCRIBE', b'ch'], [b'SAVE'], [b'BGSAVE', b'x'], [b'SHUTDOWN', b'x'],
        [b'PUBLISH', b'nobody', b'm'], [b'SPUBLISH', b'nobody', b'm'],
        [b'BLPOP', k, b'0'], [b'BRPOP', k, k2, b'0'], [b'BLMOVE', k, k2, b'LEFT', b'LEFT', b'0'],
        [b'BZPOPMIN', k, b'0'],
        [b'BRPOPLPUSH', k, k2, b'0'], [b'BLMPOP', b'0', b'1', k, b'LEFT'], [b'BZMPOP', b'0', b'1', k, b'MIN'],
        [b'XREAD', b'BLOCK', b'0', b'STREAMS', k, b'$'], [b'BLPOP', k, b'-1'], [b'BLPOP', k, b'x'],
        [b'RESET'],
    ])


WAITS = {b'BLPOP', b'BRPOP', b'BLMOVE', b'BZPOPMIN', b'BRPOPLPUSH', b'BLMPOP', b'BZMPOP', b'XREAD', b'SSUBSCRIBE'}


def episode(seed):
    """(connection, command) pairs; a command of None: time passes, so that what was due is expired."""
    r = random.Random(seed)
    inside = [False] * 3
    for _ in range(STEPS):
        who, p = r.randrange(3), r.random()
        if p < 0.1:
            command = [b'WATCH', *r.sample(KEYS, r.randint(1, 2))]
        elif p < 0.12:
            command = [b'UNWATCH']
        elif p < 0.22:
            command = [b'MULTI'] if not inside[who] else [b'EXEC']
        elif p < 0.3:
            command = [b'EXEC']
        elif p < 0.32:
            command = [b'DISCARD']
        elif p < 0.37:
            command = odd_command(r)
            if not inside[who] and command[0] in WAITS:
                continue
        elif p < 0.39:
            if not inside[who]:
                yield who, [b'PEXPIRE', r.choice(KEYS), b'1']
                yield who, None
            continue
        else:
            command = data_command(r)
        name = command[0]
        if name == b'MULTI':
            inside[who] = True
        elif name in (b'EXEC', b'DISCARD', b'RESET') and (len(command) == 1 or name == b'EXEC'):
            inside[who] = False
        yield who, command


def memory_episode(seed):
    """Memory runs out while commands are being queued."""
    r = random.Random(seed)
    for _ in range(STEPS // 4):
        yield 0, [b'CONFIG', b'SET', b'maxmemory', b'0']
        yield 1, [b'SET', r.choice(KEYS), b'1']
        yield 1, [b'MULTI']
        for _ in range(r.randrange(3)):
            yield 1, r.choice([[b'GET', b'a'], [b'SET', b'a', b'1']])
        yield 0, [b'CONFIG', b'SET', b'maxmemory', b'1']
        for _ in range(r.randrange(3)):
            yield 1, r.choice([[b'GET', b'a'], [b'SET', b'a', b'1'], [b'DEL', b'a'], [b'PING']])
        if r.random() < 0.3:
            yield 0, [b'CONFIG', b'SET', b'maxmemory', b'0']
        yield 1, r.choice([[b'EXEC'], [b'EXEC'], [b'DISCARD'], [b'RESET']])
        yield 1, [b'GET', b'a']
        yield 1, [b'DISCARD']
    yield 0, [b'CONFIG', b'SET', b'maxmemory', b'0']


def text_of(command):
    return 'time passes' if command is None else ' '.join(repr(a)[1:] for a in command)


def play(servers, steps):
    """The first difference as text, or None."""
    lines = [[Line(s, timeout=5) for _ in range(3)] for s in servers]
    history, count = [], 0
    try:
        for connections in lines:
            connections[0].raw([b'FLUSHALL'])
        for who, command in steps:
            history.append(f'{who}> {text_of(command)}')
            if command is None:
                time.sleep(0.006)
                continue
            count += 1
            replies = []
            for connections in lines:
                try:
                    replies.append(connections[who].raw(command))
                except (OSError, harness.Closed) as e:
                    replies.append(('!', repr(e).encode()))
            if replies[0] != replies[1]:
                shown = '\n    '.join(history[-25:])
                return count, f'{shown}\n  oracle: {harness.show(replies[0])}\n  peer:   {harness.show(replies[1])}'
        return count, None
    finally:
        for connections in lines:
            for line in connections:
                line.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--episodes', type=int, default=150)
    p.add_argument('--only', type=int)
    p.add_argument('--peer', default='vitrine', choices=['vitrine', 'oracle'])
    options = p.parse_args()
    began, commands, found = time.monotonic(), 0, 0
    with harness.Oracle() as oracle, harness.peer(options.peer) as other:
        for n in range(options.episodes) if options.only is None else [options.only]:
            seed = f'transactions {options.seed} {n}'
            count, difference = play([oracle, other], (memory_episode if n % 10 == 9 else episode)(seed))
            commands += count
            if difference:
                found += 1
                print(f'DIFFERENCE seed {options.seed} episode {n}:\n    {difference}')
    print(f'transactions: {commands} commands, seed {options.seed}, {time.monotonic() - began:.1f} s: '
          f'{found} differences')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
