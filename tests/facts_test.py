"""COMMAND, CONFIG, INFO and data/commands against the facts: what Redis 8.0.6 and Valkey 9.1.2 say of themselves.

The facts lie beside the checkout in ../shared/facts, or where VITRINE_FACTS says. Redis wins; what only Valkey (or a
newer Redis) has, is as there. Deliberate differences stand in docs/differences.md."""

import json
import os
import pathlib
import re
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'tools')]

import command_table                                              # noqa: E402
import harness                                                    # noqa: E402
from subject import PEER, ours                                    # noqa: E402

FACTS = pathlib.Path(os.environ.get('VITRINE_FACTS') or HERE.parent.parent / 'shared/facts')

# Groups whose commands must all be there, but for those that belong to rooms not built yet.
COMPLETE_GROUPS = {'string', 'list', 'hash', 'set', 'sorted-set', 'stream', 'generic', 'transactions', 'connection',
                   'bitmap', 'hyperloglog', 'geo'}
NOT_YET = {'wait', 'waitaof'}
NOT_YET_SUB = {'client|import-source'}
MUST_HAVE = {'command', 'config', 'debug', 'flushall', 'flushdb', 'info', 'dbsize', 'latency', 'lolwut', 'memory',
             'monitor', 'shutdown', 'slowlog', 'commandlog', 'swapdb', 'time', 'delifeq', 'msetex', 'delex', 'digest',
             'increx', 'lmovem', 'blmovem', 'sunioncard', 'sdiffcard', 'hotkeys'}
# Given on the command line by the harness, or different on every machine.
CONFIG_FREE = {'port', 'bind', 'dir', 'save', 'logfile', 'pidfile', 'enable-debug-command', 'oom-score-adj-values',
               'ignore-warnings'}
INFO_DYNAMIC = {'Modules', 'Commandstats', 'Errorstats', 'Latencystats', 'Keyspace', 'Keysizes', 'Threads'}


def facts(name):
    path = FACTS / name
    if not path.exists():
        pytest.fail(f'{path} is missing: set VITRINE_FACTS to the folder of facts')
    return path.read_text()


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def as_dict(flat):
    return {text(k): v for k, v in zip(flat[::2], flat[1::2])}


@pytest.fixture(scope='module')
def server():
    with harness.peer(PEER) as s:
        yield s


@pytest.fixture(scope='module')
def known():
    redis = json.loads(facts('commands-redis-8.0.6.json'))
    valkey = json.loads(facts('commands-valkey-9.1.2.json'))
    newer = json.loads(facts('commands-newer.json'))
    return redis, valkey, {k.lower(): v for k, v in newer.items()}


@pytest.fixture(scope='module')
def table(server):
    with server.client() as c:
        info = {text(row[0]): row for row in c.ok('COMMAND')}
        docs = as_dict(c.ok('COMMAND', 'DOCS'))
        return info, {name: as_dict(entry) for name, entry in docs.items()}, c.ok('COMMAND', 'COUNT')


# ---- COMMAND ----------------------------------------------------------------------------------------------------

def key_spec(flat):
    d = as_dict(flat)

    def part(value):
        p = as_dict(value)
        out = {'type': text(p['type'])}
        out.update({k: text(v) for k, v in as_dict(p['spec']).items()})
        return out
    return {'flags': sorted(map(text, d['flags'])), 'begin': part(d['begin_search']), 'find': part(d['find_keys'])}


def described(row, docs):
    """A row of COMMAND and of COMMAND DOCS in the form of the facts."""
    out = {'arity': row[1], 'flags': sorted(map(text, row[2])), 'first': row[3], 'last': row[4], 'step': row[5],
           'acl': sorted(map(text, row[6])), 'tips': sorted(map(text, row[7])), 'keys': [key_spec(k) for k in row[8]]}
    if docs is not None:
        out['since'] = text(docs.get('since'))
        out['group'] = text(docs.get('group'))
        out['args'] = [argument(a) for a in docs.get('arguments', [])]
    return out


def argument(flat):
    d = as_dict(flat)
    out = {k: text(d[k]) for k in ('name', 'type', 'token', 'key_spec_index') if k in d}
    if 'flags' in d:
        out['flags'] = sorted(map(text, d['flags']))
    if 'arguments' in d:
        out['args'] = [argument(a) for a in d['arguments']]
    return out


