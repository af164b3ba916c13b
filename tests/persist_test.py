"""What is saved comes back, here and in the oracle: snapshots, DUMP and RESTORE, and what happens when the disk or the
file is not as it should be."""

import importlib.util
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402

KINDS = ['string', 'list', 'set', 'intset', 'hash', 'zset', 'stream']
FIXTURES = pathlib.Path(os.environ.get('VITRINE_FIXTURES') or HERE.parent.parent / 'shared' / 'fixtures')
oracle_only = pytest.mark.skipif(not harness.Oracle.present(), reason='redis-tools is not installed')


def info(client, section='persistence'):
    text = client.ok('INFO', section).decode()
    return dict(line.split(':', 1) for line in text.split('\r\n') if ':' in line)


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'it did not happen in time'
        time.sleep(0.01)


# ---- data ----

def random_bytes(rng, n):
    return bytes(rng.getrandbits(8) for _ in range(n))


def random_text(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return str(rng.randrange(-2**63, 2**63) >> rng.randrange(64))
    if kind == 1:
        return 'x' * rng.randrange(1, 200) + str(rng.random())
    if kind == 2:
        return random_bytes(rng, rng.randrange(1, 40))
    return 'item:' + str(rng.randrange(10000))


def random_texts(rng):
    return [random_text(rng) for _ in range(rng.choice((1, 3, 20, 140, 600)))]


def add_random_key(rng, client, key):
    """One key of any type that the server has and the oracle's version can hold."""
    kind = rng.choice(KINDS)
    texts = random_texts(rng)
    if kind == 'string':
        client.ok('SET', key, rng.choice([random_text(rng), 'abc' * rng.randrange(2000), '']))
    elif kind == 'list':
        client.ok('RPUSH', key, *texts, *(['L' * 20000] if rng.randrange(4) == 0 else []))
    elif kind == 'set':
        client.ok('SADD', key, *texts)
    elif kind == 'intset':
        client.ok('SADD', key, *(rng.randrange(-2**rng.choice((8, 20, 40)), 2**40) for _ in texts))
    elif kind == 'hash':
        client.ok('HSET', key, *sum(([f'{i}:{i * 7}', text] for i, text in enumerate(texts)), []))
    elif kind == 'zset':
        scores = [rng.choice((rng.random(), rng.randrange(100), 1e300, -1e-300, 'inf', '-inf')) for _ in texts]
        client.ok('ZADD', key, *sum(([score, text] for score, text in zip(scores, texts)), []))
    else:
        for i, text in enumerate(texts):
            client.ok('XADD', key, f'{1000 + i // 3}-{i % 3 + 1}', 'field', text, *(['more', i] if i % 5 == 0 else []))
        client.ok('XDEL', key, '1000-2')
        client.ok('XGROUP', 'CREATE', key, 'group', '0')
        client.ok('XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', 7, 'STREAMS', key, '>')
        client.ok('XGROUP', 'CREATECONSUMER', key, 'group', 'bob')
    if rng.randrange(3) == 0:
        client.ok('PEXPIREAT', key, 4102444800000 + rng.randrange(10**9))


def fixtures_module():
    spec = importlib.util.spec_from_file_location('fixtures', FIXTURES / 'fixtures.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def described(server, databases):
    """All data as fixtures.py tells it, the order of hashes and sets left out."""
    module = fixtures_module()
    resp = module.Resp(server.port)
    data = module.describe(lambda *args: [] if args[0] == 'FUNCTION' else resp(*args), databases)
    data.pop('functions')
    return data


# ---- files of other servers ----

@pytest.mark.skipif(not FIXTURES.exists(), reason='no fixtures')
@pytest.mark.parametrize('name', ['redis-7.0.15', 'redis-8.0.6', 'valkey-9.1.2'])
def test_files_of_other_servers_load_to_the_data_beside_them(name):
    with harness.peer('vitrine') as server:
        server.process.kill()
        server.process.wait()
        shutil.copyfile(FIXTURES / f'{name}.rdb', f'{server.dir}/dump.rdb')
        server.start()
        expected = json.load(open(FIXTURES / f'{name}.rdb.json'))
        expected.pop('functions')
        for reload in (False, True):
            found = described(server, (0, 3))
            for db in expected:
                assert sorted(found[db]) == sorted(expected[db])
                for key, value in expected[db].items():
                    assert found[db][key] == value, (name, db, key, 'reloaded' if reload else 'loaded')
            with server.client() as c:
                c.ok('DEBUG', 'RELOAD')


# ---- to the oracle and back ----

@pytest.fixture(scope='module')
def both():
    with harness.peer('vitrine') as vitrine, harness.peer('oracle') as oracle:
        yield vitrine, oracle


@oracle_only
@pytest.mark.parametrize('seed', [1, 2, 3])
def test_files_of_each_load_in_the_other(seed):
    rng = random.Random(seed)
    databases = (0, 9)
    with harness.peer('vitrine') as vitrine, harness.peer('oracle') as oracle:
        for writer, reader in ((vitrine, oracle), (oracle, vitrine)):
            with writer.client() as c:
                c.ok('CONFIG', 'SET', 'rdbcompression', rng.choice(('yes', 'no')))
                c.ok('FLUSHALL')
                for i in range(150):
                    c.ok('SELECT', rng.choice(databases))
                    add_random_key(rng, c, f'key:{i}')
                c.ok('SAVE')
            data = described(writer, databases)
            reader.process.kill()
            reader.process.wait()
            shutil.copyfile(f'{writer.dir}/dump.rdb', f'{reader.dir}/dump.rdb')
            reader.start()
            assert described(reader, databases) == data
            with reader.client() as c:
                c.ok('FLUSHALL')


@oracle_only
def test_payloads_of_each_restore_in_the_other(both):
    rng = random.Random(11)
    vitrine, oracle = both
    with vitrine.client() as v, oracle.client() as o:
        add = add_random_key
        for i in range(150):
            for here, there in ((v, o), (o, v)):
                here.ok('FLUSHALL')
                there.ok('FLUSHALL')
                add(rng, here, 'k')
                here.ok('PERSIST', 'k')
                assert there.ok('RESTORE', 'k', 0, here.ok('DUMP', 'k')) == b'OK'
                assert described(vitrine, (0,)) == described(oracle, (0,))
                # The oracle has no small encoding of lists, nor of sets of strings.
                if here.ok('TYPE', 'k') not in (b'list', b'set'):
                    assert there.ok('OBJECT', 'ENCODING', 'k') == here.ok('OBJECT', 'ENCODING', 'k')


@oracle_only
def test_restore_and_dump_answer_as_the_oracle_does(both):
    vitrine, oracle = both
    with vitrine.client() as v, oracle.client() as o:
        for c in (v, o):
            c.ok('FLUSHALL')
            c.ok('SET', 's', 'value')
            c.ok('RPUSH', 'l', 'a', 'b')
        good = o.ok('DUMP', 's')
        newer = good[:-10] + b'\xff\x00' + good[-8:]
        cases = [('DUMP', 'none'), ('DUMP',), ('RESTORE', 's', 0, good), ('RESTORE', 't', 0, good),
                 ('RESTORE', 't', 0, good, 'REPLACE'), ('RESTORE', 't', 0, good, 'replace', 'absttl'),
                 ('RESTORE', 't', -1, good, 'REPLACE'), ('RESTORE', 't', 'x', good, 'REPLACE'),
                 ('RESTORE', 'u', 0, good[:-1]), ('RESTORE', 'u', 0, b''), ('RESTORE', 'u', 0, good[:5]),
                 ('RESTORE', 'u', 0, newer), ('RESTORE', 'u', 0, good, 'IDLETIME', -1),
                 ('RESTORE', 'u', 0, good, 'IDLETIME', 'x'), ('RESTORE', 'u', 0, good, 'FREQ', 256),
                 ('RESTORE', 'u', 0, good, 'FREQ', -1), ('RESTORE', 'u', 0, good, 'IDLETIME'),
                 ('RESTORE', 'u', 0, good, 'NOSUCH'), ('RESTORE', 'u', 0, good, 'IDLETIME', 1000),
                 ('OBJECT', 'IDLETIME', 'u'), ('RESTORE', 'u', 0, good, 'IDLETIME', 5, 'FREQ', 5, 'REPLACE'),
                 ('RESTORE', 'v', 1, good, 'ABSTTL'), ('EXISTS', 'v'), ('RESTORE', 's', 1, good, 'ABSTTL', 'REPLACE'),
                 ('EXISTS', 's'), ('RESTORE', 'w', 100000, good), ('RESTORE', 'l', 0, good),
                 ('RESTORE', 'x', 4102444800000, good, 'ABSTTL'), ('PEXPIRETIME', 'x'), ('GET', 'x'),
                 ('RESTORE', 's', 'x', b'broken'), ('RESTORE', 'l', -5, b'broken'), ('RESTORE', 'n', -5, b'broken')]
        for case in cases:
            assert v.raw(*case) == o.raw(*case), case
        assert 99000 < v.ok('PTTL', 'w') <= 100000


@oracle_only
def test_broken_payloads_are_refused_and_never_crash(both):
    """Checksums made right again, so that the bytes themselves are judged."""
    rng = random.Random(5)
    with harness.peer('vitrine') as vitrine, vitrine.client() as c:
        add = add_random_key
        refused = 0
        for i in range(60):
            add(rng, c, 'k')
            payload = c.ok('DUMP', 'k')
            c.ok('DEL', 'k')
            for _ in range(25):
                body = bytearray(payload[:-10])
                for _ in range(rng.randrange(1, 4)):
                    body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
                if rng.randrange(4) == 0:
                    del body[rng.randrange(1, len(body) + 1):]
                reply = c.call('RESTORE', 'r', 0, sealed(bytes(body)), 'REPLACE')
                assert reply in (b'OK', b'ERR Bad data format'), reply
                refused += reply != b'OK'
                c.ok('DEL', 'r')
        assert refused > 300
        assert vitrine.alive()


def crc64(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95ac9329ac4bc9b5 if crc & 1 else 0)
    return crc


def sealed(body, version=10):
    body += version.to_bytes(2, 'little')
    return body + crc64(body).to_bytes(8, 'little')


# ---- saving ----

def niceness_of_child(server):
    pid = server.process.pid
    with open(f'/proc/{pid}/task/{pid}/children') as children:
        return os.getpriority(os.PRIO_PROCESS, int(children.read().split()[0]))


def test_background_saving_and_what_info_says_of_it():
    with harness.peer('vitrine') as server, server.client() as c:
        c.ok('DEBUG', 'POPULATE', 3000)
        c.ok('SET', 'a', 1)
        assert info(c)['rdb_changes_since_last_save'] == '1'
        before = c.ok('LASTSAVE')
        c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 500)
        assert c.ok('BGSAVE') == b'Background saving started'
        assert info(c)['rdb_bgsave_in_progress'] == '1'
        assert c.call('BGSAVE') == b'ERR Background save already in progress'
        assert c.call('SAVE') == b'ERR Background save already in progress'
        c.ok('SET', 'b', 1)
        wait_for(lambda: niceness_of_child(server) == min(os.getpriority(os.PRIO_PROCESS, server.process.pid) + 5, 19))
        wait_for(lambda: info(c)['rdb_bgsave_in_progress'] == '0')
        now = info(c)
        assert now['rdb_last_bgsave_status'] == 'ok' and now['rdb_saves'] == '1'
        assert now['rdb_changes_since_last_save'] == '1', 'what came after the fork is not saved'
        assert c.ok('LASTSAVE') >= before
        assert info(c, 'stats')['total_forks'] == '1'
        assert sorted(os.listdir(server.dir)) == ['dump.rdb', 'log']
        assert 'Background saving terminated with success' in server.log()


@pytest.mark.parametrize('command', ['BGSAVE', 'BGREWRITEAOF'])
def test_info_follows_the_child_at_work(command):
    with harness.peer('vitrine') as server, server.client() as c:
        c.ok('DEBUG', 'POPULATE', 3000)
        c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 1000)
        c.ok(command)
        wait_for(lambda: int(info(c)['current_save_keys_processed']) > 1000)
        during = info(c)
        assert during['current_save_keys_total'] == '3000'
        assert 33 < float(during['current_fork_perc']) <= 100
        assert 0 < int(during['current_cow_size']) <= int(during['current_cow_peak'])
        wait_for(lambda: info(c)['rdb_bgsave_in_progress'] == info(c)['aof_rewrite_in_progress'] == '0', 20)
        after = info(c)
        assert not any(float(after[name]) for name in after if name.startswith('current_'))


