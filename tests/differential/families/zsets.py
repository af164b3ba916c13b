"""Sorted sets."""
from gen import ScanStep
from families.hashes import scan_options
from families.lists import timeout


def zadd(g):
    args = [b'ZADD', g.key('zset')]
    flags = []
    if g.chance(0.4):
        for flag, p in ((b'NX', .2), (b'XX', .2), (b'GT', .2), (b'LT', .2), (b'CH', .4)):
            if g.chance(p):
                flags.append([g.case(flag)])
        if g.chance(0.15):
            flags.append([g.case(b'INCR')])
    n = g.few(6) if g.chance(0.98) else g.between(50, 200)
    if [b'INCR'] in flags and g.chance(0.9):
        n = 1
    same = g.score() if g.chance(0.3) else None
    return args + g.shuffled(flags) + [a for _ in range(n) for a in (same or g.score(), g.member())]


def members(name):
    def make(g):
        return [name, g.key('zset')] + [g.member() for _ in range(g.few(6))]
    return make


def limit(g):
    return [g.case(b'LIMIT'), g.index(), g.index()]


def with_scores(g, p=0.5):
    return [g.case(b'WITHSCORES')] if g.chance(p) else []


def by_score(name, reverse):
    def make(g):
        low, high = g.score_range()
        args = [name, g.key('zset')] + ([high, low] if reverse else [low, high])
        return args + g.shuffled([with_scores(g), limit(g) if g.chance(0.4) else []])
    return make


def by_lex(name, reverse):
    def make(g):
        low, high = g.lex_range()
        return [name, lex_key(g)] + ([high, low] if reverse else [low, high]) + (limit(g) if g.chance(0.4) else [])
    return make


def lex_key(g):
    return g.pick(g.lex_keys) if g.chance(0.97) else b'never'


def range_by_lex(g, store):
    low, high = g.lex_range()
    options = [[g.case(b'BYLEX')]]
    if g.chance(0.4):
        low, high = high, low
        options.append([g.case(b'REV')])
    if g.chance(0.3):
        options.append(limit(g))
    if not store and g.chance(0.03):
        options.append([g.case(b'WITHSCORES')])
    head = [b'ZRANGESTORE', lex_key(g)] if store else [b'ZRANGE']
    return head + [lex_key(g), low, high] + g.shuffled(options)


def lex_other(g):
    """Other lives of the keys for lexicographic commands: never another score."""
    key = lex_key(g)
    return g.pick([[b'DEL', key], [b'SET', key, b'text'], [b'ZREM', key, g.member()], [b'ZRANGE', key, b'0', b'-1'],
                   [b'ZREM', key, g.member()], [b'ZPOPMIN', key], [b'ZCARD', key], [b'ZRANK', key, g.member()],
                   [b'RENAME', key, lex_key(g)], [b'COPY', key, lex_key(g)], [b'OBJECT', b'ENCODING', key],
                   [b'ZADD', key, b'INCR', b'0', g.member()], [b'ZREVRANK', key, g.member()]])


def range_tail(g, scores):
    rev = g.chance(0.4)
    options = [[g.case(b'REV')]] if rev else []
    by_rank_ = g.chance(0.4)
    if by_rank_:
        ends = [g.index(), g.index()]
    else:
        low, high = g.score_range()
        ends = [high, low] if rev else [low, high]
        options.append([g.case(b'BYSCORE')])
    if g.chance(0.02 if by_rank_ else 0.3):
        options.append(limit(g))
    if scores and g.chance(0.5):
        options.append([g.case(b'WITHSCORES')])
    return ends + g.shuffled(options)


def by_rank(name):
    return lambda g: [name, g.key('zset'), g.index(), g.index()] + with_scores(g)


def combine(name, store, weights=True, scores=True):
    def make(g):
        names = [g.key('zset') if g.chance(0.85) else g.key('set') for _ in range(g.few(4))]
        n = b'%d' % len(names) if g.chance(0.95) else g.pick([b'0', b'-1', b'1', b'3', b'abc', b'1000'])
        args = [name] + ([g.key('zset')] if store else []) + [n] + names
        groups = []
        if weights and g.chance(0.4):
            groups.append([g.case(b'WEIGHTS')] + [g.score() for _ in names])
        if weights and g.chance(0.4):
            groups.append([g.case(b'AGGREGATE'), g.case(g.pick([b'SUM', b'MIN', b'MAX', b'SUM', b'AVG']))])
        if scores and not store:
            groups.append(with_scores(g))
        return args + g.shuffled(groups)
    return make


def zintercard(g):
    names = [g.key('zset') if g.chance(0.85) else g.key('set') for _ in range(g.few(4))]
    n = b'%d' % len(names) if g.chance(0.95) else g.pick([b'0', b'-1', b'1', b'3', b'abc', b'1000'])
    args = [b'ZINTERCARD', n] + names
    return args + [g.case(b'LIMIT'), g.count()] if g.chance(0.4) else args


def pop(name):
    def make(g):
        args = [name, g.key('zset')]
        return args + [g.count()] if g.chance(0.5) else args
    return make


