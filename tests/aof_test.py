"""What commands do is in the append-only log: after any commands, the data read back from it are the same, here and in
the oracle."""

import os
import pathlib
import random
import re
import shutil
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / 'compat'), str(HERE / 'differential')]

import harness                                                    # noqa: E402
import run as compat                                              # noqa: E402  (tests/compat)
from persist_test import info, oracle_only, wait_for              # noqa: E402

sys.modules['compat_run'] = sys.modules.pop('run')
sys.path.remove(str(HERE / 'compat'))
import run as differential                                        # noqa: E402  (tests/differential)

COMMANDS = int(os.environ.get('VITRINE_LOG_COMMANDS', 3000))
LOG = [('appendonly', 'yes'), ('appendfsync', 'no'), ('auto-aof-rewrite-percentage', '0')]
# What expires sooner may be gone before it was looked at twice.
SOON_MS = 10000


def test_what_waits_to_be_logged_evicts_nobody():
    """Each eviction is logged, too: while the disk is slow, one would bring the next until nothing is left."""
    overwrite = 'for i = 1, 100 do redis.call("SET", "k" .. ARGV[1] * 100 + i, string.rep("x", 1000)) end'
    settings = [('appendonly', 'yes'), ('appendfsync', 'everysec'), ('maxmemory-policy', 'allkeys-lru')]
    with harness.peer('vitrine', *settings) as s, s.client() as c:
        sha = c.ok('SCRIPT', 'LOAD', overwrite)
        scripts = b''.join(harness.encode([b'EVALSHA', sha, b'0', b'%d' % i]) for i in range(40))

        def overwrite_all():
            """In one read, so within one turn: 4 MB have to be logged at its end."""
            c.send_bytes(scripts + harness.encode([b'INFO', b'memory']))
            return [c.reply() for _ in range(41)][-1]
        overwrite_all(), overwrite_all()
        c.ok('CONFIG', 'SET', 'maxmemory', int(info(c, 'memory')['used_memory']) + (1 << 20))
        waiting = re.search(rb'mem_not_counted_for_evict:(\d+)', overwrite_all())
        assert int(waiting[1]) > 4_000_000
        assert info(c, 'stats')['evicted_keys'] == '0' and c.ok('DBSIZE') == 4000


# ---- the data of a server ----

def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def without_times(item):
    """What XINFO STREAM FULL says, without moments of use."""
    if not isinstance(item, list):
        return item
    if len(item) % 2 == 0 and any(name in item[::2] for name in (b'seen-time', b'consumers', b'length')):
        fields = {k: without_times(v) for k, v in pairs(item).items()}
        for name in (b'seen-time', b'active-time', b'radix-tree-keys', b'radix-tree-nodes'):
            fields.pop(name, None)
        return fields
    return [without_times(x) for x in item]


def stream(c, key, counts):
    """Everything of a stream; of an entry that is pending how often it was delivered (if `counts`), and when not."""
    full = pairs(c.ok('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0))
    for name in (b'radix-tree-keys', b'radix-tree-nodes', b'iids-duplicates'):
        full.pop(name, None)
    for group in full[b'groups']:
        # Each pending entry: id, consumer, moment, deliveries.
        for entry in group[group.index(b'pel' if b'pel' in group else b'pending') + 1]:
            entry[2:] = [None, entry[3] if counts else None]
        for consumer in group[group.index(b'consumers') + 1]:
            for name in (b'pel', b'pending'):
                if name in consumer:
                    at = consumer.index(name) + 1
                    if isinstance(consumer[at], list):
                        for entry in consumer[at]:
                            entry[1:] = [None, entry[2] if counts else None]
    return without_times([v for item in full.items() for v in item])


def value(c, key, kind, counts):
    if kind == b'string':
        return c.ok('GET', key)
    if kind == b'list':
        return c.ok('LRANGE', key, 0, -1)
    if kind == b'set':
        return sorted(c.ok('SMEMBERS', key))
    if kind == b'zset':
        flat = c.ok('ZRANGE', key, 0, -1, 'WITHSCORES')
        return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2])]
    if kind == b'stream':
        return stream(c, key, counts)
    if kind == b'hash':
        return hash_value(c, key)
    return c.ok('DUMP', key)


