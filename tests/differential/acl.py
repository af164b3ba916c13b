#!/usr/bin/python3
"""Access control: rules generated at random, on Redis 7.0.15 and on Vitrine.

  tests/differential/acl.py --seed 1 --users 300 [--peer oracle]

A user gets random rules, in several calls. Compared are the replies of ACL SETUSER, what ACL GETUSER and ACL LIST say
(the command rules by their effect: what Vitrine says of them, given to Redis, must come to the same there), and ACL
DRYRUN of many commands. Exit status 0: no difference.
"""

import argparse
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness                                                    # noqa: E402
from harness import Error, to_bytes                               # noqa: E402

# Commands that both have. k: a key, c: a channel, n: a database.
CALLS = ['get k', 'set k 1', 'set k 1 get', 'del k', 'del k k k', 'mget k k', 'mset k 1 k 1', 'exists k k',
         'copy k k', 'rename k k', 'append k x', 'incr k', 'getdel k', 'getrange k 0 1', 'lpush k 1', 'lpop k',
         'lmove k k left left', 'blmove k k left left 0', 'lrange k 0 1', 'lmpop 2 k k left', 'blpop k k 0',
         'hset k f 1', 'hgetall k', 'hdel k f', 'sadd k 1', 'smembers k', 'sinter k k', 'sinterstore k k k',
         'sintercard 2 k k', 'smove k k 1', 'zadd k 1 a', 'zrange k 0 1', 'zrangestore k k 0 1',
         'zunionstore k 2 k k', 'zunion 2 k k', 'zdiffstore k 1 k', 'bzmpop 0 1 k min', 'xadd k * a 1',
         'xread streams k k 0 0', 'xrange k - +', 'xlen k', 'xgroup create k g 0', 'xreadgroup group g c streams k >',
         'xack k g 0-1', 'sort k', 'sort k store k', 'sort_ro k', 'expire k 1', 'ttl k', 'type k', 'touch k',
         'unlink k', 'object encoding k', 'object help', 'dump k', 'restore k 0 x', 'move k n', 'scan 0', 'keys *',
         'dbsize', 'randomkey', 'flushdb', 'select n', 'ping', 'echo x', 'info', 'config get x', 'config set x y',
         'config resetstat', 'client list', 'client kill x', 'client id', 'client setname x', 'auth x', 'hello',
         'acl whoami', 'acl list', 'multi', 'exec', 'watch k k', 'setbit k 0 1', 'getbit k 0', 'bitop and k k k',
         'bitcount k', 'bitfield k get u8 0', 'bitfield k set u8 0 1', 'bitfield_ro k get u8 0', 'pfadd k a',
         'pfmerge k k', 'pfcount k k', 'geoadd k 1 1 a', 'geosearchstore k k fromlonlat 0 0 byradius 1 m asc',
         'georadius k 0 0 1 m store k', 'publish c x', 'spublish c x', 'subscribe c c', 'psubscribe c',
         'ssubscribe c', 'unsubscribe c', 'punsubscribe', 'pubsub channels', 'eval x 2 k k', 'eval x 0',
         'evalsha x 1 k', 'fcall f 1 k', 'script load x', 'function list', 'save', 'debug sleep 0', 'slowlog get',
         'memory usage k', 'memory doctor', 'swapdb n n', 'lcs k k', 'substr k 0 1', 'setex k 1 v', 'getex k',
         'getex k persist', 'wait 0 0', 'reset', 'nosuch k', 'get', 'config nosuch']
CATEGORIES = ['keyspace', 'read', 'write', 'set', 'sortedset', 'list', 'hash', 'string', 'bitmap', 'hyperloglog', 'geo',
              'stream', 'pubsub', 'admin', 'fast', 'slow', 'blocking', 'dangerous', 'connection', 'transaction',
              'scripting', 'all']
