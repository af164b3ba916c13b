"""Strings."""


def set_(g):
    args = [b'SET', g.key('string'), g.value()]
    if g.chance(0.5):
        return args
    groups = []
    if g.chance(0.4):
        groups.append(g.expiry_option())
    elif g.chance(0.3):
        groups.append([b'KEEPTTL'])
    if g.chance(0.3):
        groups.append([g.case(g.pick([b'NX', b'XX']))])
    if g.chance(0.3):
        groups.append([g.case(b'GET')])
    if g.chance(0.03):
        groups.append(g.pick([[b'KEEPTTL'], [b'NX'], [b'XX'], [b'EX'], [b'EX', b'100'], [b'PERSIST']]))
    return args + g.shuffled(groups)


def getex(g):
    args = [b'GETEX', g.key('string')]
    x = g.r()
    if x < 0.3:
        return args
    if x < 0.5:
        return args + [b'PERSIST']
    return args + g.expiry_option()


def many(name, lowest=1):
    def make(g):
        return [name] + [g.key('string') for _ in range(g.few(6))]
    return make


def pairs(name):
    def make(g):
        return [name] + [a for _ in range(g.few(5)) for a in (g.key('string'), g.value())]
    return make


def setrange(g):
    x = g.r()
    if x < 0.85:
        offset = b'%d' % g.upto(40)
    elif x < 0.95:
        offset = b'%d' % g.upto(3000)
    else:
        offset = g.pick([b'-1', b'536870912', b'9223372036854775807', b'abc', b'4294967296', b'-9223372036854775808'])
    return [b'SETRANGE', g.key('string'), offset, g.value() if g.chance(0.9) else b'']


def lcs(g):
    args = [b'LCS', g.key('string'), g.key('string')]
    groups = []
    if g.chance(0.2):
        groups.append([g.case(b'LEN')])
    if g.chance(0.4):
        groups.append([g.case(b'IDX')])
        if g.chance(0.5):
            groups.append([b'MINMATCHLEN', g.count()])
        if g.chance(0.5):
            groups.append([b'WITHMATCHLEN'])
    return args + g.shuffled(groups)


def one_key(name):
    return lambda g: [name, g.key('string')]


def short(g):
    """A string short enough to compare with another."""
    return [b'SET', g.key('string'), bytes(97 + g.upto(4) for _ in range(g.upto(30)))]


COMMANDS = [
    (10, 'set', set_, ('time',)),
    (2, 'set short', short, ()),
    (8, 'get', one_key(b'GET'), ()),
    (2, 'getset', lambda g: [b'GETSET', g.key('string'), g.value()], ()),
    (1, 'getdel', one_key(b'GETDEL'), ()),
    (2, 'getex', getex, ('time',)),
    (2, 'setnx', lambda g: [b'SETNX', g.key('string'), g.value()], ()),
    (1, 'setex', lambda g: [b'SETEX', g.key('string'), g.seconds(), g.value()], ('time',)),
    (1, 'psetex', lambda g: [b'PSETEX', g.key('string'), g.millis(), g.value()], ('time',)),
    (3, 'append', lambda g: [b'APPEND', g.key('string'), g.value()], ()),
    (2, 'strlen', one_key(b'STRLEN'), ()),
    (3, 'incr', one_key(b'INCR'), ()),
    (3, 'decr', one_key(b'DECR'), ()),
    (3, 'incrby', lambda g: [b'INCRBY', g.key('string'), g.integer()], ()),
    (3, 'decrby', lambda g: [b'DECRBY', g.key('string'), g.integer()], ()),
    (3, 'incrbyfloat', lambda g: [b'INCRBYFLOAT', g.key('string'), g.number()], ()),
    (3, 'set number', lambda g: [b'SET', g.key('string'), g.number()], ()),
    (3, 'getrange', lambda g: [b'GETRANGE', g.key('string'), g.index(), g.index()], ()),
    (1, 'substr', lambda g: [b'SUBSTR', g.key('string'), g.index(), g.index()], ()),
    (3, 'setrange', setrange, ('fixed',)),
    (3, 'mget', many(b'MGET'), ()),
    (2, 'mset', pairs(b'MSET'), ()),
    (1, 'msetnx', pairs(b'MSETNX'), ()),
    (2, 'lcs', lcs, ('fixed',)),
]