def test_a_background_save_can_be_cancelled():
    with harness.peer('vitrine') as server, server.client() as c:
        assert c.call('BGSAVE', 'CANCEL') == b'ERR Background saving is currently not in progress or scheduled'
        c.ok('DEBUG', 'POPULATE', 1000)
        c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 10000)
        c.ok('BGSAVE', 'SCHEDULE')
        wait_for(lambda: any(name.startswith('temp-') for name in os.listdir(server.dir)))
        assert c.ok('BGSAVE', 'CANCEL') == b'Background saving cancelled'
        assert info(c)['rdb_bgsave_in_progress'] == '0'
        assert os.listdir(server.dir) == ['log']
        assert c.call('BGSAVE', 'NOSUCH') == b'ERR syntax error'


def test_save_points_save_and_the_end_saves():
    with harness.peer('vitrine', ('save', ['1', '5'])) as server:
        with server.client() as c:
            for i in range(5):
                c.ok('SET', f'k{i}', i)
            wait_for(lambda: os.path.exists(f'{server.dir}/dump.rdb'))
            wait_for(lambda: info(c)['rdb_changes_since_last_save'] == '0')
            c.ok('SET', 'last', 'words')
        assert server.terminate() == 0
        server.start()
        with server.client() as c:
            assert c.ok('GET', 'last') == b'words'
            assert c.ok('DBSIZE') == 6
            c.ok('DEL', 'last')
            c.send('SHUTDOWN', 'NOSAVE')
            assert c.at_end()
        server.process.wait(10)
        server.start()
        with server.client() as c:
            assert c.ok('GET', 'last') == b'words'
        assert 'DB loaded from disk' in server.log()