KEYS = ['a', 'a1', 'ab', 'b', 'b1', 'r', 'r2', 'w', 'zz']
KEY_PATTERNS = ['a', 'a*', 'b?', '[ab]*', 'r*', 'w', '*', 'zz']
CHANNELS = ['c', 'c1', 'news', 'c*']
CHANNEL_PATTERNS = ['c', 'c*', 'c?', 'n*', '*']
WRONG = ['foo', '+foo', '+@foo', '-foo', '+config|foo', '-select|1', '+config|get|x', '<none', '#12', '!12', '%~a',
         '%X~a', '%', '+', '-', '@', '(on)', '(+foo)', '(~a b)', '(+get', '~a b', '&a b', '+get|', '(+get ~*', '%R',
         '~', '&', '']


def names_of(calls):
    return sorted({c.split()[0] for c in calls} - {'nosuch'})


def command_rule(rng):
    call = rng.choice(CALLS).split()
    name = call[0]
    if name in ('config', 'client', 'acl', 'object', 'memory', 'xgroup', 'script', 'function', 'pubsub', 'slowlog'):
        if len(call) > 1 and rng.random() < 0.5:
            name += '|' + call[1]
    elif rng.random() < 0.1:
        return f'+{name}|{rng.choice(["1", "2", "x", "a", "A"])}'
    return rng.choice('++-') + (name.upper() if rng.random() < 0.1 else name)


def selector_rule(rng):
    kind = rng.random()
    if kind < 0.35:
        return command_rule(rng)
    if kind < 0.55:
        return rng.choice('++-') + '@' + rng.choice(CATEGORIES)
    if kind < 0.75:
        # %RW~* is not allkeys in 7.0.15, whose ACL LIST then writes rules that it would not take.
        pattern = rng.choice(KEY_PATTERNS)
        return rng.choice(['~', '%R~'] if pattern == '*' else ['~', '%R~', '%W~', '%RW~', '%wr~']) + pattern
    if kind < 0.87:
        return '&' + rng.choice(CHANNEL_PATTERNS)
    return rng.choice(['allkeys', 'resetkeys', 'allchannels', 'resetchannels', 'allcommands', 'nocommands'])


def rule(rng):
    kind = rng.random()
    if kind < 0.70:
        return selector_rule(rng)
    if kind < 0.80:
        return '(' + ' '.join(selector_rule(rng) for _ in range(rng.randrange(4))) + ')'
    if kind < 0.97:
        return rng.choice(['on', 'off', 'nopass', 'resetpass', '>p', '>q', '<p', '#' + 'a1' * 32, '!' + 'a1' * 32,
                           'reset', 'clearselectors', 'sanitize-payload', 'skip-sanitize-payload'])
    return rng.choice(WRONG)


def call(rng):
    words = rng.choice(CALLS).split()
    fill = {'k': KEYS, 'c': CHANNELS, 'n': ['0', '1', '2']}
    return [rng.choice(fill[w]) if w in fill and i else w for i, w in enumerate(words)]


def split_list(line):
    """A line of ACL LIST with its command rules, of the root and of the selectors, taken out."""
    rest, commands = [], [[]]
    for word in line.split(b' '):
        closes = word.endswith(b')') and (word.startswith((b'+', b'-')) or len(commands) > 1)
        bare = word.strip(b'()') if closes or word.startswith(b'(') else word
        if word.startswith(b'('):
            commands.append([])
        if bare.startswith((b'+', b'-')):
            commands[-1].append(bare)
            rest.append(b')' if closes else b'')
        else:
            rest.append(word)
    return b' '.join(w for w in rest if w), commands


