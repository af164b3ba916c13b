"""SORT and SORT_RO."""


def source(g):
    return g.key(g.pick(['list', 'list', 'set', 'zset', 'string']))


def sort(name, store):
    def make(g):
        args = [name, source(g)]
        groups = []
        stored = store and g.chance(0.3)
        if not stored and g.chance(0.4):       # equal weights leave the order open: never stored
            groups.append([g.case(b'BY'), g.pick([b't*', b'nosort', b'h*->m1', b'h*->a', b'missing_*', b'*', b't1', b'*->',
                                                    b'h*->*'])])
        if g.chance(0.3):
            groups.append(limit(g))
        for _ in range(g.upto(3)):
            groups.append([g.case(b'GET'), g.pick([b'#', b't*', b'h*->m1', b'h*->', b'missing', b'*', b'h0->m1', b's*'])])
        if g.chance(0.4):
            groups.append([g.case(g.pick([b'ASC', b'DESC']))])
        if g.chance(0.7) and (not stored or args[1][:1] == b'l'):
            groups.append([g.case(b'ALPHA')])
        if stored:
            groups.append([g.case(b'STORE'), g.key('list')])
        return args + g.shuffled(groups)
    return make


def limit(g):
    return [g.case(b'LIMIT'), b'%d' % (g.upto(8) - 2), b'%d' % (g.upto(12) - 2)]


def numbers(g):
    return [b'RPUSH', g.key('list')] + [b'%d' % g.upto(50) for _ in range(g.few(8))]


COMMANDS = [
    (4, 'sort', sort(b'SORT', True), ('fixed',)),
    (2, 'sort_ro', sort(b'SORT_RO', False), ()),
    (2, 'numbers', numbers, ()),
]
