"""The settings: the configuration's grammar and its errors, CONFIG, and that each says the truth about itself.
VITRINE_PEER=oracle runs the same against Redis 7.0.15."""

import os
import pathlib
import re
import signal
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from harness import Client, Error, config, eventually, info, reachable    # noqa: E402
from subject import ORACLE, once, ours, start, write              # noqa: E402

FACTS = pathlib.Path(os.environ.get('VITRINE_FACTS', HERE.parent.parent / 'shared/facts'))


# ---- grammar ----------------------------------------------------------------------------------------------------

def test_grammar(tmp_path):
    write(tmp_path / 'inner.conf', 'HZ 40\n')
    write(tmp_path / 'x1.conf', 'maxmemory-samples 7\n')
    write(tmp_path / 'x2.conf', 'lfu-decay-time 3\n')
    conf = write(tmp_path / 'a.conf', f'''# a comment
   \t
MAXMEMORY 1gb\r
  maxmemory-policy   'allkeys-lru'
requirepass "a\\x41 \\"b\\"\\n"
include {tmp_path}/inner.conf
include {tmp_path}/x*.conf
client-query-buffer-limit 2G
proto-max-bulk-len 3m
slave-priority 12
hash-max-ziplist-entries 99
client-output-buffer-limit slave 1mb 2kb 3
client-output-buffer-limit normal 5k 6b 7
oom-score-adj-values 1 2 3
set-proc-title yes
save 10 20
save 30 40 50 60
''')
    with start(config_file=conf) as s:
        with s.client() as c:
            assert c.ok('AUTH', 'aA "b"\n') == b'OK'
            want = {'maxmemory': str(1 << 30), 'maxmemory-policy': 'allkeys-lru', 'hz': '40', 'maxmemory-samples': '7',
                    'lfu-decay-time': '3', 'client-query-buffer-limit': '2000000000', 'replica-priority': '12',
                    'proto-max-bulk-len': '3000000', 'hash-max-listpack-entries': '99',
                    'client-output-buffer-limit': 'normal 5000 6 7 slave 1048576 2048 3 '
                                                  'pubsub 33554432 8388608 60', 'oom-score-adj-values': '1 2 3'}
            assert {name: config(c, name) for name in want} == want


BAD_CONFIGS = [
    'nosuch 1', 'port', 'port 1 2', 'port abc', 'port 70000', 'port -1', 'port 1.5', 'hz "5', "dir 'a'b", 'timeout -1',
    'daemonize maybe', 'maxmemory 5q', 'maxmemory -5', 'maxmemory', 'maxmemory-policy nosuch', 'loglevel loud',
    'syslog-facility nosuch', 'supervised perhaps', 'databases 0', 'tcp-keepalive x', 'maxclients 0', 'save 1',
    'save a b', 'save 1 2 3', 'client-output-buffer-limit normal 1 2', 'client-output-buffer-limit nosuch 1 2 3',
    'client-output-buffer-limit normal a 2 3', 'unixsocketperm 999', 'unixsocketperm 1000', 'rename-command GET',
    'rename-command NOSUCH x', 'rename-command GET SET', 'include /nosuch/file', 'notify-keyspace-events Q!',
    'oom-score-adj-values 1 2', 'oom-score-adj-values 1 2 5000', 'maxmemory-clients x', 'lfu-log-factor -1',
    'dir /nosuch/dir', 'list-compress-depth -1', 'proto-max-bulk-len 1', 'client-query-buffer-limit 1',
    'active-expire-effort 11', 'latency-tracking-info-percentiles 101', 'proc-title-template "{nosuch}"',
    'hash-max-listpack-entries -1', 'maxmemory-samples 0', 'enable-debug-command maybe', 'appendfsync sometimes',
    'sentinel monitor x', 'loadmodule /nosuch.so', 'replicaof x', 'replicaof x y', 'slaveof 1.2.3.4 99999',
    'shutdown-on-sigterm save nosave', 'logfile', 'maxmemory 1gb 2gb', 'appendfilename a/b', 'dbfilename a/b',
    'bind ' + ' '.join(['1.1.1.1'] * 17), 'server_cpulist', 'user', '\tport\t x',
    'user a on badrule', 'user a on <nope', 'user a on "~with space"', 'user a on (+get badrule)',
    'rename-command GET X\nrename-command GET Y', 'rename-command GET X\nrename-command SET x',
]