class Comparison:
    def __init__(self, oracle, other):
        self.servers = [oracle, other]
        self.clients = [s.client() for s in self.servers]
        self.clients3 = [s.client(resp3=True) for s in self.servers]
        self.unequal = self.different_categories()

    def different_categories(self):
        """Names whose categories are not those of 7.0.15, and those that only one server has."""
        found = set()
        for category in CATEGORIES[:-1]:
            a, b = (set(c.ok('ACL', 'CAT', category)) for c in self.clients)
            found |= a ^ b
        return found

    def is_comparable(self, words):
        name = to_bytes(words[0])
        sub = name + b'|' + to_bytes(words[1]) if len(words) > 1 else name
        return name not in self.unequal and sub not in self.unequal

    def user(self, rng):
        """The first difference of one random user, or None."""
        for c in self.clients:
            c.ok('ACL', 'DELUSER', 'u')
            c.ok('ACL', 'SETUSER', 'u')
        history = []
        for _ in range(rng.randrange(1, 5)):
            rules = [rule(rng) for _ in range(rng.randrange(6))]
            history.append(rules)
            a, b = (c.call('ACL', 'SETUSER', 'u', *rules) for c in self.clients)
            if a != b:
                return history, 'SETUSER', a, b
        trouble = self.shown()
        if trouble:
            return history, *trouble
        for _ in range(60):
            words = call(rng)
            if not self.is_comparable(words):
                continue
            a, b = (c.call('ACL', 'DRYRUN', 'u', *words) for c in self.clients)
            if a != b:
                return history, f'DRYRUN {" ".join(words)}', a, b
        return None

    def shown(self):
        lines = [next(x for x in c.ok('ACL', 'LIST') if x.startswith(b'user u ')) for c in self.clients]
        (rest_a, _), (rest_b, commands) = (split_list(line) for line in lines)
        if rest_a != rest_b:
            return 'LIST', *lines
        a, b = (c.ok('ACL', 'GETUSER', 'u') for c in self.clients3)
        if a is None or type(a) is not type(b) or len(a) != len(b):
            return 'GETUSER', a, b
        a, b = a.dict(), b.dict()
        for field in (b'flags', b'passwords', b'keys', b'channels'):
            if a[field] != b[field] or type(a[field]) is not type(b[field]):
                return f'GETUSER {field.decode()}', a[field], b[field]
        if b[b'commands'].split() != commands[0]:
            return 'GETUSER commands against LIST', b[b'commands'], commands
        return self.commands_mean_the_same(lines[1])

    def commands_mean_the_same(self, line):
        """Gives Redis the rules as the other says them: they must come to the same user."""
        oracle = self.clients[0]
        oracle.ok('ACL', 'DELUSER', 'v')
        reply = oracle.call('ACL', 'SETUSER', 'v', *line.split(b' ')[2:])
        if isinstance(reply, Error):
            return 'SETUSER of the text', line, reply
        texts = {name: next(x for x in oracle.ok('ACL', 'LIST') if x.startswith(b'user %s ' % name))[7:]
                 for name in (b'u', b'v')}
        # A category may hold commands here that it does not hold there: those are named one by one.
        a, b = ([rest] + [{w for w in c if w[1:] not in self.unequal} for c in commands]
                for rest, commands in map(split_list, texts.values()))
        if a != b:
            return 'rules', texts[b'u'], texts[b'v']
        return None


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--users', type=int, default=300)
    p.add_argument('--only', type=int)
    p.add_argument('--peer', default='vitrine', choices=['vitrine', 'oracle'])
    p.add_argument('--max-differences', type=int, default=5)
    options = p.parse_args(argv)
    found, began = 0, time.monotonic()
    with harness.Oracle() as oracle, harness.peer(options.peer) as other:
        comparison = Comparison(oracle, other)
        for number in [options.only] if options.only is not None else range(options.users):
            trouble = comparison.user(random.Random(f'{options.seed}/{number}'))
            if not trouble:
                continue
            found += 1
            history, what, a, b = trouble
            print(f'DIFFERENCE seed {options.seed} user {number}: {what}')
            for rules in history:
                print('    ACL SETUSER u ' + ' '.join(repr(r) if ' ' in r or not r else r for r in rules))
            print(f'  oracle {a!r}\n  peer   {b!r}', flush=True)
            if found >= options.max_differences:
                break
    print(f'acl: {options.users} users, {time.monotonic() - began:.1f} s: {found} differences')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
