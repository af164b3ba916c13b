"""Streams and their consumer groups.

Ids are given, not taken from the clock: they follow a counter of the episode, so that XADD mostly succeeds and ranges
mostly hit. Idle times are nothing or far away, so that no reply depends on the speed of the run."""

GROUPS = [b'g', b'g2', b'other']
CONSUMERS = [b'alice', b'bob', b'carol', b'dave', b'']
MOST = b'18446744073709551615'
ODD_IDS = [b'', b'-', b'+', b'$', b'>', b'*', b'(', b'1-', b'-1', b'1-1-1', b'a-1', b'1-a', b'*-1', b'*-*', b'01-1',
           b' 1-1', b'1 -1', b'+5-1', b'1-+1', b'0', b'0-0', b'0-1', b'(0', b'(0-0', b'(-', b'(+', MOST,
           b'18446744073709551616', MOST + b'-' + MOST, b'(' + MOST + b'-' + MOST, b'1-' + MOST,
           b'1-18446744073709551616', b'9223372036854775808-1', b'1\x00', b'1-1\x00', b'0x10', b'1.5', b'1' * 130]
FAR = 100_000_000           # ms


def now(g, step=0):
    """The episode's counter of ids."""
    g.stream_ms = getattr(g, 'stream_ms', 300) + step
    return g.stream_ms


def some_id(g, odd=None):
    """An id that may have been added."""
    if g.r() < (g.odd if odd is None else odd):
        return g.pick(ODD_IDS)
    back = g.upto(8) if g.chance(0.7) else g.upto(200)
    ms = max(0, now(g) - back)
    return b'%d-%d' % (ms, g.upto(3)) if g.chance(0.8) else b'%d' % ms


def bound(g, end):
    x = g.r()
    if x < 0.35:
        return end
    return (b'(' if x < 0.5 else b'') + some_id(g)


def bounds(g):
    return [bound(g, b'-'), bound(g, b'+')]


def trimming(g, short=False):
    args = []
    by_length = g.chance(0.6)
    args.append(g.case(b'MAXLEN' if by_length else b'MINID'))
    x = g.r()
    approximate = x < 0.5
    args += [b'~'] if approximate else [b'='] if x < 0.75 else []
    if by_length:
        args.append(b'%d' % (g.upto(30) if g.chance(0.5) else 20 + g.upto(200)) if g.chance(1 - g.odd) else g.count())
    else:
        args.append(b'%d' % (now(g) - g.upto(100)) if g.chance(0.8) else some_id(g))
    if g.chance(0.3 if approximate else 0.03):
        args += [g.case(b'LIMIT'), g.pick([b'0', b'1', b'5', b'10', b'100', b'1000', b'-1', b'abc'])]
    return args


FIELD_SETS = [[b'name', b'value'], [b'a'], [b'a', b'b', b'c'], [b'temperature', b'humidity', b'place', b'at']]


def pairs(g):
    if g.chance(0.7):
        names = g.pick(FIELD_SETS)
    else:
        names = [g.member() for _ in range(g.few(5))]
    return [a for n in names for a in (n, g.value() if g.chance(0.5) else b'%d' % g.upto(100000))]


def xadd(g):
    args = [b'XADD', g.key('stream')]
    groups = []
    if g.chance(0.1):
        groups.append([g.case(b'NOMKSTREAM')])
    if g.chance(0.15):
        groups.append(trimming(g))
    args += g.shuffled(groups)
    x = g.r()
    if x < 0.001:
        id_ = g.pick(ODD_IDS[1:])
        id_ = b'1-1' if id_ == b'*' else id_
    elif x < 0.04:
        id_ = some_id(g, 0)
    else:
        ms = now(g, g.pick([0, 0, 1, 1, 1, 2, 10]))
        id_ = b'%d-*' % ms if g.chance(0.4) else b'%d' % ms if g.chance(0.3) else b'%d-%d' % (ms, g.upto(4))
    args.append(id_)
    args += pairs(g)
    if g.chance(g.odd / 4):
        args.pop()
    return args


def filled(g):
    """Many entries at once."""
    key = g.key('stream')
    return [[b'XADD', key, b'%d-*' % now(g, g.upto(2))] + pairs(g) for _ in range(g.between(5, 60))]


def xrange(g):
    low, high = bounds(g)
    args = [b'XRANGE', g.key('stream'), low, high] if g.chance(0.5) else [b'XREVRANGE', g.key('stream'), high, low]
    if g.chance(0.4):
        args += [g.case(b'COUNT'), g.count()]
    return args