def argument_names(args):
    for a in args:
        yield a['name'].lower()
        if 'token' in a:
            yield a['token']
        yield from argument_names(a.get('args') or a.get('arguments') or [])


def argument_troubles(ours, facts_, extra, path):
    """What ours lacks or has otherwise; what it has beyond must be among `extra`, the names other servers have."""
    mine = list(ours)
    for want in facts_:
        have = next((a for a in mine if a['name'] == want['name']), None)
        if have is not None:
            mine.remove(have)
        where = f"{path}.{want['name']}"
        if have is None:
            yield f'{where} is missing'
            continue
        for key in ('type', 'token', 'key_spec_index'):
            if have.get(key) != want.get(key):
                yield f'{where}.{key}: {have.get(key)!r}, not {want.get(key)!r}'
        if sorted(have.get('flags', [])) != sorted(want.get('flags', [])):
            yield f"{where}.flags: {have.get('flags')}, not {want.get('flags')}"
        yield from argument_troubles(have.get('args', []), want.get('args', []), extra, where)
    for have in mine:
        name = have['name']
        if name.lower() not in extra and have.get('token') not in extra:
            yield f'{path}.{name} is in no facts'
    order = [a['name'] for a in ours if any(a['name'] == w['name'] for w in facts_)]
    if order != [w['name'] for w in facts_] and len(order) == len(facts_):
        yield f'{path}: order {order}'


def as_facts(entry):
    """An entry of commands-newer.json in the form of the other facts."""
    def spec(k):
        begin, find = k['begin_search'], k['find_keys']
        flags = sorted(n for n, on in k.items() if on is True)
        return {'flags': flags, 'begin': dict(begin['spec'], type=begin['type']),
                'find': dict(find['spec'], type=find['type'])}

    def arg(a):
        out = {k: a[k] for k in ('name', 'type', 'token', 'key_spec_index') if k in a}
        flags = sorted(f for f in ('optional', 'multiple', 'multiple_token') if a.get(f))
        if flags:
            out['flags'] = flags
        if 'arguments' in a:
            out['args'] = [arg(x) for x in a['arguments']]
        return out
    return {'arity': entry['arity'], 'since': entry['since'], 'group': entry['group'],
            'flags': entry.get('command_flags', []), 'acl': entry['acl_categories'], 'tips': entry.get('hints', []),
            'keys': [spec(k) for k in entry.get('key_specs', [])], 'args': [arg(a) for a in entry.get('arguments', [])]}


def wanted(name, redis, valkey, newer):
    """What the facts say of a command, by its full name. The newest come last: they lack what follows from the rest."""
    entry = newer.get(name.replace('|', ' '))
    return redis.get(name) or valkey.get(name) or (as_facts(entry) if entry else None)


def troubles(name, row, docs, redis, valkey, newer):
    want = wanted(name, redis, valkey, newer)
    if want is None:
        yield f'{name}: no server of the facts has this command'
        return
    have = described(row, docs)
    for key in ('arity', 'first', 'last', 'step', 'since', 'group'):
        if key in have and key in want and have[key] != want[key]:
            yield f'{name}.{key}: {have[key]!r}, not {want.get(key)!r}'
    for key in ('flags', 'acl', 'tips'):
        if have[key] != sorted(want.get(key, [])):
            yield f'{name}.{key}: {have[key]}, not {sorted(want.get(key, []))}'
    specs = [dict(k, flags=sorted(k['flags'])) for k in want.get('keys', [])]
    if have['keys'] != specs:
        yield f"{name}.keys: {have['keys']}, not {specs}"
    if docs is not None:
        extra = set(argument_names((valkey.get(name) or {}).get('args', [])))
        extra |= set(argument_names((newer.get(name) or {}).get('arguments', [])))
        yield from argument_troubles(have['args'], want.get('args', []), extra, name)


def as_argument(a):
    """An argument of data/commands in the form of the facts."""
    out = {'name': a.name, 'type': 'pure-token' if a.type == 'token' else a.type}
    if a.token is not None:
        out['token'] = a.token
    if a.key_spec is not None:
        out['key_spec_index'] = a.key_spec
    flags = [f for f in ('optional', 'multiple', 'multiple_token') if getattr(a, f)]
    if flags:
        out['flags'] = sorted(flags)
    if a.arguments:
        out['args'] = [as_argument(x) for x in a.arguments]
    return out