def hash_value(c, key):
    now = int(time.time() * 1000)
    fields = pairs(c.ok('HGETALL', key))
    names = list(fields)
    moments = c.call('HPEXPIRETIME', key, 'FIELDS', len(names), *names) if names else []
    if isinstance(moments, harness.Error):
        return fields
    return {name: fields[name] if at < 0 else (fields[name], at) for name, at in zip(names, moments)
            if at < 0 or at > now + SOON_MS}


def state(server, counts=True):
    """All data: {(database, key): (type, expiry, value)}, without what expires soon."""
    found = {}
    with server.client(timeout=60) as c:
        for row in c.ok('INFO', 'keyspace').decode().split('\r\n'):
            if not row.startswith('db'):
                continue
            db = int(row[2:row.index(':')])
            c.ok('SELECT', db)
            keys = c.ok('KEYS', '*')
            kinds = c.pipeline([('TYPE', k) for k in keys])
            moments = c.pipeline([('PEXPIRETIME', k) for k in keys])
            now = int(time.time() * 1000)
            for key, kind, at in zip(keys, kinds, moments):
                if kind == b'none' or 0 <= at < now + SOON_MS:
                    continue
                content = value(c, key, kind, counts)
                if content != {}:
                    found[db, key] = (kind, at, content)
    return found


def differences(a, b, path=()):
    if isinstance(a, dict) and isinstance(b, dict):
        return [d for k in {**a, **b} for d in differences(a.get(k), b.get(k), path + (k,))]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, path + (i,))]
    return [] if a == b else [(path, a, b)]


def same(before, after, what):
    found = differences(before, after)
    assert not found, (what, len(found), found[:5])


def reread(server, what, counts=True):
    before = state(server, counts)
    with server.client(timeout=60) as c:
        assert c.ok('DEBUG', 'LOADAOF') == b'OK'
    same(before, state(server, counts), what)
    log = server.log(1 << 20)
    assert 'CRITICAL' not in log, [line for line in log.splitlines() if 'CRITICAL' in line]


def restart(server):
    """Killed: what was answered is in the kernel at least."""
    server.restart()
    wait_until_loaded(server)


def wait_until_loaded(server):
    with server.client(timeout=60) as c:
        wait_for(lambda: info(c)['loading'] == '0', 60)


# ---- random commands ----

def steps_of(family, seed):
    """What a server can be told of an episode of the differential test."""
    made = differential.episode_stream(f'log {seed}', 0, [family])
    commands = [args for args in made.setup if args[0] != b'HELLO']
    for step in made.steps(COMMANDS):
        args = step.args if isinstance(step, differential.Special) else step
        name = args[0].upper() if args else b''
        if not args or name in (b'DEBUG', b'QUIT', b'RESET', b'SHUTDOWN', b'MONITOR', b'CLIENT', b'SUBSCRIBE') or \
                name.isdigit():
            continue
        if name == b'XREADGROUP' and reads_again([arg.upper() for arg in args]):
            continue
        commands.append(args)
    return commands