def same_but_for_what_is_hidden(want, have):
    """The outcome `want`, with the line that is quoted as in `have` where that hides what may hold a password."""
    shown = re.search(r"(?m)^>>> '\S+ .*\(redacted\).*'$", have[1])
    return (want[0], re.sub(r"(?m)^>>> '.*'$", lambda _: shown[0], want[1])) if shown else want


@pytest.mark.skipif(ORACLE or not harness.Oracle.present(), reason='compares with the oracle')
def test_bad_configurations_are_refused_in_the_same_words(tmp_path):
    def outcome(peer, text):
        conf = write(tmp_path / f'{peer}.conf', f'# one\nport {port}\nsave ""\n{text}\ntcp-keepalive nonsense\n')
        status, out = once([conf], peer)
        out = re.sub(r'FATAL CONFIG FILE ERROR \(.*?\)', 'FATAL', out).replace(f'{peer}.conf', 'conf')
        out = re.sub(r'(allkeys|volatile)-lrm, ', '', out)    # newer than the oracle
        return status, re.sub(r'(?m)^\d+:[MC] .{20,30} # ', 'log: ', out).replace(', nothing\n', '\n')
    port, different = harness.free_port(), []
    for text in BAD_CONFIGS:
        want, have = outcome('oracle', text), outcome('vitrine', text)
        if same_but_for_what_is_hidden(want, have) != have:
            different.append(f'{text!r}:\n  oracle  {want}\n  vitrine {have}')
    assert not different, f'{len(different)} of {len(BAD_CONFIGS)}:\n' + '\n'.join(different)


BAD_ARGUMENTS = [['--nosuch', '1'], ['--port', 'abc'], ['--port'], ['/nosuch/file.conf'], ['--hz', '1', '2'],
                 ['--save', '1', '--hz', '5'], ['--hz', '5', '--maxmemory', '5q'], ['nosuch']]


@pytest.mark.skipif(ORACLE or not harness.Oracle.present(), reason='compares with the oracle')
@pytest.mark.parametrize('args', BAD_ARGUMENTS, ids=' '.join)
def test_bad_arguments_are_refused_in_the_same_words(args, tmp_path):
    def outcome(peer):
        status, out = once(args, peer, cwd=tmp_path)
        lines = [line for line in out.splitlines() if not re.match(r'\d+:[A-Z] ', line)]
        return status, re.sub(r'FATAL CONFIG FILE ERROR \(.*?\)', 'FATAL', '\n'.join(lines))
    want, have = outcome('oracle'), outcome('vitrine')
    want = same_but_for_what_is_hidden(want, have)
    assert have[0] == want[0] == 1
    assert have[1] == want[1] or not want[1]


# What the packages of distributions ship in /etc, in the order they ship it.
STOCK = '''bind 127.0.0.1 -::1
protected-mode yes
port 6379
tcp-backlog 511
timeout 0
tcp-keepalive 300
daemonize yes
pidfile /run/redis/redis-server.pid
loglevel notice
logfile /var/log/redis/redis-server.log
databases 16
always-show-logo no
set-proc-title yes
proc-title-template "{title} {listen-addr} {server-mode}"
stop-writes-on-bgsave-error yes
rdbcompression yes
rdbchecksum yes
dbfilename dump.rdb
rdb-del-sync-files no
dir /var/lib/redis
replica-serve-stale-data yes
replica-read-only yes
repl-diskless-sync yes
repl-diskless-sync-delay 5
repl-diskless-sync-max-replicas 0
repl-diskless-load disabled
repl-disable-tcp-nodelay no
replica-priority 100
acllog-max-len 128
lazyfree-lazy-eviction no
lazyfree-lazy-expire no
lazyfree-lazy-server-del no
replica-lazy-flush no
lazyfree-lazy-user-del no
lazyfree-lazy-user-flush no
oom-score-adj no
oom-score-adj-values 0 200 800
disable-thp yes
appendonly no
appendfilename "appendonly.aof"
appenddirname "appendonlydir"
appendfsync everysec
no-appendfsync-on-rewrite no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
aof-load-truncated yes
aof-use-rdb-preamble yes
aof-timestamp-enabled no
slowlog-log-slower-than 10000
slowlog-max-len 128
latency-monitor-threshold 0
notify-keyspace-events ""
hash-max-listpack-entries 512
hash-max-listpack-value 64
list-max-listpack-size -2
list-compress-depth 0
set-max-intset-entries 512
zset-max-listpack-entries 128
zset-max-listpack-value 64
hll-sparse-max-bytes 3000
stream-node-max-bytes 4096
stream-node-max-entries 100
activerehashing yes
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
hz 10
dynamic-hz yes
aof-rewrite-incremental-fsync yes
rdb-save-incremental-fsync yes
jemalloc-bg-thread yes
'''


