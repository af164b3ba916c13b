"""When are two replies the same? Exactly, except for what Redis leaves open: the order of unordered collections,
random picks, the running clock, and (since 7.0.15 prints 17 digits) how a double is written.

`difference(args, ours, oracle's)` is None or one sentence. Replies are raw tuples of harness.parse; the first
argument is the oracle's reply, the second the peer's."""

from harness import show

UNORDERED = {b'SMEMBERS', b'SINTER', b'SUNION', b'SDIFF', b'KEYS', b'HKEYS', b'HVALS'}
RANDOM = {b'SRANDMEMBER', b'HRANDFIELD', b'ZRANDMEMBER', b'RANDOMKEY'}
CLOCK = {b'TTL': 1, b'PTTL': 2500, b'EXPIRETIME': 1, b'PEXPIRETIME': 2500}
SCANS = {b'SCAN', b'HSCAN', b'SSCAN', b'ZSCAN'}
NO_CONTENT = {b'CLIENT': (b'ID',), b'OBJECT': (b'FREQ', b'IDLETIME'), b'MEMORY': (b'USAGE',)}


def significant_digits(text):
    mantissa = text.lower().split(b'e')[0].lstrip(b'-').replace(b'.', b'')
    return len(mantissa.strip(b'0'))


def whole(text):
    """Is this a whole number that is always written exactly?"""
    try:
        return abs(float(text)) < 1e17 and float(text).is_integer()
    except ValueError:
        return False


def same_double(a, b):
    """Two texts of one double, ours with no more digits; short decimals without an exponent are the same text, and so
    are whole numbers of up to 17 digits."""
    if a is None or b is None or significant_digits(b) > significant_digits(a):
        return False
    if b'e' not in a and b'e' not in b and sum(48 <= c <= 57 for c in a) < 16:
        return False
    if whole(a) and whole(b):
        return False
    try:
        return float(a) == float(b)
    except ValueError:
        return False


def same_with_doubles(a, b):
    if a == b:
        return True
    if a[0] != b[0]:
        return False
    x, y = a[1], b[1]
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(same_with_doubles(p, q) for p, q in zip(x, y))
    if a[0] == ',':
        return same_double(x, y)
    return a[0] == '$' and same_double(x, y)


def sort_key(raw):
    return repr(raw)


def as_pairs(items):
    return sorted(zip(map(sort_key, items[::2]), map(sort_key, items[1::2])))


def both_lists(a, b):
    return a[0] == b[0] and isinstance(a[1], list) and isinstance(b[1], list)


def random_difference(args, a, b):
    """Shape: type, length, nested shape, and distinct members for a positive count."""
    if a[0] != b[0]:
        return 'types differ'
    if not both_lists(a, b):
        return None if (a[1] is None) == (b[1] is None) else 'one is null'
    if len(a[1]) != len(b[1]):
        return f'{len(a[1])} and {len(b[1])} elements'
    if len(args) > 2 and not args[2].startswith(b'-'):
        step = 2 if len(args) > 3 and a[1] and a[1][0][0] != '*' else 1
        if len(args) == 3 or step == 2 or (a[1] and a[1][0][0] == '*'):
            names = [sort_key(x) for x in b[1][::step]]
            if len(set(names)) != len(names):
                return 'a member appears twice'
    for x, y in zip(a[1], b[1]):
        if x[0] != y[0] or (isinstance(x[1], list) and len(x[1]) != len(y[1])):
            return 'elements of different shape'
    return None


def sort_difference(args, a, b):
    """SORT … BY leaves open the order of elements whose weights are equal, or that have none."""
    upper = [x.upper() for x in args]
    if b'BY' in upper and both_lists(a, b):
        if len(a[1]) == len(b[1]) and b'LIMIT' in upper:
            return None
        if sorted(map(sort_key, a[1])) == sorted(map(sort_key, b[1])):
            return None
    elif both_lists(a, b) and ('\\x00' in repr((a, b)) or b'GET' in upper):
        # strcoll sees a text only up to its first zero byte, so such texts may tie.
        if len(a[1]) == len(b[1]) and b'LIMIT' in upper:
            return None
        if sorted(map(sort_key, a[1])) == sorted(map(sort_key, b[1])):
            return None
    return 'replies differ'


