"""Sets."""
from gen import ScanStep, SpopStep
from families.hashes import scan_options


def several(name):
    def make(g):
        n = g.few(8) if g.chance(0.97) else g.between(50, 200)
        return [name, g.key('set')] + [g.member() for _ in range(n)]
    return make


def keys(name, most=4):
    def make(g):
        return [name] + [g.key('set') for _ in range(g.few(most))]
    return make


def ints(g):
    n = g.few(8) if g.chance(0.97) else g.between(50, 200)
    wide = g.pick([100, 100, 100000, 10 ** 12])
    return [b'SADD', g.key('set')] + [b'%d' % (g.upto(wide) - wide // 3) for _ in range(n)]


def spop(g):
    args = [b'SPOP', g.key('set')]
    if g.chance(0.5):
        args.append(b'%d' % g.upto(8) if g.chance(0.9) else g.pick([b'-1', b'abc', b'1000', b'9223372036854775807', b'']))
    return SpopStep(args)


def sintercard(g):
    names = [g.key('set') for _ in range(g.few(4))]
    n = b'%d' % len(names) if g.chance(0.93) else g.pick([b'0', b'-1', b'1', b'3', b'abc', b'1000'])
    args = [b'SINTERCARD', n] + names
    if g.chance(0.4):
        args += [g.case(b'LIMIT'), g.count()]
    return args


def srandmember(g):
    args = [b'SRANDMEMBER', g.key('set')]
    return args + [g.signed_count()] if g.chance(0.7) else args


COMMANDS = [
    (8, 'sadd', several(b'SADD'), ()),
    (4, 'sadd ints', ints, ()),
    (4, 'srem', several(b'SREM'), ()),
    (2, 'scard', lambda g: [b'SCARD', g.key('set')], ()),
    (3, 'sismember', lambda g: [b'SISMEMBER', g.key('set'), g.member()], ()),
    (2, 'smismember', several(b'SMISMEMBER'), ()),
    (1, 'smembers', lambda g: [b'SMEMBERS', g.key('set')], ()),
    (3, 'smove', lambda g: [b'SMOVE', g.key('set'), g.key('set'), g.member()], ()),
    (2, 'sinter', keys(b'SINTER'), ()),
    (1, 'sunion', keys(b'SUNION'), ()),
    (2, 'sdiff', keys(b'SDIFF'), ()),
    (2, 'sinterstore', keys(b'SINTERSTORE', 5), ()),
    (1, 'sunionstore', keys(b'SUNIONSTORE', 5), ()),
    (2, 'sdiffstore', keys(b'SDIFFSTORE', 5), ()),
    (2, 'sintercard', sintercard, ()),
    (2, 'srandmember', srandmember, ('fixed',)),
    (0.5, 'spop', spop, ('alone',)),
    (0.3, 'sscan', lambda g: ScanStep([b'SSCAN', g.key('set')] + scan_options(g)), ('alone',)),
]