def test_shutdown_save_saves_without_save_points():
    with harness.peer('vitrine') as server:
        with server.client() as c:
            c.ok('SET', 'k', 'v')
            c.send('SHUTDOWN', 'SAVE')
            assert c.at_end()
        assert server.process.wait(10) == 0
        assert os.path.exists(f'{server.dir}/dump.rdb')


def failing_saves(kind):
    """A server whose snapshots cannot be written: a folder stands in the file's place."""
    server = harness.peer(kind, ('save', ['3600', '1']))
    os.mkdir(f'{server.dir}/dump.rdb')
    open(f'{server.dir}/dump.rdb/x', 'w').close()
    return server


@oracle_only
def test_a_failed_save_refuses_writes_as_the_oracle_does():
    with failing_saves('vitrine') as vitrine, failing_saves('oracle') as oracle:
        replies = []
        for server in (vitrine, oracle):
            with server.client() as c:
                c.ok('SET', 'k', 'v')
                c.ok('BGSAVE')
                wait_for(lambda: info(c)['rdb_last_bgsave_status'] == 'err')
                seen = [c.call(*command) for command in (
                    ('SET', 'k', 'w'), ('GET', 'k'), ('PING',), ('DEL', 'k'), ('MULTI',), ('SET', 'a', 1), ('EXEC',),
                    ('MULTI',), ('GET', 'k'), ('EXEC',), ('PUBLISH', 'c', 'm'), ('CONFIG', 'SET', 'save', ''),
                    ('SET', 'k', 'w'), ('CONFIG', 'SET', 'save', '3600 1'), ('SET', 'k', 'w'),
                    ('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'), ('SET', 'k', 'x'))]
                replies.append([r for i, r in enumerate(seen) if i != 10])
                assert not any(name.startswith('temp-') for name in os.listdir(server.dir))
        assert replies[0] == replies[1]
        with vitrine.client() as c:
            assert isinstance(c.call('SAVE'), harness.Error)
            assert c.call('SAVE') == f'ERR rename to {vitrine.dir}/dump.rdb: Is a directory'.encode()
            log = vitrine.log()
            assert 'DB saved on disk' not in log and 'Background saving error' in log
            assert f'RDB failed in the background: rename to {vitrine.dir}/dump.rdb: Is a directory' in log
            assert c.call('SHUTDOWN') == b'ERR Errors trying to SHUTDOWN. Check logs.'
            c.send('SHUTDOWN', 'FORCE')
            assert c.at_end()