def zmpop(g):
    names = [g.key('zset') for _ in range(g.few(4))]
    n = b'%d' % len(names) if g.chance(0.95) else g.pick([b'0', b'-1', b'1', b'3', b'abc'])
    args = [b'ZMPOP', n] + names + [g.case(g.pick([b'MIN', b'MAX']))]
    return args + [g.case(b'COUNT'), g.count()] if g.chance(0.5) else args


def bzmpop(g):
    return [b'BZMPOP', timeout(g)] + zmpop(g)[1:]


def blocking_pop(name):
    return lambda g: [name] + [g.key('zset') for _ in range(g.few(3))] + [timeout(g)]


def zrandmember(g):
    args = [b'ZRANDMEMBER', g.key('zset')]
    if g.chance(0.7):
        args.append(g.signed_count())
        args += with_scores(g)
    return args


def lex_members(g):
    """Many members of one score: what the lexicographic commands are made for."""
    return [b'ZADD', lex_key(g)] + [a for _ in range(g.few(8)) for a in (b'0', g.member())]


COMMANDS = [
    (10, 'zadd', zadd, ()),
    (4, 'zadd lex', lex_members, ('fixed',)),
    (2, 'lex other', lex_other, ('fixed',)),
    (2, 'zrange bylex', lambda g: range_by_lex(g, False), ()),
    (1, 'zrangestore bylex', lambda g: range_by_lex(g, True), ('fixed',)),
    (4, 'zrem', members(b'ZREM'), ()),
    (3, 'zincrby', lambda g: [b'ZINCRBY', g.key('zset'), g.score(), g.member()], ()),
    (2, 'zcard', lambda g: [b'ZCARD', g.key('zset')], ()),
    (3, 'zscore', lambda g: [b'ZSCORE', g.key('zset'), g.member()], ()),
    (2, 'zmscore', members(b'ZMSCORE'), ()),
    # A third argument, which Redis 7.0 refuses, would abort its transaction.
    (2, 'zrank', lambda g: [b'ZRANK', g.key('zset'), g.member()], ('alone',)),
    (2, 'zrevrank', lambda g: [b'ZREVRANK', g.key('zset'), g.member()], ('alone',)),
    (2, 'zcount', lambda g: [b'ZCOUNT', g.key('zset'), *g.score_range()], ()),
    (2, 'zlexcount', lambda g: [b'ZLEXCOUNT', lex_key(g), *g.lex_range()], ()),
    (5, 'zrange', lambda g: [b'ZRANGE', g.key('zset')] + range_tail(g, True), ()),
    (1, 'zrange all', lambda g: [b'ZRANGE', g.key('zset'), b'0', b'-1'] + with_scores(g), ()),
    (2, 'zrangestore', lambda g: [b'ZRANGESTORE', g.key('zset'), g.key('zset')] + range_tail(g, False), ()),
    (1, 'zrevrange', by_rank(b'ZREVRANGE'), ()),
    (2, 'zrangebyscore', by_score(b'ZRANGEBYSCORE', False), ()),
    (2, 'zrevrangebyscore', by_score(b'ZREVRANGEBYSCORE', True), ()),
    (2, 'zrangebylex', by_lex(b'ZRANGEBYLEX', False), ()),
    (2, 'zrevrangebylex', by_lex(b'ZREVRANGEBYLEX', True), ()),
    (1, 'zremrangebyrank', lambda g: [b'ZREMRANGEBYRANK', g.key('zset'), g.index(), g.index()], ()),
    (1, 'zremrangebyscore', lambda g: [b'ZREMRANGEBYSCORE', g.key('zset'), *g.score_range()], ()),
    (1, 'zremrangebylex', lambda g: [b'ZREMRANGEBYLEX', lex_key(g), *g.lex_range()], ()),
    (2, 'zunion', combine(b'ZUNION', False), ()),
    (2, 'zinter', combine(b'ZINTER', False), ()),
    (2, 'zdiff', combine(b'ZDIFF', False, weights=False), ()),
    (1, 'zunionstore', combine(b'ZUNIONSTORE', True), ()),
    (1, 'zinterstore', combine(b'ZINTERSTORE', True), ()),
    (1, 'zdiffstore', combine(b'ZDIFFSTORE', True, weights=False), ()),
    (2, 'zintercard', zintercard, ()),
    (2, 'zpopmin', pop(b'ZPOPMIN'), ()),
    (2, 'zpopmax', pop(b'ZPOPMAX'), ()),
    (2, 'zmpop', zmpop, ()),
    (0.02, 'bzpopmin', blocking_pop(b'BZPOPMIN'), ('fixed',)),
    (0.02, 'bzpopmax', blocking_pop(b'BZPOPMAX'), ('fixed',)),
    (0.02, 'bzmpop', bzmpop, ('fixed',)),
    (2, 'zrandmember', zrandmember, ('fixed',)),
    (0.3, 'zscan', lambda g: ScanStep([b'ZSCAN', g.key('zset')] + scan_options(g)), ('alone',)),
]