def as_key_spec(k):
    begin = {'unknown': {}, 'index': {'index': k.at}, 'keyword': {'keyword': k.keyword, 'startfrom': k.at}}[k.begin]
    find = {'unknown': {}, 'range': {'lastkey': k.last, 'keystep': k.step, 'limit': k.limit},
            'counted': {'keynumidx': 0, 'firstkey': 1, 'keystep': k.step}}[k.find]
    return {'flags': sorted(k.flags), 'begin': dict(begin, type=k.begin),
            'find': dict(find, type='keynum' if k.find == 'counted' else k.find)}


def data_troubles(c, redis, valkey, newer):
    """Likewise for an entry of data/commands, whether this server has the command or not."""
    want = wanted(c.full_name, redis, valkey, newer)
    if want is None:
        yield f'{c.full_name}: no server of the facts has this command'
        return
    flags = set(c.flags) - {'may_replicate'} | ({'movablekeys'} if c.movable else set())
    have = {'arity': c.arity, 'first': c.first, 'last': c.last, 'step': c.step, 'since': c.since, 'group': c.group,
            'flags': sorted(flags), 'acl': sorted('@' + x for x in c.categories), 'tips': sorted(c.tips)}
    for key, value in have.items():
        if key not in want:
            continue
        expected = sorted(want[key]) if isinstance(value, list) else want[key]
        if value != expected:
            yield f'{c.full_name}.{key}: {value!r}, not {expected!r}'
    specs = [dict(k, flags=sorted(k['flags'])) for k in want['keys']]
    if [as_key_spec(k) for k in c.keys] != specs:
        yield f'{c.full_name}.keys: {[as_key_spec(k) for k in c.keys]}, not {specs}'
    extra = set(argument_names((valkey.get(c.full_name) or {}).get('args', [])))
    extra |= set(argument_names((newer.get(c.full_name) or {}).get('arguments', [])))
    yield from argument_troubles([as_argument(a) for a in c.arguments], want.get('args', []), extra, c.full_name)


def test_the_data_is_as_in_the_facts(known):
    """Whole, so that a command is right on the day it gets its handler. Modules' commands are none of ours."""
    redis, valkey, newer = flat_facts(known[0]), flat_facts(known[1]), known[2]
    commands = [x for c in command_table.load(HERE.parent / 'data/commands') for x in (c, *c.subcommands)]
    found = [t for c in commands for t in data_troubles(c, redis, valkey, newer)]
    have = {c.full_name for c in commands}
    found += [f'{n} is not in data/commands' for n, e in {**valkey, **redis}.items()
              if n not in have and 'module' not in e['flags']]
    assert not found, f'{len(found)} differences in {len(commands)} commands:\n' + '\n'.join(found)


def flat_facts(commands):
    """Subcommands by their full names."""
    out = {}
    for name, entry in commands.items():
        out[name] = entry
        for sub, value in (entry.get('sub') or {}).items():
            out[f'{name}|{sub}'] = value
    return out


def all_rows(table):
    info, docs, _ = table
    for name, row in sorted(info.items()):
        yield name, row, docs.get(name)
        subdocs = {k: as_dict(v) for k, v in as_dict((docs.get(name) or {}).get('subcommands', [])).items()}
        for sub in row[9]:
            yield text(sub[0]), sub, subdocs.get(text(sub[0]))


def test_every_command_is_as_in_the_facts(table, known):
    redis, valkey, newer = flat_facts(known[0]), flat_facts(known[1]), known[2]
    found, count = [], 0
    for name, row, docs in all_rows(table):
        count += 1
        found += list(troubles(name, row, docs, redis, valkey, newer))
    assert count > 0
    assert not found, f'{len(found)} differences in {count} commands:\n' + '\n'.join(found)


def test_every_command_has_docs(table):
    info, docs, count = table
    lacking = [n for n in info if n not in docs]
    assert not lacking, f'no COMMAND DOCS: {lacking}'
    assert count == len(info)
    for name, row, entry in all_rows(table):
        assert entry is not None and entry.get('summary'), f'{name} has no summary'
        assert len(row) == 10, f'{name}: {len(row)} elements'