def test_a_killed_child_leaves_nothing_behind():
    with harness.peer('vitrine') as server, server.client() as c:
        c.ok('SET', 'k', 'v')
        c.ok('SAVE')
        c.ok('DEBUG', 'POPULATE', 1000)
        c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 10000)
        c.ok('BGSAVE')
        wait_for(lambda: any(name.startswith('temp-') for name in os.listdir(server.dir)))
        child = next(int(name[5:-4]) for name in os.listdir(server.dir) if name.startswith('temp-'))
        os.kill(child, signal.SIGKILL)
        wait_for(lambda: info(c)['rdb_last_bgsave_status'] == 'err')
        assert sorted(os.listdir(server.dir)) == ['dump.rdb', 'log']
        server.restart()
        with server.client() as again:
            assert again.ok('DBSIZE') == 1


def ended_pid():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def temporary_files(server):
    return sorted(name for name in os.listdir(server.dir) if 'temp-' in name)


def is_alive(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def test_a_start_removes_what_killed_processes_have_left_and_nothing_else():
    with harness.peer('vitrine', ('appendonly', 'yes')) as server:
        for command in ('BGSAVE', 'BGREWRITEAOF'):
            with server.client() as c:
                c.ok('FLUSHALL')
                c.ok('DEBUG', 'POPULATE', 1000)
                c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 10000)
                c.ok(command)
                wait_for(lambda: temporary_files(server))
            server.process.kill()
            server.process.wait()
            [left] = temporary_files(server)
            wait_for(lambda: not is_alive(int(left.split('.')[0].split('-')[-1])))
            server.start()
            assert temporary_files(server) == []
        server.terminate()
        dead, other = ended_pid(), os.getpid()
        stay = [f'temp-{other}.rdb', f'temp-rewriteaof-bg-{other}.aof', 'temp-.rdb', f'temp-{dead}x.rdb', 'temp- 1.rdb',
                f'temp-{dead}.rdb.old', f'xtemp-{dead}.rdb', f'temp-rewriteaof-bg-{dead}.rdb']
        go = [f'temp-{dead}.rdb', f'temp-rewriteaof-bg-{dead}.aof', f'appendonlydir/appendonly.aof.manifest.tmp-{dead}']
        for name in stay + go:
            open(f'{server.dir}/{name}', 'w').close()
        strange, begun = f'temp-{ended_pid()}.rdb', f'temp-{ended_pid()}.rdb'
        pathlib.Path(server.dir, strange).write_text('what somebody else calls so')
        pathlib.Path(server.dir, begun).write_bytes(b'REDIS0010 and so on')
        server.start()
        assert temporary_files(server) == sorted(stay + [strange])
        assert not any('tmp' in name for name in os.listdir(f'{server.dir}/appendonlydir'))


