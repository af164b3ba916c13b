"""Keys of every type: expiry, copies, renames, databases."""
from gen import ScanStep, SleepStep
from families.hashes import scan_options


def expire(name, when):
    def make(g):
        args = [name, g.any_key(), getattr(g, when)()]
        if g.chance(0.4):
            args.append(g.case(g.pick([b'NX', b'XX', b'GT', b'LT'])))
            if g.chance(0.1):
                args.append(g.pick([b'NX', b'XX', b'GT', b'LT', b'NOSUCH']))
        return args
    return make


def keys(name, most=4):
    return lambda g: [name] + [g.any_key() for _ in range(g.few(most))]


def one(name):
    return lambda g: [name, g.any_key()]


def two(name):
    return lambda g: [name, g.any_key(), g.any_key()]


def database(g):
    return b'%d' % g.upto(3) if g.chance(0.9) else g.pick([b'15', b'16', b'-1', b'abc', b'', b'9223372036854775807', b'1.0'])


def copy(g):
    args = [b'COPY', g.any_key(), g.any_key()]
    groups = []
    if g.chance(0.2):
        groups.append([g.case(b'DB'), database(g)])
    if g.chance(0.5):
        groups.append([g.case(b'REPLACE')])
    return args + g.shuffled(groups)


def scan(g):
    args = [b'SCAN'] + scan_options(g)
    if g.chance(0.3):
        args += [g.case(b'TYPE'), g.case(g.pick([b'STRING', b'LIST', b'SET', b'ZSET', b'HASH', b'STREAM']))]
    return ScanStep(args)


def short_life(g):
    """A deadline that really passes, then a look at the key."""
    key = g.any_key()
    return [[b'PEXPIRE', key, b'1']]


def object_(g):
    x = g.r()
    if x < 0.9:
        return [b'OBJECT', g.case(b'ENCODING'), g.any_key()]
    return g.pick([[b'OBJECT', b'REFCOUNT', g.any_key()], [b'OBJECT', b'IDLETIME', g.any_key()],
                   [b'OBJECT', b'FREQ', g.any_key()], [b'OBJECT', b'NOSUCH', g.any_key()], [b'OBJECT'],
                   [b'OBJECT', b'ENCODING']])


COMMANDS = [
    (6, 'del', keys(b'DEL'), ()),
    (2, 'unlink', keys(b'UNLINK'), ()),
    (3, 'exists', keys(b'EXISTS', 6), ()),
    (2, 'touch', keys(b'TOUCH', 6), ()),
    (3, 'type', one(b'TYPE'), ()),
    (3, 'ttl', one(b'TTL'), ()),
    (3, 'pttl', one(b'PTTL'), ()),
    (1, 'expiretime', one(b'EXPIRETIME'), ()),
    (1, 'pexpiretime', one(b'PEXPIRETIME'), ()),
    (3, 'persist', one(b'PERSIST'), ()),
    (3, 'expire', expire(b'EXPIRE', 'seconds'), ('time',)),
    (2, 'pexpire', expire(b'PEXPIRE', 'millis'), ('time',)),
    (2, 'expireat', expire(b'EXPIREAT', 'at_seconds'), ('time',)),
    (2, 'pexpireat', expire(b'PEXPIREAT', 'at_millis'), ('time',)),
    (2, 'rename', two(b'RENAME'), ()),
    (2, 'renamenx', two(b'RENAMENX'), ()),
    (3, 'copy', copy, ()),
    (1, 'move', lambda g: [b'MOVE', g.any_key(), database(g)], ()),
    (0.5, 'select', lambda g: [b'SELECT', database(g)], ()),
    (1, 'select 0', lambda g: [b'SELECT', b'0'], ()),
    (0.3, 'swapdb', lambda g: [b'SWAPDB', database(g), database(g)], ()),
    (0.05, 'flushdb', lambda g: [b'FLUSHDB'] + g.pick([[], [b'SYNC'], [b'ASYNC']]), ()),
    (0.01, 'flushall', lambda g: [b'FLUSHALL'] + g.pick([[], [b'SYNC'], [b'ASYNC']]), ()),
    (0.5, 'dbsize', lambda g: [b'DBSIZE'], ()),
    (0.5, 'keys', lambda g: [b'KEYS', g.pattern()], ()),
    (1, 'randomkey', lambda g: [b'RANDOMKEY'], ('fixed',)),
    (4, 'object', object_, ()),
    (0.3, 'scan', scan, ('alone',)),
    (0.3, 'scan odd', lambda g: [b'SCAN', g.pick([b'abc', b'-1', b'', b'99999999999999999999', b' 1', b'0x1'])], ()),
    (0.02, 'short life', lambda g: SleepStep([b'PEXPIRE', g.any_key(), b'1']), ('alone',)),
]