def stock_files():
    yield 'as shipped', STOCK
    for path in ('/etc/redis/redis.conf', '/etc/valkey/valkey.conf'):
        if os.access(path, os.R_OK):
            yield path, pathlib.Path(path).read_text()


@pytest.mark.parametrize('text', [t for _, t in stock_files()], ids=[n for n, _ in stock_files()])
def test_a_stock_configuration_starts_it_in_the_background(text, tmp_path):
    port = harness.free_port()
    for old, new in ((r'^port 6379', f'port {port}'), (r'^dir .*', f'dir {tmp_path}'),
                     (r'^pidfile .*', f'pidfile {tmp_path}/pid'), (r'^logfile .*', f'logfile {tmp_path}/log')):
        text = re.sub(old, new, text, flags=re.M)
    status, out = once([write(tmp_path / 'redis.conf', text)])
    assert status == 0 and out == ''
    eventually(lambda: reachable(port) and (tmp_path / 'pid').exists())
    pid = int((tmp_path / 'pid').read_text())
    try:
        with Client(port) as c:
            assert int(info(c, 'process_id')) == pid and config(c, 'daemonize') == 'yes'
            assert 'Ready to accept connections' in (tmp_path / 'log').read_text()
            assert os.getsid(pid) != os.getsid(0)
            title = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().strip(b'\0').decode()
            assert re.fullmatch(rf'(vitrine|redis)-server 127\.0\.0\.1:{port}', title)
    finally:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not reachable(port) and not (tmp_path / 'pid').exists())


def setting_facts(name):
    path = FACTS / name
    if not path.exists():
        pytest.skip(f'{path} is missing: set VITRINE_FACTS to the folder of facts')
    for line in path.read_text().splitlines():
        if ' =' in line:
            key, _, value = line.partition(' =')
            yield key.strip(), value.strip()


# Defaults that would not start a server here, or that are not written as they are shown.
NOT_FOR_A_FILE = {'port', 'dir', 'bind', 'logfile', 'pidfile', 'replicaof', 'slaveof', 'client-output-buffer-limit'}


@ours
@pytest.mark.parametrize('facts', ['config-redis-8.0.6.txt', 'config-valkey-9.1.2.txt'])
def test_every_known_setting_in_a_file(facts, tmp_path):
    known = {k: v for k, v in setting_facts(facts) if k not in NOT_FOR_A_FILE}
    lines = ''.join(f'{k} "{v}"\n' if ' ' not in v or k in ('proc-title-template',) else f'{k} {v}\n'
                    for k, v in known.items())
    with start(config_file=write(tmp_path / 'all.conf', lines)) as s, s.client() as c:
        have = c.ok('CONFIG', 'GET', '*')
        have = dict(zip([k.decode() for k in have[::2]], [v.decode() for v in have[1::2]]))
        assert not [k for k in known if k not in have]
        given = ('save', 'enable-debug-command')
        assert not {k: (have[k], v) for k, v in known.items() if have[k] != v and k not in given}
        # Each can be set to what it is, or says that it cannot.
        refused = {}
        for name, value in have.items():
            if name in ('port', 'bind'):
                continue
            answer = c.call('CONFIG', 'SET', name, value)
            if answer != b'OK' and b'immutable config' not in answer and b'protected config' not in answer:
                refused[name] = answer
        assert not refused


