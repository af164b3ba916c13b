"""Lists."""


def push(name):
    def make(g):
        n = g.few(8) if g.chance(0.97) else g.between(50, 300)
        return [name, g.key('list')] + [g.value() for _ in range(n)]
    return make


def pop(name):
    def make(g):
        args = [name, g.key('list')]
        return args + [g.count()] if g.chance(0.4) else args
    return make


def lpos(g):
    args = [b'LPOS', g.key('list'), g.value()]
    groups = []
    if g.chance(0.4):
        groups.append([g.case(b'RANK'), g.index()])
    if g.chance(0.4):
        groups.append([g.case(b'COUNT'), g.count()])
    if g.chance(0.3):
        groups.append([g.case(b'MAXLEN'), g.count()])
    return args + g.shuffled(groups)


def side(g):
    return g.case(g.pick([b'LEFT', b'RIGHT']))


def timeout(g):
    """Nothing is parked for long: a blocked connection would stop the stream."""
    return g.pick([b'0.001', b'0.002', b'0.001', b'-1', b'abc', b'1e400', b'nan', b'-0.5'])


def lmpop(g):
    keys = [g.key('list') for _ in range(g.few(4))]
    n = b'%d' % len(keys) if g.chance(0.93) else g.pick([b'0', b'-1', b'1', b'2', b'100', b'abc'])
    args = [b'LMPOP', n] + keys + [side(g)]
    if g.chance(0.5):
        args += [g.case(b'COUNT'), g.count()]
    return args


def blmpop(g):
    args = lmpop(g)
    return [b'BLMPOP', timeout(g)] + args[1:]


def blocking_pop(name):
    def make(g):
        return [name] + [g.key('list') for _ in range(g.few(3))] + [timeout(g)]
    return make


COMMANDS = [
    (8, 'lpush', push(b'LPUSH'), ()),
    (8, 'rpush', push(b'RPUSH'), ()),
    (2, 'lpushx', push(b'LPUSHX'), ()),
    (2, 'rpushx', push(b'RPUSHX'), ()),
    (4, 'lpop', pop(b'LPOP'), ()),
    (4, 'rpop', pop(b'RPOP'), ()),
    (2, 'llen', lambda g: [b'LLEN', g.key('list')], ()),
    (4, 'lrange', lambda g: [b'LRANGE', g.key('list'), g.index(), g.index()], ()),
    (1, 'lrange all', lambda g: [b'LRANGE', g.key('list'), b'0', b'-1'], ()),
    (4, 'lindex', lambda g: [b'LINDEX', g.key('list'), g.index()], ()),
    (4, 'lset', lambda g: [b'LSET', g.key('list'), g.index(), g.value()], ()),
    (4, 'linsert', lambda g: [b'LINSERT', g.key('list'), g.case(g.pick([b'BEFORE', b'AFTER'])), g.value(), g.value()], ()),
    (4, 'lrem', lambda g: [b'LREM', g.key('list'), g.index(), g.value()], ()),
    (1, 'ltrim', lambda g: [b'LTRIM', g.key('list'), g.index(), g.index()], ()),
    (4, 'lpos', lpos, ()),
    (3, 'lmove', lambda g: [b'LMOVE', g.key('list'), g.key('list'), side(g), side(g)], ()),
    (2, 'rpoplpush', lambda g: [b'RPOPLPUSH', g.key('list'), g.key('list')], ()),
    (2, 'lmpop', lmpop, ()),
    (0.02, 'blpop', blocking_pop(b'BLPOP'), ('fixed',)),
    (0.02, 'brpop', blocking_pop(b'BRPOP'), ('fixed',)),
    (0.02, 'blmove', lambda g: [b'BLMOVE', g.key('list'), g.key('list'), side(g), side(g), timeout(g)], ('fixed',)),
    (0.02, 'brpoplpush', lambda g: [b'BRPOPLPUSH', g.key('list'), g.key('list'), timeout(g)], ('fixed',)),
    (0.02, 'blmpop', blmpop, ('fixed',)),
]
