"""Random command streams.

A family file holds `COMMANDS`: rows of (weight, name, function, marks). The function gets a Gen and returns the
command as a list of bytes, a list of such commands that must stay together, or a Special step. Marks:
  'fixed'   never mutated (blocking commands, commands with a huge possible reply)
  'time'    numbers in it are points in time: never replaced by random numbers
  'alone'   never inside MULTI (its effect is not the same on two servers, or it needs its own step)
A stream is a sequence of episodes; each has its own seed, its own swarm of weights, limits and protocol, and
starts with empty servers, so that one episode alone reproduces whatever it finds.
"""

import random
import struct

DATABASES = 16

INTS = [b'0', b'1', b'-1', b'2', b'-2', b'3', b'5', b'-5', b'10', b'100', b'-100', b'127', b'128', b'-128', b'-129',
        b'255', b'256', b'32767', b'32768', b'-32768', b'-32769', b'65535', b'8388607', b'8388608', b'-8388609',
        b'2147483647', b'2147483648', b'-2147483648', b'-2147483649', b'4294967295', b'4294967296',
        b'9223372036854775807', b'-9223372036854775808', b'9223372036854775806', b'9223372036854775808',
        b'-9223372036854775809', b'18446744073709551615', b'18446744073709551616', b'999999999999999999999']
ODD_INTS = [b'', b' 1', b'1 ', b'+1', b'01', b'-0', b'0x10', b'1.0', b'1e2', b'abc', b'--1', b'-', b'+', b'1\x00',
            b'\xd9\xa1', b'nan', b'inf', b'null']
# No subnormal numbers: over them SORT of Redis 7.0 stumbles (see known.py), and what it stores is stored no more.
FLOATS = [b'0', b'1', b'-1', b'1.5', b'-1.5', b'0.1', b'0.2', b'3.14159265358979323846', b'1e5', b'1e-5', b'1E3',
          b'1e17', b'1e21', b'1e22', b'123456789012345678', b'0.000001', b'0.0000001', b'1e308', b'-1e308',
          b'1.7976931348623157e308', b'2.2250738585072014e-308', b'9007199254740993', b'-0', b'-0.0', b'0.5', b'2.50',
          b'1000000', b'33.3333333333333333', b'0x10', b'0x1.8p3', b'17.0', b'1.', b'.5']
EXTREME_FLOATS = [b'inf', b'-inf', b'+inf', b'INF', b'Infinity', b'-Infinity', b'infinity']
ODD_FLOATS = [b'nan', b'-nan', b'NaN', b'', b' 1', b'1 ', b'1e400', b'-1e400', b'1e-400', b'abc', b'1.5abc', b'0x', b'(1',
              b'1,5', b'--1', b'1e', b'e5', b'\x00', b'1\x00']
WORDS = [b'a', b'b', b'c', b'd', b'e', b'foo', b'bar', b'baz', b'hello', b'hello world', b'x', b'y', b'z', b'aa', b'ab',
         b'abc', b'B', b'Z', b'10', b'9', b'7', b'key', b'longer value than others', b'u:1', b'u:2', b'w_1', b'w_2']
BINARY = [b'', b'\x00', b'\xff', b'\x00\x01\x02', b'\r\n', b'a\r\nb', b'\xc3\xa9', b'\xf0\x9f\x98\x80', b'"quoted"',
          b"it's", b'\\', b'\t', b'a\x00b', b'*', b'?', b'[a]', b'\xff\xfe\xfd']
PATTERNS = [b'*', b'?', b'a*', b'*a', b'[a-c]*', b'[^a]*', b'h?llo*', b'\\*', b'*[0-9]', b'k*', b's*', b'l[0-3]', b'',
            b'[', b'[a', b'\\', b'**', b'*a*b*', b'[^', b'[c-a]*', b'nothing-matches', b'\x00*', b'[\\]]', b'a[', b'*\\']