# Of settings whose default says nothing about what else they may be.
OTHER_VALUES = {
    'acl-pubsub-default': 'allchannels', 'appendfsync': 'always', 'cluster-config-save-behavior': 'best-effort',
    'cluster-preferred-endpoint-type': 'hostname', 'notify-keyspace-events': 'KEA', 'rdb-version-check': 'relaxed',
    'propagation-error-behavior': 'panic', 'repl-diskless-load': 'swapdb',
    'tls-auth-clients': 'optional', 'tls-auth-clients-user': 'CN', 'save': '5 6', 'replicaof': '127.0.0.1 1',
    'enable-module-command': 'local', 'rdma-completion-vector': '0', 'bind-source-addr': '127.0.0.1',
    'bgsave-cpulist': '0', 'aof-rewrite-cpulist': '0',
}


def not_acting():
    """The settings that docs/settings.md says do not act yet: name and default."""
    page = (HERE.parent / 'docs/settings.md').read_text().split('## Settings that do not act yet')[1]
    return re.findall(r'^\| `([^`]+)`[^|]*\| (\(empty\)|`[^`]*`)', page, re.M)


@ours
def test_settings_that_do_not_act_say_so_once(tmp_path):
    lines, names = '', sorted(name for name, _ in not_acting())
    for name, default in not_acting():
        default = default.strip('`')
        other = {'yes': 'no', 'no': 'yes', '(empty)': 'x'}.get(default, default + 'x')
        if default.lstrip('-').isdigit():
            other = str(int(default) + 1)
        lines += f'{name} {OTHER_VALUES.get(name, other)}\n'
    with start(config_file=write(tmp_path / 'a.conf', lines)) as s:
        eventually(lambda: 'Ready to accept' in s.log(100000))
        said = re.findall(r"# The setting '([^']+)' does not act yet", s.log(100000))
        # The command line adds save "", which turns it off.
        assert sorted(set(said) | {'save'} & set(names)) == names
        assert len(said) == len(set(said))
    with start() as s:
        assert 'does not act' not in s.log()


# ---- encodings by size ------------------------------------------------------------------------------------------

def fill(c, kind, count, width):
    c.call('DEL', 'k')
    for i in range(count):
        value = str(i).rjust(width, 'x')
        args = {'list': ('RPUSH', 'k', value), 'hash': ('HSET', 'k', f'f{i}', value), 'set': ('SADD', 'k', value),
                'intset': ('SADD', 'k', str(i)), 'zset': ('ZADD', 'k', str(i), value)}[kind]
        c.ok(*args)
    return c.ok('OBJECT', 'ENCODING', 'k').decode()


SIZES = [
    # setting, value, kind, members, bytes each, encoding, then one more or one byte wider
    ('list-max-listpack-size', '5', 'list', 5, 3, 'listpack', 6, 3, 'quicklist'),
    ('hash-max-listpack-entries', '4', 'hash', 4, 3, 'listpack', 5, 3, 'hashtable'),
    ('hash-max-listpack-value', '10', 'hash', 3, 10, 'listpack', 3, 11, 'hashtable'),
    ('set-max-intset-entries', '6', 'intset', 6, 0, 'intset', 7, 0, 'hashtable'),
    ('set-max-listpack-entries', '4', 'set', 4, 3, 'listpack', 5, 3, 'hashtable'),
    ('set-max-listpack-value', '10', 'set', 3, 10, 'listpack', 3, 11, 'hashtable'),
    ('zset-max-listpack-entries', '4', 'zset', 4, 3, 'listpack', 5, 3, 'skiplist'),
    ('zset-max-listpack-value', '10', 'zset', 3, 10, 'listpack', 3, 11, 'skiplist'),
]


@ours
@pytest.mark.parametrize('row', SIZES, ids=lambda row: row[0])
def test_sizes_choose_encodings(shared, row):
    name, value, kind, n1, w1, small, n2, w2, large = row
    with shared.client() as c:
        before = config(c, name)
        c.ok('CONFIG', 'SET', name, value)
        try:
            assert fill(c, kind, n1, w1) == small
            assert fill(c, kind, n2, w2) == large
        finally:
            c.ok('CONFIG', 'SET', name, before)