def ids(g, most=4):
    return [some_id(g, g.odd / 4) for _ in range(g.few(most))]


def xsetid(g):
    # Never behind an id that was deleted: 7.0.15 accepts that, Redis 7.2 does not.
    args = [b'XSETID', g.key('stream'), b'%d-%d' % (now(g), 1000 + g.upto(5))]
    now(g, 1)
    groups = []
    if g.chance(0.4):
        groups.append([g.case(b'ENTRIESADDED'), b'%d' % g.upto(300) if g.chance(0.95) else g.integer()])
    if g.chance(0.4):
        groups.append([g.case(b'MAXDELETEDID'), some_id(g)])
    return args + g.shuffled(groups)


def group_ends(g):
    x = g.r()
    return b'$' if x < 0.3 else b'0' if x < 0.7 else some_id(g)


def entries_read(g):
    return [g.case(b'ENTRIESREAD'), b'%d' % g.upto(100) if g.chance(0.9) else g.pick([b'-1', b'-2', b'abc', b'0'])]


def xgroup(g):
    x, key, group = g.r(), g.key('stream'), g.pick(GROUPS)
    if x < 0.4:
        args = [b'XGROUP', g.case(b'CREATE'), key, group, group_ends(g)]
        groups = []
        if g.chance(0.3):
            groups.append([g.case(b'MKSTREAM')])
        if g.chance(0.2):
            groups.append(entries_read(g))
        return args + g.shuffled(groups)
    if x < 0.55:
        args = [b'XGROUP', g.case(b'SETID'), key, group, group_ends(g)]
        return args + (entries_read(g) if g.chance(0.3) else [])
    if x < 0.65:
        return [b'XGROUP', g.case(b'DESTROY'), key, group]
    if x < 0.85:
        return [b'XGROUP', g.case(b'CREATECONSUMER'), key, group, g.pick(CONSUMERS)]
    if x < 0.98:
        return [b'XGROUP', g.case(b'DELCONSUMER'), key, group, g.pick(CONSUMERS)]
    return g.pick([[b'XGROUP'], [b'XGROUP', b'NOSUCH', key, group], [b'XGROUP', b'CREATE', key],
                   [b'XGROUP', b'DESTROY', key], [b'XGROUP', b'SETID', key, group, b'0', b'MKSTREAM'],
                   [b'XGROUP', b'CREATE', key, group, b'0', b'ENTRIESREAD']])


def xinfo(g):
    x, key = g.r(), g.key('stream')
    if x < 0.3:
        return [b'XINFO', g.case(b'STREAM'), key]
    if x < 0.5:
        return [b'XINFO', g.case(b'STREAM'), key, g.case(b'FULL')] + count(g)
    if x < 0.75:
        return [b'XINFO', g.case(b'GROUPS'), key]
    if x < 0.98:
        return [b'XINFO', g.case(b'CONSUMERS'), key, g.pick(GROUPS)]
    return g.pick([[b'XINFO'], [b'XINFO', b'STREAM', key, b'FUL'], [b'XINFO', b'STREAM', key, b'FULL', b'COUNT'],
                   [b'XINFO', b'NOSUCH', key], [b'XINFO', b'STREAM', key, b'FULL', b'COUNT', b'1', b'2']])


def count(g):
    return [g.case(b'COUNT'), g.count()] if g.chance(0.5) else []


def xread(g):
    n = g.few(3)
    options = [count(g)]
    if g.chance(g.odd):
        options.append(g.pick([[b'GROUP', b'g', b'c'], [b'NOACK'], [b'BLOCK', b'-1'], [b'BLOCK', b'abc']]))
    read_ids = [g.pick([b'0', b'$']) if g.chance(0.3) else some_id(g) for _ in range(n)]
    if g.chance(g.odd):
        read_ids.pop()
    # "+" is the last entry since Redis 7.4.
    read_ids = [b'0' if i == b'+' else i for i in read_ids]
    return [b'XREAD', *g.shuffled(options), g.case(b'STREAMS'), *[g.key('stream') for _ in range(n)], *read_ids]


def xread_blocking(g):
    made = xread(g)
    return [b'XREAD', b'BLOCK', b'1'] + made[1:]


def with_consumer(keys, group, consumer, args):
    """7.0.15 creates the consumer only when it gets something, Redis 7.2 always: so it is made before."""
    return [[b'XGROUP', b'CREATECONSUMER', key, group, consumer] for key in keys] + [args]


