"""Bitmaps and bit fields, over strings."""

OFFSETS = [b'0', b'1', b'7', b'8', b'9', b'15', b'16', b'31', b'63', b'64', b'65', b'100', b'127', b'128', b'511',
           b'1000', b'4096', b'40000']


def offset(g):
    return g.pick(OFFSETS) if g.chance(0.8) else str(g.upto(3000)).encode()


def bit(g):
    return g.pick([b'0', b'1'])


def span(g):
    args = []
    if g.chance(0.7):
        args += [g.index(), g.index()]
        if g.chance(0.5):
            args.append(g.case(g.pick([b'BIT', b'BYTE'])))
    return args


def bitpos(g):
    tail = span(g)
    return [b'BITPOS', g.key('string'), bit(g)] + (tail[:1] if g.chance(0.2) else tail)


def bitop(g):
    operation = g.case(g.pick([b'AND', b'OR', b'XOR', b'NOT']))
    count = 1 if operation.upper() == b'NOT' and g.chance(0.9) else g.few(4)
    return [b'BITOP', operation, g.key('string')] + [g.key('string') for _ in range(count)]


def width(g):
    bits = g.pick([1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 24, 31, 32, 33, 48, 62, 63, 64])
    return g.pick([b'i', b'u']) + str(bits).encode()


def field_offset(g):
    return b'#' + str(g.upto(20)).encode() if g.chance(0.3) else offset(g)


def number(g):
    return g.pick([b'0', b'1', b'-1', b'2', b'7', b'-8', b'100', b'255', b'-129', b'65536', b'9223372036854775807',
                   b'-9223372036854775808', b'4294967295', b'-4294967296'])


def bitfield(g):
    args = [b'BITFIELD', g.key('string')]
    for _ in range(g.few(5)):
        x = g.r()
        if x < 0.3:
            args += [g.case(b'GET'), width(g), field_offset(g)]
        elif x < 0.6:
            args += [g.case(b'SET'), width(g), field_offset(g), number(g)]
        elif x < 0.85:
            args += [g.case(b'INCRBY'), width(g), field_offset(g), number(g)]
        else:
            args += [g.case(b'OVERFLOW'), g.case(g.pick([b'WRAP', b'SAT', b'FAIL']))]
    return args


def bitfield_ro(g):
    args = [b'BITFIELD_RO', g.key('string')]
    for _ in range(g.few(4)):
        args += [g.case(b'GET'), width(g), field_offset(g)]
    return args


COMMANDS = [
    (6, 'setbit', lambda g: [b'SETBIT', g.key('string'), offset(g), bit(g)], ()),
    (4, 'getbit', lambda g: [b'GETBIT', g.key('string'), offset(g)], ()),
    (5, 'bitcount', lambda g: [b'BITCOUNT', g.key('string')] + span(g), ()),
    (5, 'bitpos', bitpos, ()),
    (4, 'bitop', bitop, ()),
    (6, 'bitfield', bitfield, ()),
    (2, 'bitfield_ro', bitfield_ro, ()),
]