@pytest.fixture(scope='module')
def shared():
    with start() as s:
        yield s
        assert s.alive(), s.log()


# ---- CONFIG -----------------------------------------------------------------------------------------------------

def test_config_get_by_patterns(shared):
    with shared.client() as c:
        def names(*patterns):
            return [k.decode() for k in c.ok('CONFIG', 'GET', *patterns)[::2]]
        assert sorted(names('maxmemory*', 'HZ', 'hz', 'nosuch')) >= ['HZ', 'hz', 'maxmemory']
        assert names('hz', 'h?') == ['hz'] and names('*ziplist-entries') != []
        assert names('requirepas[rst]') == ['requirepass']
        c3 = shared.client(resp3=True)
        assert isinstance(c3.ok('CONFIG', 'GET', 'hz'), harness.Map)
        c3.close()


def test_config_set_of_several_is_all_or_nothing(shared):
    with shared.client() as c:
        def now():
            return [config(c, n) for n in ('hz', 'timeout', 'maxmemory', 'maxmemory-policy', 'port')]
        before = now()
        for bad in (('maxmemory', '5q'), ('nosuch', '1'), ('port', '99999'), ('daemonize', 'yes'), ('hz', '77')):
            answer = c.call('CONFIG', 'SET', 'hz', '33', 'timeout', '44', *bad, 'maxmemory-policy', 'allkeys-lru')
            assert isinstance(answer, Error) and bad[0].encode() in answer
            assert now() == before, bad
        assert c.ok('CONFIG', 'SET', 'hz', '33', 'TIMEOUT', '44', 'maxmemory-policy', 'allkeys-lru') == b'OK'
        assert now() == ['33', '44', before[2], 'allkeys-lru', before[4]]
        c.ok('CONFIG', 'SET', 'hz', before[0], 'timeout', before[1], 'maxmemory-policy', before[3])


BAD_SETS = [
    ('hz', 'x'), ('hz', ''), ('maxmemory', '1zb'), ('maxmemory-policy', 'x'), ('timeout', '-1'), ('port', '65536'),
    ('client-output-buffer-limit', 'normal 1 2'), ('client-output-buffer-limit', 'x 1 2 3'), ('save', '1 2 3'),
    ('save', 'a b'), ('notify-keyspace-events', '?'), ('daemonize', 'yes'), ('databases', '3'), ('requirepass',),
    ('appendonly', 'perhaps'), ('loglevel', 'x'), ('maxclients', '0'), ('proto-max-bulk-len', '5'), ('dir', '/nosuch'),
    ('slowlog-log-slower-than', 'x'), ('list-compress-depth', '-1'), ('lfu-log-factor', 'x'), ('unixsocket', '/x'),
    ('latency-tracking-info-percentiles', '50 101'), ('oom-score-adj-values', '1 2'), ('rename-command', 'GET x'),
    ('include', '/x'), ('active-expire-effort', '0'), ('maxmemory-samples', '0'), ('repl-backlog-size', '0'),
    ('bind', ' '.join(['1.1.1.1'] * 17)), ('maxmemory-clients', '101%'), ('maxmemory-clients', 'x'), ('no such', 'x'),
    ('tls-port', 'x'), ('replicaof', '1.2.3.4 5'), ('client-query-buffer-limit', '1'), ('oom-score-adj', 'x'),
]


@pytest.mark.skipif(ORACLE or not harness.Oracle.present(), reason='compares with the oracle')
def test_refusals_of_config_set_are_in_the_same_words():
    with harness.Oracle() as oracle, start(('enable-protected-configs', 'yes')) as s, \
            oracle.client() as theirs, s.client() as mine:
        def answer(client, words):
            text = client.call('CONFIG', 'SET', *words).decode()
            return re.sub(', nothing|(allkeys|volatile)-lrm, ', '', text)
        different = {}
        for words in BAD_SETS:
            want, have = answer(theirs, words), answer(mine, words)
            if want != have:
                different[words] = (want, have)
        assert not different, '\n'.join(f'{k}\n  oracle  {w}\n  vitrine {h}' for k, (w, h) in different.items())