def xreadgroup(g):
    n = g.few(2)
    group, consumer = g.pick(GROUPS), g.pick(CONSUMERS)
    options = [[g.case(b'GROUP'), group, consumer], count(g)]
    if g.chance(0.1):
        options.append([g.case(b'NOACK')])
    if g.chance(g.odd):
        options.append(g.pick([[b'BLOCK', b'-1'], [b'BLOCK', b'abc']]))
    if g.chance(g.odd):
        del options[0]
    read_ids = [b'>' if g.chance(0.75) else b'0' if g.chance(0.5) else some_id(g) for _ in range(n)]
    read_ids = [b'0' if i == b'+' else i for i in read_ids]
    keys = [g.key('stream') for _ in range(n)]
    made = [b'XREADGROUP', *g.shuffled(options), g.case(b'STREAMS'), *keys, *read_ids]
    return with_consumer(keys, group, consumer, made)


def xack(g):
    return [b'XACK', g.key('stream'), g.pick(GROUPS)] + ids(g, 6)


def min_idle(g):
    if g.chance(g.odd / 4):
        return g.pick([b'abc', b''])
    return g.pick([b'0', b'0', b'0', b'%d' % FAR, b'-1', b'%d' % (2 * FAR)])


def xpending(g):
    args = [b'XPENDING', g.key('stream'), g.pick(GROUPS)]
    if g.chance(0.3):
        return args
    if g.chance(0.3):
        args += [g.case(b'IDLE'), min_idle(g)]
    args += bounds(g) + [g.count()]
    if g.chance(0.3):
        args.append(g.pick(CONSUMERS))
    if g.chance(g.odd):
        args.append(g.pick([b'x', b'1']))
    if g.chance(g.odd):
        args.pop()
    return args


def xclaim(g):
    args = [b'XCLAIM', g.key('stream'), g.pick(GROUPS), g.pick(CONSUMERS), min_idle(g)] + ids(g, 6)
    groups = []
    if g.chance(0.2):
        groups.append([g.case(b'IDLE'), g.pick([b'%d' % FAR, b'%d' % (2 * FAR), b'0', b'-1', b'abc'])])
    if g.chance(0.1):
        groups.append([g.case(b'TIME'), g.pick([b'1', b'1000', b'-5', b'9223372036854775807', b'abc'])])
    if g.chance(0.3):
        groups.append([g.case(b'RETRYCOUNT'), b'%d' % g.upto(10) if g.chance(0.9) else g.integer()])
    if g.chance(0.3):
        groups.append([g.case(b'FORCE')])
    if g.chance(0.3):
        groups.append([g.case(b'JUSTID')])
    if g.chance(0.1):
        groups.append([g.case(b'LASTID'), some_id(g)])
    if g.chance(g.odd):
        groups.append([g.pick([b'NOSUCH', b'IDLE', b'LASTID', b''])])
    return with_consumer(args[1:2], args[2], args[3], args + g.shuffled(groups))


def xautoclaim(g):
    args = [b'XAUTOCLAIM', g.key('stream'), g.pick(GROUPS), g.pick(CONSUMERS), min_idle(g), bound(g, b'-')]
    groups = []
    if g.chance(0.5):
        groups.append([g.case(b'COUNT'), g.pick([b'1', b'2', b'5', b'20']) if g.chance(0.9) else g.count()])
    if g.chance(0.3):
        groups.append([g.case(b'JUSTID')])
    if g.chance(g.odd):
        groups.append([g.pick([b'NOSUCH', b'COUNT', b''])])
    return with_consumer(args[1:2], args[2], args[3], args + g.shuffled(groups))


COMMANDS = [
    (14, 'xadd', xadd, ()),
    (1, 'filled', filled, ()),
    (2, 'xlen', lambda g: [b'XLEN', g.key('stream')], ()),
    (5, 'xrange', xrange, ()),
    (1, 'xrange all', lambda g: [b'XRANGE', g.key('stream'), b'-', b'+'], ()),
    (4, 'xdel', lambda g: [b'XDEL', g.key('stream')] + ids(g, 6), ()),
    (1.5, 'xtrim', lambda g: [b'XTRIM', g.key('stream')] + trimming(g), ()),
    (0.5, 'xsetid', xsetid, ('fixed',)),
    (4, 'xgroup', xgroup, ()),
    (3, 'xinfo', xinfo, ()),
    (3, 'xread', xread, ()),
    (0.02, 'xread block', xread_blocking, ('fixed',)),
    (7, 'xreadgroup', xreadgroup, ()),
    (4, 'xack', xack, ()),
    (3, 'xpending', xpending, ('fixed',)),
    (3, 'xclaim', xclaim, ('fixed',)),
    (2, 'xautoclaim', xautoclaim, ('fixed',)),
]
