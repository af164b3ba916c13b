"""The differences from Redis 7.0.15 that are right. Each row has a name, the reason (the same sentence stands in
docs/differences.md; tests/differential/selftest.py holds the two together) and a test on (args, oracle, peer)."""

from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Known:
    name: str
    reason: str
    matches: Callable


def upper(args, i):
    return args[i].upper() if len(args) > i else b''


def encoding(args):
    return upper(args, 0) == b'OBJECT' and upper(args, 1) == b'ENCODING'


KNOWN = [
    Known('list-listpack',
          'OBJECT ENCODING says listpack for a list that fits one packed node (Redis 7.2); 7.0.15 says quicklist.',
          lambda args, a, b: encoding(args) and a == ('$', b'quicklist') and b == ('$', b'listpack')),
    Known('set-listpack',
          'OBJECT ENCODING says listpack for a small set of strings (Redis 7.2); 7.0.15 says hashtable.',
          lambda args, a, b: encoding(args) and a == ('$', b'hashtable') and b == ('$', b'listpack')),
]


def explain(args, a, b):
    """The row that explains this difference, or None."""
    for row in KNOWN:
        if row.matches(args, a, b):
            return row
    return None