def near(a, b):
    """Two integers that may be clock readings."""
    return a[0] == b[0] == ':' and abs(a[1] - b[1]) <= 2500


def pending_difference(a, b):
    """XPENDING with a range: [id, consumer, how long ago, how often]."""
    if both_lists(a, b) and len(a[1]) == len(b[1]):
        if all(both_lists(x, y) and len(x[1]) == len(y[1]) == 4 and x[1][:2] == y[1][:2] and x[1][3] == y[1][3] and
               near(x[1][2], y[1][2]) for x, y in zip(a[1], b[1])):
            return None
    return 'replies differ'


# What XINFO says of a consumer's moments: 7.0.15 has one, of its last success; Redis 7.2 has two.
MOMENTS = {b'idle', b'inactive', b'seen-time', b'active-time'}


def without_moments(raw):
    """A reply of XINFO without what the clock says."""
    kind, items = raw
    if not isinstance(items, list):
        return raw
    if len(items) in (3, 4) and items[0][0] == '$' and items[-1][0] == items[-2][0] == ':':
        return kind, [x for i, x in enumerate(items) if i != len(items) - 2]    # a pending entry's moment
    kept, skip = [], False
    for i, item in enumerate(items):
        if skip:
            skip = False
        elif item[0] == '$' and item[1] in MOMENTS and i + 1 < len(items) and items[i + 1][0] == ':':
            skip = True
        else:
            kept.append(without_moments(item))
    return kind, kept


def difference(args, a, b):
    if a == b:
        return None
    name = args[0].upper() if args else b''
    if name in UNORDERED and both_lists(a, b):
        same = len(a[1]) == len(b[1]) and sorted(map(sort_key, a[1])) == sorted(map(sort_key, b[1]))
        return None if same else 'different elements'
    if (name == b'HGETALL' or name == b'CONFIG') and both_lists(a, b):
        return None if len(a[1]) == len(b[1]) and as_pairs(a[1]) == as_pairs(b[1]) else 'different elements'
    if name == b'COMMAND' and len(args) == 1:
        return None                        # tests/facts_test.py looks at it
    if name in RANDOM:
        return random_difference(args, a, b)
    if name == b'DBSIZE' and a[0] == b[0] == ':' and abs(a[1] - b[1]) <= 20:
        return None                        # keys that are expired but not yet reclaimed count
    if name in CLOCK and a[0] == ':' and b[0] == ':':
        if a[1] > 0 and b[1] > 0 and abs(a[1] - b[1]) <= CLOCK[name]:
            return None
        return 'deadlines differ'
    if name in NO_CONTENT and len(args) > 1 and args[1].upper() in NO_CONTENT[name]:
        return None if a[0] == b[0] and a[0] != '-' else 'types differ'
    if name in SCANS and both_lists(a, b) and len(b[1]) == 2 and a[1][0][0] == b[1][0][0]:
        return None                        # whole scans are compared elsewhere
    if name == b'XPENDING':
        return pending_difference(a, b)
    if name == b'XINFO' and without_moments(a) == without_moments(b):
        return None
    if name in (b'SORT', b'SORT_RO'):
        return sort_difference(args, a, b)
    if (name[:1] == b'Z' or name[:2] == b'BZ') and same_with_doubles(a, b):
        return None
    return 'replies differ'


def exec_difference(queue, a, b):
    """EXEC: every reply by its own command's rules; (index, sentence) or None."""
    if not both_lists(a, b):
        return None if a == b else (-1, 'replies differ')
    if len(a[1]) != len(b[1]):
        return -1, 'numbers of replies differ'
    for i, (x, y) in enumerate(zip(a[1], b[1])):
        if x != y:
            reason = difference(queue[i] if i < len(queue) else [], x, y)
            if reason:
                return i, reason
    return None


__all__ = ['difference', 'exec_difference', 'show']