JUNK_OPTIONS = [b'NOSUCH', b'', b'LIMIT', b'COUNT', b'WITHSCORES', b'WITHVALUES', b'MATCH', b'NX', b'XX', b'GT', b'LT',
                b'CH', b'INCR', b'BY', b'GET', b'STORE', b'ASC', b'DESC', b'ALPHA', b'REV', b'BYSCORE', b'KEEPTTL',
                b'EX', b'PX', b'EXAT', b'PXAT', b'PERSIST', b'LEFT', b'RIGHT', b'BEFORE', b'AFTER', b'AGGREGATE',
                b'WEIGHTS', b'SUM', b'MIN', b'MAX', b'TYPE', b'DB', b'REPLACE', b'ASYNC', b'SYNC', b'RANK', b'MAXLEN',
                b'LEN', b'IDX', b'MINMATCHLEN', b'WITHMATCHLEN', b'1', b'-1', b'0']

KEY_LETTERS = {'string': b't', 'list': b'l', 'hash': b'h', 'set': b's', 'zset': b'z', 'stream': b'q', 'any': b'k'}


class Special:
    """A step that is more than a command and its reply; see steps.py."""
    kind = 'special'

    def __init__(self, args, conn=0):
        self.args = args

    def __repr__(self):
        return f"{self.kind}({b' '.join(self.args)!r})"


class SpopStep(Special):
    """SPOP of random members: afterwards each server also loses what the other one popped."""
    kind = 'spop'


class ScanStep(Special):
    """A complete SCAN, SSCAN, HSCAN or ZSCAN loop with the given options; the unions must agree."""
    kind = 'scan'


class OtherStep(Special):
    """The command runs on a second connection of each server."""
    kind = 'other'


class SleepStep(Special):
    """Let short deadlines pass; args is [milliseconds]."""
    kind = 'sleep'


class CheckStep(Special):
    """Compare the whole data."""
    kind = 'check'