def test_the_families_are_complete(table, known):
    have = {name for name, _, _ in all_rows(table)}
    want = MUST_HAVE | {name for name, entry in known[2].items() if entry['group'] == 'array'}
    for commands in known[:2]:
        for name, entry in flat_facts(commands).items():
            if entry.get('group') in COMPLETE_GROUPS and name not in NOT_YET and name not in NOT_YET_SUB:
                want.add(name)
    lacking = sorted(want - have)
    assert not lacking, f'{len(lacking)} commands are missing: {lacking}'


# ---- CONFIG -----------------------------------------------------------------------------------------------------

def config_facts(name):
    out = {}
    for line in facts(name).splitlines():
        if ' = ' in line or line.endswith(' ='):
            key, _, value = line.partition(' =')
            out[key.strip()] = value.strip()
    return out


def documented(section):
    """The names in the first column of a section's table in docs/differences.md."""
    doc = (HERE.parent / 'docs/differences.md').read_text()
    body = doc.split(f'## {section}\n')[1].split('\n## ')[0] if f'## {section}\n' in doc else ''
    rows = [line.split('|')[1] for line in body.splitlines() if line.startswith('| `')]
    return {name for cell in rows for name in re.findall(r'`([^`]+)`', cell)}


def test_every_setting_exists_with_its_default(server):
    redis, valkey = config_facts('config-redis-8.0.6.txt'), config_facts('config-valkey-9.1.2.txt')
    want = dict(valkey, **redis)
    with server.client() as c:
        have = {k: text(v) for k, v in as_dict(c.ok('CONFIG', 'GET', '*')).items()}
    deliberate = documented('Settings')
    missing = sorted(n for n in want if n not in have and n not in deliberate)
    wrong = [f'{n}: {have[n]!r}, not {want[n]!r}' for n in sorted(want)
             if n in have and have[n] != want[n] and n not in CONFIG_FREE and n not in deliberate]
    assert not missing and not wrong, (f'missing {len(missing)}: {missing}\nother defaults {len(wrong)}:\n'
                                       + '\n'.join(wrong))


def test_settings_of_our_own_are_documented(server):
    known_ = set(config_facts('config-redis-8.0.6.txt')) | set(config_facts('config-valkey-9.1.2.txt'))
    with server.client() as c:
        have = set(as_dict(c.ok('CONFIG', 'GET', '*')))
    own = sorted(have - known_)
    page = HERE.parent / 'docs/settings.md'
    doc = page.read_text() if page.exists() else ''
    undocumented = [n for n in own if f'`{n}`' not in doc]
    assert not undocumented, f'docs/settings.md lacks {undocumented}'


# ---- INFO -------------------------------------------------------------------------------------------------------

def info_facts(name):
    out, section = {}, None
    for line in facts(name).splitlines():
        if line.startswith('# '):
            section = line[2:].strip()
            out[section] = []
        elif line.strip():
            out[section].append(line.strip())
    return out


def parse_info(body):
    out, section = {}, None
    for line in body.decode().splitlines():
        if line.startswith('# '):
            section = line[2:].strip()
            out[section] = []
        elif ':' in line:
            out[section].append(line.split(':')[0])
    return out


def test_info_has_every_field(server):
    want = info_facts('info-fields-redis-8.0.6.txt')
    with server.client() as c:
        have = parse_info(c.ok('INFO', 'everything'))
    deliberate = documented('INFO')
    missing = []
    for section, fields in want.items():
        if section in INFO_DYNAMIC or section in deliberate:
            continue
        if section not in have:
            missing.append(f'section {section}')
            continue
        missing += [f'{section}: {f}' for f in fields if f not in have[section] and f not in deliberate]
    assert not missing, f'{len(missing)} fields are missing:\n' + '\n'.join(missing)


def test_info_sections_by_name(server):
    with server.client() as c:
        for section in ('server', 'clients', 'memory', 'persistence', 'stats', 'replication', 'cpu', 'cluster'):
            have = parse_info(c.ok('INFO', section))
            assert [s.lower() for s in have] == [section]
        two = parse_info(c.ok('INFO', 'server', 'clients'))
        assert [s.lower() for s in two] == ['server', 'clients']
        default = parse_info(c.ok('INFO'))
        assert 'Commandstats' not in default and 'Server' in default
        assert c.ok('INFO', 'nosuch') == b''
        assert 'Commandstats' in parse_info(c.ok('INFO', 'all'))