# ---- loading ----

def test_clients_are_told_while_a_file_is_loaded():
    with harness.peer('vitrine') as server:
        with server.client() as c:
            c.ok('DEBUG', 'POPULATE', 1500)
            c.ok('SAVE')
        server.process.kill()
        server.process.wait()
        server.settings.append(('key-load-delay', 1000))
        server.start()
        with server.client() as c:
            assert c.call('GET', 'key:1') == b'LOADING Redis is loading the dataset in memory'
            now = info(c)
            assert now['loading'] == '1' and 0 <= float(now['loading_loaded_perc']) <= 100
            assert int(now['loading_total_bytes']) == os.path.getsize(f'{server.dir}/dump.rdb')
            wait_for(lambda: info(c)['loading'] == '0')
            assert c.ok('GET', 'key:1') == b'value:1'
            assert info(c)['rdb_last_load_keys_loaded'] == '1500'


def test_a_server_told_to_end_while_it_loads_leaves_the_file_alone():
    with harness.peer('vitrine') as server:
        with server.client() as c:
            c.ok('DEBUG', 'POPULATE', 3000)
            c.ok('SAVE')
        server.process.kill()
        server.process.wait()
        before = open(f'{server.dir}/dump.rdb', 'rb').read()
        server.settings += [('key-load-delay', 1000), ('save', ['1', '1'])]
        for end in ('SIGTERM', 'SHUTDOWN'):
            server.start()
            if end == 'SIGTERM':
                assert server.terminate(2) == 0
            else:
                with server.client() as c:
                    assert c.call('DEBUG', 'RELOAD').startswith(b'LOADING')
                    c.send('SHUTDOWN')
                    assert c.at_end()
                assert server.process.wait(2) == 0
            assert open(f'{server.dir}/dump.rdb', 'rb').read() == before