class Gen:
    """Randomness and argument pools of one episode."""

    def __init__(self, seed, now):
        self.rng = random.Random(seed)
        self.r = self.rng.random
        self.now = now                     # the wall clock in seconds, a round number known to the reproduction
        self.keys_per_type = self.pick([2, 3, 4, 8])
        self.members = self.pick([3, 8, 20, 60, 300])
        self.stray = self.pick([0.0, 0.02, 0.1, 0.3])
        self.big = self.pick([0.0, 0.001, 0.02])
        self.odd = self.pick([0.0, 0.01, 0.05])
        self.ttl_counter = 0
        self.keys = {t: [l + b'%d' % i for i in range(self.keys_per_type)] for t, l in KEY_LETTERS.items()}
        # Sorted sets of one score each, for the lexicographic commands: with mixed scores their replies are not
        # defined. No command that may bring other scores knows these keys.
        self.lex_keys = [b'x%d' % i for i in range(self.keys_per_type)]
        # Likewise HyperLogLogs, which no other command may damage.
        self.hll_keys = [b'p%d' % i for i in range(self.keys_per_type)]
        self.hll_elements = self.pick([20, 300, 20000, 10000000])
        # Likewise geo indexes: their members lie around one place, those of a row of episodes around the date line.
        self.geo_keys = [b'g%d' % i for i in range(self.keys_per_type)]
        self.geo_members = self.pick([10, 50, 300])
        self.geo_spread = self.pick([0.001, 0.1, 1, 10, 30])
        self.geo_center = self.pick([(0, 0), (13, 40), (180, -20), (-179.9, 35), (self.rng.uniform(-180, 180), 30)])
        self.all_keys = [k for keys in self.keys.values() for k in keys] + [b'missing', b'']
        self.member_pool = self._member_pool()

    # -- choice
    def pick(self, seq):
        return seq[int(self.r() * len(seq))]

    def chance(self, p):
        return self.r() < p

    def upto(self, n):
        """0..n-1"""
        return int(self.r() * n)

    def between(self, low, high):
        return low + int(self.r() * (high - low + 1))

    def few(self, most=4):
        """1.. most, small numbers more often."""
        n = 1
        while n < most and self.r() < 0.5:
            n += 1
        return n

    # -- arguments
    def _member_pool(self):
        pool = [b'm%d' % i for i in range(self.members)]
        style = self.upto(4)
        if style == 0:
            pool = [b'%d' % (i * 7 - 20) for i in range(self.members)]
        elif style == 1:
            pool += [b'%d' % i for i in range(self.members // 2)] + WORDS
        elif style == 2:
            pool += WORDS + INTS + BINARY
        return pool

    def key(self, kind):
        if self.r() < self.stray:
            return self.pick(self.all_keys)
        return self.pick(self.keys[kind])

    def any_key(self):
        return self.pick(self.all_keys)

    def member(self):
        x = self.r()
        if x < 0.97:
            return self.pick(self.member_pool)
        if x < 0.98:
            return self.pick(BINARY)
        if x < 0.99:
            return self.pick(INTS)
        return self.long_text() if self.r() < 0.3 else self.pick(WORDS)

    def long_text(self):
        x = self.r()
        n = self.between(40, 70) if x < 0.7 else self.between(200, 300) if x < 0.9 else self.between(4000, 9000)
        return bytes([97 + self.upto(26)]) * n

    def value(self):
        x = self.r()
        if x < self.big:
            return bytes([97 + self.upto(26)]) * self.between(1000, 20000)
        if x < 0.5:
            return self.pick(self.member_pool)
        if x < 0.75:
            return self.pick(WORDS)
        if x < 0.9:
            return b'%d' % (self.upto(2000) - 1000)
        if x < 0.95:
            return self.pick(INTS)
        if x < 0.98:
            return self.pick(BINARY)
        return self.long_text()

    def index(self):
        x = self.r()
        if x < 0.85:
            return b'%d' % (self.upto(12) - 6)
        if x < 0.93:
            return b'%d' % (self.upto(600) - 300)
        if x < 1 - self.odd:
            return self.pick(INTS)
        return self.pick(ODD_INTS)

    def count(self):
        """A count that may be refused but is never dangerous."""
        x = self.r()
        if x < 0.85:
            return b'%d' % self.upto(7)
        if x < 0.92:
            return b'%d' % self.upto(300)
        if x < 0.97:
            return self.pick(INTS)
        return self.pick(ODD_INTS) if self.r() < 0.5 else b'-%d' % self.few()

    def signed_count(self):
        """A count of random picks: negative ones are bounded."""
        x = self.r()
        if x < 0.9:
            return b'%d' % (self.upto(30) - 12)
        if x < 0.95:
            return self.pick([b'1000', b'-1000', b'9223372036854775807', b'2147483648'])
        return self.pick(ODD_INTS)

    def integer(self):
        x = self.r()
        if x < 0.7:
            return b'%d' % (self.upto(41) - 20)
        if x < 0.98 - self.odd:
            return self.pick(INTS)
        return self.pick(ODD_INTS)

    def score(self):
        x = self.r()
        if x < 0.6:
            return b'%d' % (self.upto(21) - 8)
        if x < 0.75:
            return b'%d.%d' % (self.upto(100) - 50, self.upto(10))
        if x < 0.9:
            return self.pick(FLOATS)
        if x < 0.94:
            return self.pick(EXTREME_FLOATS)
        if x < 0.94 + self.odd / 2:
            return self.pick(ODD_FLOATS)
        return repr(self.rng.uniform(-1e3, 1e3)).encode() if x < 0.99 else self.random_double()

    def random_double(self):
        bits = self.rng.getrandbits(64)
        x = struct.unpack('<d', struct.pack('<Q', bits))[0]
        return repr(x).encode() if x == x else b'0'

    def number(self):
        """For INCRBYFLOAT and its like: no doubles beyond what long double prints alike everywhere."""
        x = self.r()
        if x < 0.8:
            return b'%d.%d' % (self.upto(200) - 100, self.upto(100))
        if x < 0.95:
            return self.pick(FLOATS)
        return self.pick(EXTREME_FLOATS) if x < 0.97 else self.pick(ODD_FLOATS)

    def score_range(self):
        def end():
            x = self.r()
            if x < 0.15:
                return self.pick([b'-inf', b'+inf', b'inf', b'(inf', b'(-inf'])
            return (b'(' if x < 0.4 else b'') + self.score()
        a, b = end(), end()
        if self.r() < 0.7:
            try:
                if float(a.lstrip(b'(')) > float(b.lstrip(b'(')):
                    a, b = b, a
            except ValueError:
                pass
        return a, b

    def lex_range(self):
        def end():
            x = self.r()
            if x < 0.2:
                return self.pick([b'-', b'+'])
            if x < 0.95:
                return self.pick([b'[', b'(']) + self.member()
            return self.pick([b'', b'a', b'-a', b'+a', b'(', b'[', b'(-'])
        a, b = end(), end()
        if a[:1] in b'[(' and b[:1] in b'[(' and a[1:] > b[1:] and self.r() < 0.8:
            a, b = b, a
        return a, b

    def pattern(self):
        if self.r() < 0.5:
            return self.pick(PATTERNS)
        return self.pick(self.member_pool)[:2] + b'*'

    # -- time: deadlines are either long past or far away, so that no reply depends on the speed of the run
    def far_seconds(self):
        self.ttl_counter += 1
        return 10000 + (self.ttl_counter * 7919) % 900000

    def seconds(self):
        x = self.r()
        if x < 0.9:
            return b'%d' % self.far_seconds()
        return self.pick([b'0', b'-1', b'-100', b'9223372036854775807', b'-9223372036854775808', b'9223372036854775',
                          b'9223372036854776', b'18446744073709561', b'abc', b'', b'1.5', b'99999999999999999999', b' 5'])

    def millis(self):
        x = self.r()
        if x < 0.9:
            return b'%d' % (self.far_seconds() * 1000)
        return self.pick([b'0', b'-1', b'-100', b'9223372036854775807', b'-9223372036854775808', b'9223372036854770000',
                          b'abc', b'', b'1.5', b'99999999999999999999', b'5 '])

    def at_seconds(self):
        x = self.r()
        if x < 0.8:
            return b'%d' % (self.now + self.far_seconds())
        return self.pick([b'1', b'1000', b'0', b'-1', b'9223372036854775807', b'-9223372036854775808', b'9223372036854776',
                          b'9223372036854775', b'abc', b''])

    def at_millis(self):
        x = self.r()
        if x < 0.8:
            return b'%d' % ((self.now + self.far_seconds()) * 1000)
        return self.pick([b'1', b'1000', b'0', b'-1', b'9223372036854775807', b'-9223372036854775808', b'abc', b''])

    def expiry_option(self):
        kind = self.upto(4)
        if kind == 0:
            return [b'EX', self.seconds()]
        if kind == 1:
            return [b'PX', self.millis()]
        if kind == 2:
            return [b'EXAT', self.at_seconds()]
        return [b'PXAT', self.at_millis()]

    def case(self, word):
        x = self.r()
        return word if x < 0.8 else word.lower() if x < 0.95 else word.title()

    def shuffled(self, groups):
        """The options in groups (lists of bytes), flat and in random order."""
        self.rng.shuffle(groups)
        return [a for g in groups for a in g]


def mutate(g, args, time):
    """A damaged copy of a command: wrong arity, odd values, stray options."""
    args = list(args)
    kind = g.upto(6)
    if kind == 0 and len(args) > 1:
        args.pop()
    elif kind == 1:
        args.append(g.pick(JUNK_OPTIONS))
    elif kind == 2 and len(args) > 2:
        del args[1 + g.upto(len(args) - 1)]
    elif kind == 3 and len(args) > 1:
        i = 1 + g.upto(len(args) - 1)
        args[i] = g.pick(JUNK_OPTIONS if time else g.pick([JUNK_OPTIONS, BINARY, ODD_INTS, ODD_FLOATS, [b'1', b'-1', b'0']]))
    elif kind == 4 and len(args) > 1:
        i = 1 + g.upto(len(args) - 1)
        args.insert(i, args[i])
    else:
        args[0] = args[0].swapcase()
        args[1:] = [a.lower() if a.isupper() else a for a in args[1:]]
    # AGGREGATE COUNT is newer than the oracle.
    for i in range(1, len(args)):
        if args[i - 1].upper() == b'AGGREGATE' and args[i].upper() == b'COUNT':
            args[i] = b'SUM'
    return args


class Stream:
    """The steps of one episode."""

    def __init__(self, seed, now, families, limits):
        self.g = g = Gen(seed, now)
        self.setup = []
        if g.chance(0.4):
            self.setup += [[b'CONFIG', b'SET', name, g.pick(values)] for name, values in limits]
        else:
            self.setup += [[b'CONFIG', b'SET', name, values[0]] for name, values in limits]
        self.resp3 = g.chance(0.3)
        if self.resp3:
            self.setup.append([b'HELLO', b'3'])
        self.mutations = g.pick([0.0, 0.01, 0.03, 0.1])
        self.rows, self.weights = [], []
        for family, weight in families:
            drop = g.pick([0.0, 0.2, 0.5])
            boost = weight * g.pick([0.2, 1, 1, 3])
            for row in family.COMMANDS:
                if g.chance(drop):
                    continue
                self.rows.append(row)
                self.weights.append(row[0] * boost * g.pick([0.3, 1, 1, 3]))
        if not self.rows:
            self.rows, self.weights = list(families[0][0].COMMANDS), [r[0] for r in families[0][0].COMMANDS]
        self.transactions = g.pick([0.0, 0.0, 0.01, 0.03])

    def one(self, for_multi=False):
        """One row's product: a list of commands, or a Special."""
        g = self.g
        while True:
            row = self.rng_rows.pop() if self.rng_rows else self._refill()
            if for_multi and 'alone' in row[3]:
                continue
            made = row[2](g)
            if isinstance(made, Special):
                if for_multi:
                    continue
                return made
            if made and isinstance(made[0], list):
                if for_multi:
                    return made[:1]
                return made
            if self.mutations and 'fixed' not in row[3] and g.r() < self.mutations:
                damaged = mutate(g, made, 'time' in row[3])
                if g.r() < 0.2 and 'fixed' not in row[3]:
                    damaged = mutate(g, damaged, 'time' in row[3])
                # An id from the clock would differ.
                if made[0] != b'XADD' or b'*' not in damaged:
                    made = damaged
            return [made]

    rng_rows = ()

    def _refill(self):
        self.rng_rows = self.g.rng.choices(self.rows, self.weights, k=500)
        return self.rng_rows.pop()

    def steps(self, count):
        """At least so many steps: bytes lists and Specials."""
        g, made = self.g, 0
        while made < count:
            if self.transactions and g.r() < self.transactions:
                for step in self.transaction():
                    made += 1
                    yield step
                continue
            product = self.one()
            if isinstance(product, Special):
                made += 1
                yield product
                continue
            for args in product:
                made += 1
                yield args

    def transaction(self):
        g = self.g
        if g.chance(0.3):
            watched = [g.any_key() for _ in range(g.few(3))]
            yield [b'WATCH'] + watched
            if g.chance(0.1):
                yield [b'UNWATCH']
            x = g.r()
            if x < 0.4:
                product = self.one(for_multi=True)
                yield OtherStep(product[0])
            elif x < 0.6:
                yield from self.one(for_multi=True)
        yield [b'MULTI']
        for _ in range(g.upto(8)):
            yield from self.one(for_multi=True)
        if g.chance(0.03):
            yield g.pick([[b'MULTI'], [b'WATCH', b'a'], [b'UNWATCH'], [b'NOSUCHCOMMAND', b'x'], [b'GET']])
        yield [b'DISCARD'] if g.chance(0.1) else [b'EXEC']