def reads_again(args):
    """That counts as a delivery, which Redis does not log either."""
    named = args[args.index(b'STREAMS') + 1:] if b'STREAMS' in args else args
    return set(named[len(named) // 2:]) != {b'>'}


def tell(server, commands):
    with server.client(timeout=60) as c:
        for i in range(0, len(commands), 100):
            c.pipeline(commands[i:i + 100])


@pytest.mark.parametrize('family', sorted(set(differential.FAMILIES) - {'server'}))
def test_random_commands_are_in_the_log(family):
    with harness.peer('vitrine', *LOG) as server:
        for seed in (1, 2):
            tell(server, steps_of(family, seed))
            reread(server, (family, seed))
        before = state(server)
        restart(server)
        same(before, state(server), family)
        if not harness.Oracle.present() or family == 'script':
            return
        with harness.peer('oracle', *LOG, wait=False) as oracle:
            shutil.copytree(f'{server.dir}/appendonlydir', f'{oracle.dir}/appendonlydir')
            oracle.start()
            wait_until_loaded(oracle)
            same(before, state(oracle), (family, 'oracle'))


# ---- commands of transcripts ----

class Replayed(compat.Player):
    """A transcript with the log on: whenever the data would be emptied, the log is read back first."""

    section = None

    def fresh(self):
        self.compare()
        super().fresh()

    def compare(self):
        for c in self.clients.values():
            c.close()
        if self.clients:
            reread(self.server, (self.t.path.name, self.section), counts=False)
        self.clients = {}

    def step(self, step):
        went_on = super().step(step)
        if step[0] == 'section':
            self.section = step[2]
        return went_on


# Those that neither write nor may be asked about with the log on.
UNWRITTEN = {'acl', 'acl_newer', 'connection', 'console', 'newer_connection', 'newer_console', 'pubsub', 'pubsub_newer',
             'pubsub_resp2'}
TRANSCRIPTS = sorted(p for p in (HERE / 'compat').glob('*.txt') if p.stem not in UNWRITTEN)


@pytest.mark.parametrize('path', TRANSCRIPTS, ids=lambda p: p.stem)
def test_commands_of_transcripts_are_in_the_log(path):
    transcript = compat.Transcript(path)
    with harness.peer('vitrine', *LOG) as server:
        for configuration in ('plain', 'multi'):
            if transcript.options.get(configuration, 'yes') == 'no':
                continue
            player = Replayed(transcript, server, configuration)
            failures = player.play()
            player.compare()
            assert not failures, failures


# ---- what goes by itself ----

def short_lived(rng):
    """A command whose outcome depends on whether something has expired."""
    key, field = rng.choice('abcd'), rng.choice('fgh')
    ms = rng.choice((1, 3, 10, 30))
    kind = rng.randrange(4)
    if kind == 0:
        key = 't' + key
        return rng.choice([('SET', key, 1, 'PX', ms), ('INCR', key), ('APPEND', key, 1), ('SET', key, 2, 'KEEPTTL'),
                           ('SET', key, 3, 'NX'), ('SET', key, 4, 'XX'), ('PEXPIRE', key, ms), ('PERSIST', key),
                           ('GETEX', key, 'PX', ms), ('MGET', 'ta', 'tb', 'tc'), ('RENAME', 'ta', key),
                           ('COPY', 'tb', key, 'REPLACE'), ('SETRANGE', key, 3, 'x'), ('GETDEL', key),
                           ('INCRBYFLOAT', key, 1), ('PSETEX', key, ms, 5), ('DEL', key), ('MSET', 'ta', 1, 'tb', 2)])
    if kind == 1:
        key = 'l' + key
        return rng.choice([('RPUSH', key, ms), ('LPOP', key), ('PEXPIRE', key, ms), ('LPUSHX', key, 1),
                           ('LMOVE', key, 'la', 'LEFT', 'RIGHT'), ('SORT', key, 'STORE', 'lb'), ('LTRIM', key, 0, 3)])
    if kind == 2:
        key = 's' + key
        return rng.choice([('SADD', key, ms, rng.randrange(9)), ('SPOP', key), ('PEXPIRE', key, ms),
                           ('SUNIONSTORE', 'sd', 'sa', 'sb'), ('SDIFFSTORE', key, 'sb', 'sc'),
                           ('SMOVE', 'sa', key, ms)])
    key = 'h' + key
    return rng.choice([('HSET', key, field, ms), ('HINCRBY', key, field, 1), ('HSETNX', key, field, 7),
                       ('HPEXPIRE', key, ms, 'FIELDS', 1, field), ('HPEXPIRE', key, ms, 'FIELDS', 2, 'f', 'g'),
                       ('HPERSIST', key, 'FIELDS', 1, field), ('HINCRBYFLOAT', key, field, 2), ('HDEL', key, field),
                       ('HSETEX', key, 'PX', ms, 'FIELDS', 1, field, 8), ('HGETEX', key, 'PX', ms, 'FIELDS', 1, field),
                       ('HSETEX', key, 'FNX', 'KEEPTTL', 'FIELDS', 1, field, 9), ('PEXPIRE', key, 3 * ms),
                       ('HGETDEL', key, 'FIELDS', 1, field), ('COPY', 'ha', key, 'REPLACE'), ('RENAMENX', 'hb', key)])


@pytest.mark.parametrize('seed', [1, 2, 3])
def test_what_expires_meanwhile_stays_gone(seed):
    rng = random.Random(seed)
    with harness.peer('vitrine', *LOG) as server:
        with server.client() as c:
            c.ok('DEBUG', 'SET-ACTIVE-EXPIRE', rng.randrange(2))
            for _ in range(COMMANDS // 20):
                commands = [short_lived(rng) for _ in range(20)]
                if rng.randrange(4) == 0:
                    commands = [('MULTI',), *commands, ('EXEC',)]
                c.pipeline(commands)
                time.sleep(rng.choice((0, 0, 0.002, 0.005)))
            c.ok('DEBUG', 'SET-ACTIVE-EXPIRE', 1)
        time.sleep(0.2)     # whatever is to expire has expired
        before = state(server)
        assert before
        with server.client() as c:
            c.ok('DEBUG', 'LOADAOF')
        time.sleep(0.1)
        same(before, state(server), seed)
        restart(server)
        time.sleep(0.1)
        same(before, state(server), seed)


@pytest.mark.parametrize('policy', ['allkeys-random', 'allkeys-lru', 'volatile-ttl'])
def test_what_was_evicted_stays_gone(policy):
    with harness.peer('vitrine', *LOG, ('maxmemory-policy', policy)) as server:
        with server.client() as c:
            c.ok('CONFIG', 'SET', 'maxmemory', int(harness.info(c, 'used_memory')) + 1_000_000)
            for i in range(0, 20000, 100):
                c.pipeline([('SET', f'k{j}', 'x' * 100, 'PX', 10_000_000 + j) for j in range(i, i + 100)])
            assert int(harness.info(c, 'evicted_keys')) > 1000
            c.ok('CONFIG', 'SET', 'maxmemory', 0)
        before = state(server)
        server.settings.append(('maxmemory', '0'))
        restart(server)
        same(before, state(server), policy)


def test_a_log_that_ends_and_begins_within_a_transaction_has_it_once():
    with harness.peer('vitrine', *LOG) as server:
        with server.client() as c:
            c.pipeline([('INCR', 'b'), ('MULTI',), ('INCR', 'a'), ('CONFIG', 'SET', 'appendonly', 'no'), ('INCR', 'b'),
                        ('INCR', 'a'), ('CONFIG', 'SET', 'appendonly', 'yes'), ('INCR', 'a'), ('EXEC',)])
            harness.eventually(lambda: info(c)['aof_rewrite_in_progress'] == '0')
            c.ok('INCR', 'b')
        before = state(server)
        restart(server)
        same(before, state(server), 0)


# ---- for tests of others ----

@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_writing_can_be_slowed_down(peer):
    with harness.peer(peer, *LOG) as server, server.client() as c:
        def took_s():
            start = time.monotonic()
            c.ok('SET', 'a', '1')
            return time.monotonic() - start
        c.ok('DEBUG', 'AOF-FLUSH-SLEEP', '200000')
        assert took_s() >= 0.2
        c.ok('DEBUG', 'AOF-FLUSH-SLEEP', '0')
        assert min(took_s() for _ in range(5)) < 0.2