def test_a_file_that_cannot_be_trusted_ends_the_start_with_a_reason():
    rng = random.Random(3)
    with harness.peer('vitrine') as server:
        with server.client() as c:
            for i in range(40):
                add_random_key(rng, c, f'k{i}')
            c.ok('SAVE')
        server.process.kill()
        server.process.wait()
        path = f'{server.dir}/dump.rdb'
        good = open(path, 'rb').read()
        for i in range(25):
            bad = bytearray(good)
            if i % 3 == 0:
                del bad[rng.randrange(len(bad)):]
            else:
                bad[rng.randrange(9, len(bad))] ^= 1 << rng.randrange(8)
            open(path, 'wb').write(bad)
            assert start_fails(server) == 1
            assert 'Fatal error loading the DB: dump.rdb: ' in server.log()
            assert ", at byte " in server.log() and "'vitrine-check rdb dump.rdb' says what is in it" in server.log()
            assert open(path, 'rb').read() == bad, 'what was not understood must stay'
        os.remove(path)
        os.mkdir(path)
        assert start_fails(server) == 1
        assert 'Is a directory' in server.log()
        os.rmdir(path)
        os.mkfifo(path)
        assert start_fails(server) == 1
        assert 'open dump.rdb: Not a regular file. Move it away' in server.log()
        os.remove(path)
        os.symlink('dump.rdb', path)
        assert start_fails(server) == 1
        assert 'Fatal error loading the DB: open dump.rdb: Too many levels of symbolic links' in server.log()
        os.remove(path)
        server.settings.append(('dbfilename', 'x' * 300))
        assert start_fails(server) == 1
        assert 'File name too long' in server.log()
        server.settings.pop()
        open(path, 'wb').write(b'REDIS0099' + b'\xff' * 9)
        assert start_fails(server) == 1
        assert 'A newer server wrote it: load it there' in server.log()


def start_fails(server):
    server.port = harness.free_port()
    open(server.log_path, 'w').close()
    server._spawn()
    return server.process.wait(10)


def test_reload_keeps_everything_and_merge_replaces():
    with harness.peer('vitrine') as server, server.client() as c:
        c.ok('SET', 'a', '1', 'PX', 100000)
        c.ok('HSET', 'h', 'f', 'v', 'g', 'w')
        c.ok('HPEXPIRE', 'h', 100000, 'FIELDS', 1, 'f')
        moment = c.ok('HPEXPIRETIME', 'h', 'FIELDS', 1, 'f')
        c.ok('DEBUG', 'RELOAD')
        assert 0 < c.ok('PTTL', 'a') <= 100000
        assert c.ok('HPEXPIRETIME', 'h', 'FIELDS', 1, 'f') == moment
        c.ok('SET', 'a', '2')
        assert isinstance(c.call('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH'), harness.Error)
        c.ok('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH', 'MERGE')
        assert c.ok('GET', 'a') == b'1'


