"""Geo indexes, which are sorted sets. Members have places of their own, so that no two are equally far from a point:
then Redis' order is open. Areas do not reach over the poles, where Redis 7.0.15 misses members."""

UNITS = [b'm', b'km', b'ft', b'mi', b'KM', b'M']
ODD = [b'abc', b'', b'-1', b'1e400', b'181', b'-86', b'nan', b'inf']


def key(g):
    return g.pick(g.geo_keys)


def spread(g):
    """How far from the middle the members of this episode are, in degrees."""
    return g.geo_spread


def place(g, member):
    """One of three places of a member; or any, for the centre of a search."""
    lon0, lat0 = g.geo_center
    if member is None:
        x, y = g.rng.random(), g.rng.random()
    else:
        n = member * 3 + g.upto(3)
        x, y = n * 0.6180339887498949 % 1, n * 0.7548776662466927 % 1
    lon = lon0 + (2 * x - 1) * spread(g)
    lat = max(-66.0, min(66.0, lat0 + (2 * y - 1) * spread(g)))
    return (lon + 180) % 360 - 180, lat


def point(g, member=None):
    lon, lat = place(g, member)
    if g.chance(g.odd / 4):
        return [g.pick(ODD), b'%r' % lat]
    return [repr(lon).encode(), repr(lat).encode()]


def member(g):
    return g.upto(g.geo_members)


def name(n):
    return b'm%d' % n if n % 5 else b'%d' % n


def geoadd(g):
    args = [b'GEOADD', key(g)]
    options = [[g.case(word)] for word, p in ((b'NX', .1), (b'XX', .1), (b'CH', .3)) if g.chance(p)]
    args += g.shuffled(options)
    for _ in range(g.few(6) if g.chance(0.95) else g.between(20, 120)):
        n = member(g)
        args += point(g, n) + [name(n)]
    return args


def unit(g):
    return g.pick(UNITS) if g.chance(0.97) else b'xx'


def length(g):
    """A length and its unit, up to about a quarter of the way to a pole."""
    metres = g.geo_spread * 111000 * g.pick([0.01, 0.1, 0.3, 1, 2]) * g.rng.random()
    u = unit(g)
    number = min(metres, 2000000) / {b'km': 1000, b'ft': 0.3048, b'mi': 1609.34}.get(u.lower(), 1)
    return (g.pick(ODD[:4]) if g.chance(g.odd / 4) else b'%.6f' % number), u


def order(g):
    options = []
    if g.chance(0.5):
        options.append([g.case(g.pick([b'ASC', b'DESC']))])
    if g.chance(0.3):
        options.append([g.case(b'COUNT'), g.pick([b'1', b'2', b'5', b'100', b'0', b'-1', b'x'])]
                       + ([g.case(b'ANY')] if g.chance(0.3) else []))
    if g.chance(0.01):
        options.append([b'ANY'])
    return options


def showing(g):
    return [[g.case(word)] for word in (b'WITHDIST', b'WITHCOORD', b'WITHHASH') if g.chance(0.3)]


def storing(g):
    return [[g.case(g.pick([b'STORE', b'STOREDIST'])), key(g)]] if g.chance(0.3) else []


def radius(command, by_member, store):
    def make(g):
        source = [name(member(g))] if by_member else point(g)
        options = order(g) + (storing(g) if store else [])
        if len(options) < 3 or g.chance(0.05):
            options += showing(g)
        return [command, key(g)] + source + list(length(g)) + g.shuffled(options)
    return make


def search(command, store):
    def make(g):
        start = [g.case(b'FROMMEMBER'), name(member(g))] if g.chance(0.4) else [g.case(b'FROMLONLAT')] + point(g)
        r, u = length(g)
        if g.chance(0.5):
            area = [g.case(b'BYRADIUS'), r, u]
        else:
            area = [g.case(b'BYBOX'), r, length(g)[0], u]
        options = [start, area] + order(g)
        if store:
            options += [[g.case(b'STOREDIST')]] if g.chance(0.3) else []
        options += showing(g) if not store or g.chance(0.03) else []
        if g.chance(0.02):
            options.pop(g.upto(2))
        if g.chance(0.02):
            options.append(g.pick([[b'FROMMEMBER', name(member(g))], [b'BYRADIUS', b'1', b'km'], [b'FROMMEMBER'],
                                   [b'BYBOX', b'1', b'1', b'm'], [b'STORE', key(g)], [b'FROMLONLAT', b'1', b'2']]))
        return [command] + ([key(g)] if store else []) + [key(g)] + g.shuffled(options)
    return make


def geodist(g):
    args = [b'GEODIST', key(g), name(member(g)), name(member(g))]
    return args + ([unit(g)] if g.chance(0.5) else [])


def members(command):
    return lambda g: [command, key(g)] + [name(member(g)) for _ in range(g.upto(5))]


def wrong_type(g):
    k = key(g)
    return [[b'DEL', k], [b'SET', k, b'x'], [b'GEOADD', k] + point(g) + [b'a'], [b'GEOPOS', k, b'a'],
            [b'GEODIST', k, b'a', b'b'], search(b'GEOSEARCH', False)(g)[:1] + [k] + search(b'GEOSEARCH', False)(g)[2:],
            [b'GEOSEARCHSTORE', k, k, b'FROMLONLAT', b'1', b'1', b'BYRADIUS', b'1', b'm'], [b'DEL', k]]


def other(g):
    k = key(g)
    return g.pick([[b'ZRANGE', k, b'0', b'-1', b'WITHSCORES'], [b'ZCARD', k], [b'ZSCORE', k, name(member(g))],
                   [b'DEL', k], [b'ZREM', k, name(member(g))], [b'OBJECT', b'ENCODING', k], [b'TYPE', k],
                   [b'EXISTS', k]])


COMMANDS = [
    (8, 'geoadd', geoadd, ('fixed',)),
    (2, 'geodist', geodist, ()),
    (2, 'geopos', members(b'GEOPOS'), ()),
    (2, 'geohash', members(b'GEOHASH'), ()),
    (6, 'geosearch', search(b'GEOSEARCH', False), ('fixed',)),
    (2, 'geosearchstore', search(b'GEOSEARCHSTORE', True), ('fixed',)),
    (2, 'georadius', radius(b'GEORADIUS', False, True), ('fixed',)),
    (1, 'georadius_ro', radius(b'GEORADIUS_RO', False, False), ('fixed',)),
    (2, 'georadiusbymember', radius(b'GEORADIUSBYMEMBER', True, True), ('fixed',)),
    (1, 'georadiusbymember_ro', radius(b'GEORADIUSBYMEMBER_RO', True, False), ('fixed',)),
    (0.2, 'geo of another type', wrong_type, ('alone',)),
    (3, 'geo index as a sorted set', other, ('fixed',)),
]
