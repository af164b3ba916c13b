#!/usr/bin/python3
"""Loads Debian's package index into a server and compares every answer with one computed from the dump.

  examples/packages/test.py [--peer vitrine|oracle]     VITRINE_SERVER names another server binary
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / 'tests')]

import harness                                                # noqa: E402
from load import HASH_FIELDS, commands                        # noqa: E402
from package_index import dump, records, relations, tags      # noqa: E402
from questions import QUESTIONS, answer                       # noqa: E402


class Index:
    """The same questions answered by plain Python."""

    def __init__(self, packages):
        self.packages = packages
        self.by_name = {p['name']: p for p in packages}

    def where(self, **fields):
        return {p['name'] for p in self.packages if all(p[k] == v for k, v in fields.items())}

    def needing(self, name):
        return {p['name'] for p in self.packages if name in p['needs']}

    def tagged(self, tag):
        return {p['name'] for p in self.packages if tag in p['tags']}

    def sized(self, field, names=None):
        """(size, name) in the order of a sorted set: ties by the bytes of the name."""
        chosen = self.packages if names is None else [self.by_name[n] for n in names]
        return sorted(((p[field], p['name'].encode()) for p in chosen))

    def top(self, counts, n):
        """The n highest of a counter as lines: member, score."""
        order = sorted(((count, name.encode()) for name, count in counts.items()), reverse=True)
        return [line for count, name in order[:n] for line in (name.decode(), str(count))]


def expected(ix):
    """What every question must answer; a set where the order is open."""
    def count(f):
        return collections.Counter(x for p in ix.packages for x in f(p))

    def pairs(order):
        return [line for size, name in order for line in (name.decode(), str(size))]

    def names(order):
        return [name.decode() for _, name in order]

    by_installed = ix.sized('installed_kb')
    tools = ix.by_name.get('redis-tools', {})
    base = ix.where(priority='required') | ix.where(priority='important')
    arcade = ix.where(section='games') & ix.tagged('uitoolkit::sdl') & ix.tagged('game::arcade')
    listed = [p['name'] for p in ix.packages]
    return {
        'count': [str(len(ix.packages))],
        'sections': ix.top(count(lambda p: [p['section']]), 5),
        'largest_games': pairs(ix.sized('installed_kb', ix.where(section='games'))[::-1][:10]),
        'largest_database': pairs(ix.sized('installed_kb', ix.where(section='database'))[::-1][:5]),
        'huge': names(e for e in by_installed if e[0] > 1048576),
        'tiny': [str(sum(p['download_bytes'] < 4096 for p in ix.packages))],
        'smallest': names(ix.sized('download_bytes')[100:105]),
        'needed': ix.top(count(lambda p: p['needs']), 5),
        'needs_libc6': [str(len(ix.needing('libc6')))],
        'ssl_and_systemd': ix.needing('libssl3') & ix.needing('libsystemd0'),
        'python_databases': ix.where(section='database') & ix.needing('python3'),
        'net_without_libc6': [str(len(ix.where(section='net') - ix.needing('libc6')))],
        'required_shells': base & ix.where(section='shells'),
        'games_with_sdl': [str(len(arcade))],
        'maintainers': ix.top(count(lambda p: [p['maintainer']]), 3),
        'begins_with': sorted(n for n in listed if n.startswith('redis')),
        'redis_tools': [str(tools.get(f, '')) for f in
                        ('section', 'priority', 'installed_kb', 'nothing', 'description')],
        'rank_of_bash': [str(by_installed[::-1].index((ix.by_name['bash']['installed_kb'], b'bash')))],
        'is_needed': [str(int('zlib1g' in ix.by_name.get(n, {}).get('needs', ()))) for n in ('git', 'vim', 'bash')],
        'position': [str(listed.index('bash'))],
    }


def compare(name, got, want):
    if isinstance(want, set):
        got, want = sorted(line for line in got if line), sorted(want)
    want = want or ['']                                   # redis-cli prints an empty line for an empty array
    if (got or ['']) == want:
        return None
    return f'{name}: {got[:12]} instead of {want[:12]}'


def load(server, packages):
    """Through redis-cli --pipe; a complaint or None."""
    data = list(commands(packages))
    done = subprocess.run(['redis-cli', '-p', str(server.port), '--pipe'], input=b''.join(data), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300)
    found = re.search(rb'errors: (\d+), replies: (\d+)', done.stdout)
    if not found or (int(found[1]), int(found[2])) != (0, len(data)):
        return f'load: {done.stdout.decode(errors="replace")[-300:]!r}, wanted {len(data)} replies'
    return None


def every_hash(client, ix, step):
    """Every step-th package's hash, as loaded."""
    chosen = ix.packages[::step]
    for start in range(0, len(chosen), 500):
        part = chosen[start:start + 500]
        for p, reply in zip(part, client.pipeline([('HGETALL', 'pkg:' + p['name']) for p in part])):
            want = {f.encode(): str(p[f]).encode() for f in HASH_FIELDS if p[f] != ''}
            if dict(zip(reply[::2], reply[1::2])) != want:
                return f"hash: pkg:{p['name']} holds {reply!r:.300}"
    return None


def every_section(client, ix):
    sections = collections.defaultdict(set)
    for p in ix.packages:
        sections[p['section']].add(p['name'].encode())
    if set(client.ok('SMEMBERS', 'sections')) != {s.encode() for s in sections}:
        return 'sections: not the sections of the index'
    for section, names in sections.items():
        if set(client.ok('SMEMBERS', 'section:' + section)) != names:
            return f'section:{section}: not its packages'
    return None


def scan_all(client, ix):
    """A whole SCAN meets every key exactly as often as it must: at least once."""
    cursor, keys = b'0', set()
    while True:
        cursor, part = client.ok('SCAN', cursor, 'MATCH', 'pkg:*', 'COUNT', 1000)
        keys |= set(part)
        if cursor == b'0':
            break
    return None if keys == {b'pkg:' + n.encode() for n in ix.by_name} else 'scan: not every package, or more than that'


def parser_itself(_client, _ix):
    """The reader of the index, on what its fields may look like."""
    if relations('libc6 (>= 2.34), perl:any | python3 [amd64],') != {'libc6', 'perl', 'python3'}:
        return 'relations: not the names'
    written_out = {'role::program', 'use::chatting', 'use::viewing', 'x::y'}
    if tags('role::program, use::{chatting, viewing}, x::y') != written_out:
        return 'tags: not the names'
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--peer', choices=['vitrine', 'oracle'], default='vitrine')
    options = parser.parse_args()
    text, note = dump()
    if note:
        print(note)
    ix = Index(records(text))
    complaints, checks = [], 0
    with harness.peer(options.peer) as server:
        complaint = load(server, ix.packages)
        results = [complaint]
        if complaint is None:
            with server.client(timeout=60) as client:
                results += [parser_itself(client, ix), every_hash(client, ix, 10), every_section(client, ix),
                            scan_all(client, ix)]
            want = expected(ix)
            assert want.keys() == QUESTIONS.keys()
            results += [compare(name, answer(server.port, name), want[name]) for name in QUESTIONS]
    checks, complaints = len(results), [r for r in results if r]
    print('\n'.join(complaints + [f'{len(ix.packages)} packages']))
    print(f'{checks - len(complaints)} passed, {len(complaints)} failed, 0 skipped')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())