ANY_VALUES = ['yes', 'no', 'YES', '', ' 1', '1 ', '0', '1', '-1', '2', '64', '100', '+5', '0x10', '1e3', '0.5', '1.5',
              '"1"', '5000000000', '99999999999999999999', '1mb', '1MB', '2g', '10k', '5%', '200%', 'abc', 'a b c',
              '1 2', '60 1', '1 2 3', '50 99 99.9', 'normal 1 2 3', 'slave 1mb 1mb 60 pubsub 0 0 0', 'KEA',
              'allkeys-lru', 'notice', 'default', 'relative', 'everysec']
# They would change where it listens and who may ask, or name files; the last one is gone since Redis 8.
NOT_TO_TRY = {'port', 'bind', 'dir', 'logfile', 'requirepass', 'maxclients', 'maxmemory', 'save', 'replicaof',
              'slaveof', 'io-threads-do-reads'}
# Debian's build cannot; an amount beyond 63 bits is read as a share there; `n` and `o` are two classes of Redis 8.2.
KNOWN = {'activedefrag', 'maxmemory-clients 99999999999999999999', 'notify-keyspace-events no'}


@pytest.mark.skipif(ORACLE or not harness.Oracle.present(), reason='compares with the oracle')
def test_any_value_of_any_setting_is_taken_or_refused_as_by_the_oracle():
    def attempt(client, name, value, before):
        set_, shown, _ = client.pipeline([('CONFIG', 'SET', name, value), ('CONFIG', 'GET', name),
                                          ('CONFIG', 'SET', name, before)])
        return re.sub(rb', (nothing|flush-before-load)$|(allkeys|volatile)-lrm, ', b'', set_), shown
    with harness.Oracle() as oracle, start(('enable-protected-configs', 'yes')) as s, \
            oracle.client() as theirs, s.client() as mine:
        different = []
        for name in (n.decode() for n in theirs.ok('CONFIG', 'GET', '*')[::2]):
            if name in NOT_TO_TRY or name.startswith(('tls-', 'cluster-')):
                continue
            usual = config(theirs, name), config(mine, name)
            for value in ANY_VALUES:
                want, have = attempt(theirs, name, value, usual[0]), attempt(mine, name, value, usual[1])
                if want != have and not KNOWN & {name, f'{name} {value}'}:
                    different.append(f'{name} {value!r}\n  oracle  {want}\n  vitrine {have}')
        assert not different, f'{len(different)}:\n' + '\n'.join(different)


def test_rewrite_keeps_what_the_user_wrote(tmp_path):
    text = '''# My store.

# How often: see the manual.
HZ   20
maxmemory 100mb      
slave-priority 7
save 900 1
save 300 10

# Clients
client-output-buffer-limit pubsub 1mb 512kb 10
rename-command FLUSHALL ""
timeout 5
'''
    conf = write(tmp_path / 'a.conf', text)
    with start(config_file=conf) as s, s.client() as c:
        c.ok('CONFIG', 'SET', 'maxmemory', '200mb', 'timeout', '0', 'lfu-decay-time', '9', 'save', '900 1 60 5',
             'requirepass', 'two words "x"')
        assert c.ok('CONFIG', 'REWRITE') == b'OK'
        new = pathlib.Path(conf).read_text()
        lines = new.splitlines()
        for kept in ('# My store.', '# How often: see the manual.', '# Clients', 'rename-command FLUSHALL ""',
                     'lfu-decay-time 9', 'requirepass "two words \\"x\\""'):
            assert kept in lines, f'{kept} is not in\n{new}'
        assert [line.split() for line in lines if line.startswith('maxmemory ')] in ([['maxmemory', '200mb']],
                                                                                  [['maxmemory', '209715200']])
        assert re.search(r'^hz\s+20', new, re.M | re.I) and '300 10' not in new
        assert lines.index('# My store.') < lines.index('# How often: see the manual.') < lines.index('# Clients')
        c.ok('CONFIG', 'SET', 'hz', '21')
        c.ok('CONFIG', 'REWRITE')
        again = pathlib.Path(conf).read_text()
        assert len(again.splitlines()) == len(lines), 'a second rewrite adds nothing'
        names = ('hz', 'maxmemory', 'timeout', 'lfu-decay-time', 'save', 'replica-priority', 'requirepass',
                 'client-output-buffer-limit')
        before = {n: config(c, n) for n in names if not (n == 'save')}
        assert f'dir "{config(c, "dir")}"' in lines, 'where the data is must not depend on where the server is started'
    write(tmp_path / 'a.conf', re.sub('^dir .*', f'dir {tmp_path}', again, flags=re.M))
    with start(config_file=conf) as s, s.client() as c:
        assert c.call('PING') == b'NOAUTH Authentication required.'
        c.ok('AUTH', 'two words "x"')
        assert {n: config(c, n) for n in before} == before
        assert before['hz'] == '21' and before['maxmemory'] == str(200 << 20)
        assert c.call('FLUSHALL').startswith(b'ERR unknown command')


