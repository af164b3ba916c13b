"""HyperLogLogs, which are strings. They have keys of their own: over a sketch that another command has damaged Redis
goes on with what it can read, where Vitrine refuses."""


def element(g):
    x = g.r()
    if x < 0.4:
        return g.member()
    if x < 0.9:
        return b'e%d' % g.upto(g.hll_elements)
    return g.value()


def key(g):
    return g.pick(g.hll_keys)


def pfadd(g):
    x = g.r()
    n = g.upto(2) if x < 0.1 else g.few(5) if x < 0.9 else g.between(10, 100) if x < 0.99 else g.between(200, 900)
    return [b'PFADD', key(g)] + [element(g) for _ in range(n)]


def pfcount(g):
    names = [key(g) for _ in range(g.few(4))]
    if g.chance(0.02):
        names.append(g.any_key())
    return [b'PFCOUNT'] + names


def pfmerge(g):
    return [b'PFMERGE', key(g)] + [key(g) for _ in range(g.upto(4))]


def pfdebug(g):
    what = g.pick([b'ENCODING', b'ENCODING', b'DECODE', b'DECODE', b'TODENSE', b'GETREG', b'NOSUCH'])
    if what in (b'TODENSE', b'GETREG') and g.chance(0.7):
        what = b'DECODE'
    return [b'PFDEBUG', g.case(what), key(g)]


def wrong_type(g):
    k = key(g)
    make = g.pick([[b'RPUSH', k, b'x'], [b'SET', k, g.value()], [b'SET', k, b'12'], [b'SADD', k, b'x']])
    return [[b'DEL', k], make, [b'PFADD', k] + [element(g) for _ in range(g.upto(3))], [b'PFCOUNT', k],
            [b'PFCOUNT', key(g), k], [b'PFMERGE', k, key(g)], [b'PFMERGE', key(g), k], [b'PFDEBUG', b'DECODE', k],
            [b'DEL', k]]


def runs(g):
    """A valid sparse body as no server would write it: short runs, zeros side by side."""
    left, body = 16384, bytearray()
    longest = g.pick([4, 64, 300, 5000])
    while left:
        kind = g.upto(3)
        if kind == 0:
            n = min(left, g.between(1, 4))
            body.append(0x80 | g.pick([0, 1, 2, 5, 31]) << 2 | n - 1)
        elif kind == 1:
            n = min(left, g.between(1, min(64, longest)))
            body.append(n - 1)
        else:
            n = min(left, g.between(1, longest))
            body += bytes([0x40 | n - 1 >> 8, n - 1 & 255])
        left -= n
    return bytes(body)


def header(g, encoding):
    estimate = g.between(0, 100).to_bytes(8, 'little') if g.chance(0.3) else bytes(7) + b'\x80'
    return b'HYLL' + bytes([encoding]) + g.pick([bytes(3), b'abc']) + estimate


def payload(g):
    """A sketch that no server has made."""
    if g.chance(0.7):
        text = header(g, 1) + runs(g)
    else:
        packed = bytearray(12288)
        for _ in range(g.upto(2000)):
            index, rank = g.upto(16384), g.between(1, 51)
            at, shift = index * 6 // 8, index * 6 % 8
            word = int.from_bytes(packed[at:at + 2], 'little') & ~(63 << shift) | rank << shift
            packed[at:at + 2] = word.to_bytes(2, 'little')[:len(packed) - at]
        text = header(g, 0) + bytes(packed)
    return [b'SET', key(g), text]


def corrupt(g):
    """Damaged ones, as far as both refuse them."""
    # Not cut short: over half a run Redis reads the zero behind the string.
    body = g.pick([b'\x7f\xfe', b'\x20', b'', runs(g) + g.pick([b'\x00', b'\x7f\xff', b'\x80']), b'\x7f\xff\x7f\xff'])
    length = g.pick([12287, 12289, 0])
    text = g.pick([b'HYLL\x01' + bytes(10) + b'\x80' + body, b'HYLL\x01' + bytes(10), b'hyll' + bytes(12) + body,
                   b'HYLL\x00' + bytes(10) + b'\x80' + bytes(length), b'HYLL\x02' + bytes(11) + body])
    k = key(g)
    return [[b'SET', k, text], [b'PFCOUNT', k], [b'PFCOUNT', key(g), k], [b'PFMERGE', key(g), k], [b'PFMERGE', k],
            [b'PFDEBUG', b'ENCODING', k], [b'PFDEBUG', b'TODENSE', k], [b'PFADD', k], [b'DEL', k]]


def other(g):
    k = key(g)
    return g.pick([[b'GET', k], [b'GET', k], [b'STRLEN', k], [b'DEL', k], [b'COPY', k, key(g), b'REPLACE'],
                   [b'RENAME', k, key(g)], [b'OBJECT', b'ENCODING', k], [b'EXPIRE', k, b'100000'], [b'TTL', k],
                   [b'PERSIST', k], [b'GETRANGE', k, b'0', b'15'], [b'PFADD'], [b'PFCOUNT'], [b'PFMERGE'],
                   [b'PFDEBUG', b'GETREG'], [b'TYPE', k]])


COMMANDS = [
    (12, 'pfadd', pfadd, ('fixed',)),
    (5, 'pfcount', pfcount, ()),
    (3, 'pfmerge', pfmerge, ('fixed',)),
    (3, 'pfdebug', pfdebug, ()),
    (0.3, 'pf of another type', wrong_type, ()),
    (0.5, 'sketch made by hand', payload, ('fixed',)),
    (0.3, 'corrupt sketch', corrupt, ('alone',)),
    (4, 'sketch as a string', other, ('fixed',)),
]
