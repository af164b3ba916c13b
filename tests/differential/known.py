"""The differences from Redis 7.0.15 that are right. Each row has a name, the reason (the same sentence stands in
docs/differences.md; tests/differential/selftest.py holds the two together) and a test on (args, oracle, peer)."""

import re
from dataclasses import dataclass
from typing import Callable

from compare import without_moments


@dataclass(frozen=True)
class Known:
    name: str
    reason: str
    matches: Callable


def upper(args, i):
    return args[i].upper() if len(args) > i else b''


def encoding(args):
    return upper(args, 0) == b'OBJECT' and upper(args, 1) == b'ENCODING'


def cut_at_zero(a, b):
    """Redis' error texts quote an argument only up to its first zero byte."""
    return a[0] == b[0] == '-' and b'\x00' in b[1] and re.sub(rb"\x00[^']*", b'', b[1]) == a[1]


def without_counters(raw, names=(b'lag', b'entries-read')):
    """A reply of XINFO without the clock, and without what a group has read and has to read."""
    def mask(raw):
        kind, items = raw
        if not isinstance(items, list):
            return raw
        masked = [i for i, x in enumerate(items[:-1], 1) if x[0] == '$' and x[1] in names]
        return kind, [('?', b'') if i in masked else mask(x) for i, x in enumerate(items)]
    return mask(without_moments(raw))


KNOWN = [
    Known('lua-compiler',
          'What does not compile is described in the words of LuaJIT, which also takes what Lua 5.1 does not.',
          lambda args, a, b: (upper(args, 0).startswith(b'EVAL') or upper(args, 0) == b'SCRIPT') and a[0] == '-' and
          a[1].startswith(b'ERR Error compiling script')),
    Known('list-listpack',
          'OBJECT ENCODING says listpack for a list that fits one packed node (Redis 7.2); 7.0.15 says quicklist.',
          lambda args, a, b: encoding(args) and a == ('$', b'quicklist') and b == ('$', b'listpack')),
    Known('set-listpack',
          'OBJECT ENCODING says listpack for a small set of strings (Redis 7.2); 7.0.15 says hashtable.',
          lambda args, a, b: encoding(args) and a == ('$', b'hashtable') and b == ('$', b'listpack')),
    Known('timeout-out-of-range',
          'A timeout too large for a moment is out of range (Redis 7.2); 7.0.15 calls it negative.',
          lambda args, a, b: a == ('-', b'ERR timeout is negative') and b == ('-', b'ERR timeout is out of range')),
    Known('zero-byte-in-error',
          'Error texts quote an argument whole; Redis stops at its first zero byte.',
          lambda args, a, b: cut_at_zero(a, b)),
    Known('lpos-rank',
          'LPOS refuses the rank -2^63 (Redis 7.2); 7.0.15 negates it into itself.',
          lambda args, a, b: b'-9223372036854775808' in args and b[0] == '-' and b'value must between' in b[1]),
    Known('copied-integer',
          'OBJECT REFCOUNT of a small integer is that of a shared object, even where Redis has made a copy.',
          lambda args, a, b: upper(args, 1) == b'REFCOUNT' and a[0] == b[0] == ':' and int(b[1]) == 2147483647),
    Known('newer-key-flags',
          'COMMAND GETKEYSANDFLAGS says that SINTERSTORE overwrites (Redis 7.2); 7.0.15 says that it reads and writes.',
          lambda args, a, b: upper(args, 1) == b'GETKEYSANDFLAGS' and upper(args, 2) == b'SINTERSTORE' and
          a[0] == b[0] == '*'),
    Known('newer-arity',
          'COMMAND GETKEYS knows that ZRANK and ZREVRANK take WITHSCORE (Redis 7.2); 7.0.15 refuses a third argument.',
          lambda args, a, b: upper(args, 0) == b'COMMAND' and upper(args, 2) in (b'ZRANK', b'ZREVRANK') and
          a[0] == '-' and b'number of arguments' in a[1]),
    Known('zrank-withscore',
          'ZRANK and ZREVRANK take WITHSCORE (Redis 7.2); 7.0.15 refuses a third argument.',
          lambda args, a, b: upper(args, 0) in (b'ZRANK', b'ZREVRANK') and len(args) == 4 and a[0] == '-' and
          b'number of arguments' in a[1] and (b == ('-', b'ERR syntax error') or upper(args, 3) == b'WITHSCORE')),
    Known('sort-subnormal',
          'SORT takes a sorted set whatever its scores are; 7.0.15 fails where a small one holds a subnormal score.',
          lambda args, a, b: upper(args, 0) in (b'SORT', b'SORT_RO') and b[0] in '*:' and
          a == ('-', b"ERR One or more scores can't be converted into double")),
    Known('newer-lag',
          'XINFO tells the lag and the entries read of a group right after deletions (Redis 8); 7.0.15 does not.',
          lambda args, a, b: upper(args, 0) == b'XINFO' and without_counters(a) == without_counters(b)),
    Known('xread-last',
          'XREAD knows the id "+", the last entry (Redis 7.4); 7.0.15 refuses it.',
          lambda args, a, b: upper(args, 0) == b'XREAD' and b'+' in args and
          a == ('-', b'ERR Invalid stream ID specified as stream command argument')),
    Known('newer-policies',
          'The values of maxmemory-policy include those of the least recently modified (Redis 8.6).',
          lambda args, a, b: a[0] == b[0] == '-' and b[1].replace(b'volatile-lrm, ', b'').replace(b'allkeys-lrm, ', b'')
          == a[1]),
    Known('lolwut',
          'LOLWUT draws a picture of its own.',
          lambda args, a, b: upper(args, 0) == b'LOLWUT' and b'Redis ver.' in b[1]),
]


def explain(args, a, b):
    """The row that explains this difference, or None."""
    for row in KNOWN:
        if row.matches(args, a, b):
            return row
    return None