def test_rewrite_leaves_other_forms_of_the_same_amount(tmp_path):
    text = 'maxmemory 104857600\nstream-node-max-bytes 4096\nproto-max-bulk-len 536870912\n'
    conf = write(tmp_path / 'a.conf', text)
    with start(config_file=conf) as s, s.client() as c:
        c.ok('CONFIG', 'REWRITE')
        assert pathlib.Path(conf).read_text().startswith(text)


@ours
def test_a_file_with_every_setting_says_what_is_set(tmp_path):
    conf = write(tmp_path / 'a.conf', '# Mine.\nhz 20\nenable-debug-command yes\n')
    own = {b'port', b'bind', b'save', b'unixsocket', b'logfile', b'dir', b'enable-debug-command', b'loglevel'}

    def shown(c):
        words = c.ok('CONFIG', 'GET', '*')
        return {name: value for name, value in zip(words[::2], words[1::2]) if name not in own}

    with start(config_file=conf) as s, s.client() as c:
        before = shown(c)
        assert c.ok('DEBUG', 'CONFIG-REWRITE-FORCE-ALL') == b'OK'
    text = re.sub('^dir .*', f'dir {tmp_path}', pathlib.Path(conf).read_text(), flags=re.M)
    write(tmp_path / 'a.conf', text)
    lines = text.splitlines()
    assert lines[:2] == ['# Mine.', 'hz 20'] and len(lines) > 150
    assert {'maxmemory 0', 'activerehashing yes', 'appendfsync everysec'} <= set(lines)
    with start(config_file=conf) as s, s.client() as c:
        assert shown(c) == before


def test_rewrite_without_a_file_or_without_permission(tmp_path):
    with start() as s, s.client() as c:
        assert c.call('CONFIG', 'REWRITE') == b'ERR The server is running without a config file'
    folder = tmp_path / 'sub'
    folder.mkdir()
    conf = write(folder / 'a.conf', 'hz 20\n')
    with start(config_file=conf) as s, s.client() as c:
        (folder / 'a.conf').unlink()
        folder.rmdir()
        assert c.call('CONFIG', 'REWRITE') == b'ERR Rewriting config file: No such file or directory'


def test_resetstat(shared):
    with shared.client() as c:
        c.ok('SET', 'k', 'v'), c.ok('GET', 'k'), c.ok('GET', 'nokey'), c.call('NOSUCH'), c.call('LPUSH', 'k', 'x')
        fields = ('keyspace_hits', 'keyspace_misses', 'total_error_replies', 'unexpected_error_replies')
        assert int(info(c, 'total_error_replies')) >= 2 and int(info(c, 'total_commands_processed')) > 5
        assert c.ok('CONFIG', 'RESETSTAT') == b'OK'
        assert {f: info(c, f) for f in fields} == {f: '0' for f in fields}
        assert int(info(c, 'total_commands_processed')) < 10
        assert 'cmdstat_lpush' not in c.ok('INFO', 'commandstats').decode()
        assert 'errorstat' not in c.ok('INFO', 'errorstats').decode()
        assert c.ok('DBSIZE') >= 1