def test_what_a_stream_remembers_of_producers_is_kept_but_not_for_older_readers():
    with harness.peer('vitrine') as server, server.client() as c:
        c.ok('XADD', 's', 'MAXLEN', 10, 1, 'f', 'v')
        c.ok('XGROUP', 'CREATE', 's', 'g', '0')
        c.ok('XREADGROUP', 'GROUP', 'g', 'alice', 'STREAMS', 's', '>')
        c.ok('XNACK', 's', 'g', 'FAIL', 'IDS', 1, '1-0')
        plain = c.ok('DUMP', 's')
        assert plain[0] == 19, 'what any reader knows'
        first = c.ok('XADD', 's', 'IDMP', 'p', 'one', '*', 'f', 'v')
        auto = c.ok('XADD', 's', 'IDMPAUTO', 'q', '*', 'f', 'w')
        c.ok('XADD', 't', '1-1', 'f', 'v')
        c.ok('XCFGSET', 't', 'IDMP-MAXSIZE', 7)
        digest = c.ok('DEBUG', 'DIGEST')
        c.ok('DEBUG', 'RELOAD')
        assert c.ok('DEBUG', 'DIGEST') == digest
        c.ok('RESTORE', 'u', 0, c.ok('DUMP', 's'))
        for key in ('s', 'u'):
            assert c.ok('XADD', key, 'IDMP', 'p', 'one', '*', 'f', 'x') == first
            assert c.ok('XADD', key, 'IDMPAUTO', 'q', '*', 'f', 'w') == auto
            assert c.ok('XLEN', key) == 3
            assert c.ok('XPENDING', key, 'g', '-', '+', 9) == [[b'1-0', b'', -1, 1]]
        facts = c.ok('XINFO', 'STREAM', 't')
        assert facts[facts.index(b'idmp-maxsize') + 1] == 7
        c.ok('CONFIG', 'SET', 'rdb-version', 11)
        assert b'cannot hold the key' in c.call('SAVE')
        c.ok('DEL', 's', 't', 'u')
        c.ok('RESTORE', 's', 0, plain)
        c.ok('SAVE')
    if not harness.Oracle.present():
        return
    with harness.Oracle() as oracle, oracle.client() as c:
        c.ok('RESTORE', 's', 0, plain)
        assert c.ok('XPENDING', 's', 'g') == [1, b'1-0', b'1-0', [[b'', b'1']]]


@pytest.mark.parametrize('version,magic', [(0, b'REDIS0012'), (12, b'REDIS0012'), (80, b'VALKEY080')])
def test_versions_of_the_file(version, magic):
    with harness.peer('vitrine', ('rdb-version', version)) as server, server.client() as c:
        c.ok('HSET', 'h', 'f', 'v', 'g', 'w')
        c.ok('HPEXPIREAT', 'h', 4102444800000, 'FIELDS', 1, 'f')
        c.ok('SAVE')
        assert open(f'{server.dir}/dump.rdb', 'rb').read(9) == magic
        c.ok('DEBUG', 'RELOAD')
        assert c.ok('HPEXPIRETIME', 'h', 'FIELDS', 2, 'f', 'g') == [4102444800000, -1]
        payload = c.ok('DUMP', 'h')
        c.ok('RESTORE', 'h2', 0, payload)
        assert c.ok('HPEXPIRETIME', 'h2', 'FIELDS', 2, 'f', 'g') == [4102444800000, -1]
        c.ok('CONFIG', 'SET', 'rdb-version', 10)
        for words in (('SAVE',), ('DUMP', 'h')):
            assert c.call(*words) == b"ERR 'rdb-version 10' cannot hold the key 'h'"
        c.ok('SET', 's', '1')
        c.ok('DUMP', 's')
        assert isinstance(c.call('CONFIG', 'SET', 'rdb-version', 9), harness.Error)
