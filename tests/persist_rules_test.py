"""When data may be written and when not: while it is loaded, when it is flushed, before the first rewrite is done."""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from persist_test import failing_saves, info, oracle_only, temporary_files, wait_for    # noqa: E402


# ---- while data is loaded ----

def slow_server(*settings, keys=3000, delay=1000):
    """A server with a snapshot that takes its time to load."""
    server = harness.peer('vitrine', *settings)
    with server.client() as c:
        c.ok('DEBUG', 'POPULATE', keys)
        c.ok('SAVE')
    server.process.kill()
    server.process.wait()
    server.settings += [('key-load-delay', delay), ('loading-process-events-interval-bytes', 1024)]
    return server


@pytest.mark.parametrize('log', ['no', 'yes'])
def test_nothing_half_loaded_is_written(log):
    with slow_server() as server:
        if log == 'yes':
            server.settings = [s for s in server.settings if s[0] != 'key-load-delay']
            server.start()
            with server.client() as c:
                wait_for(lambda: info(c)['loading'] == '0')
                c.ok('CONFIG', 'SET', 'appendonly', 'yes')
                wait_for(lambda: os.path.exists(f'{server.dir}/appendonlydir/appendonly.aof.1.base.rdb'))
                wait_for(lambda: info(c)['aof_rewrite_in_progress'] == '0')
            server.process.kill()
            server.process.wait()
            server.settings += [('key-load-delay', 1000), ('appendonly', 'yes')]
        before = files_of(server)
        server.start()
        with server.client() as c:
            refusal = b'LOADING Redis is loading the dataset in memory'
            for words in (('appendonly', 'no'), ('appendonly', 'yes'), ('appendfsync', 'no', 'appendonly', 'yes'),
                          ('dir', '/tmp')):
                assert c.call('CONFIG', 'SET', *words) == refusal
            assert c.ok('CONFIG', 'GET', 'appendonly')[1] == log.encode()
            for words in (['BGREWRITEAOF'], ['BGSAVE'], ['BGSAVE', 'SCHEDULE'], ['SAVE'], ['DEBUG', 'RELOAD'],
                          ['DEBUG', 'POPULATE', '5'], ['FLUSHALL']):
                assert c.call(*words) == refusal, words
            c.ok('CONFIG', 'SET', 'maxmemory', '1gb')
            assert info(c)['loading'] == '1' and files_of(server) == before
            wait_for(lambda: info(c)['loading'] == '0', 20)
            assert c.ok('DBSIZE') == 3000
            c.ok('CONFIG', 'SET', 'appendonly', 'yes')


def files_of(server):
    return {os.path.join(where, name): os.path.getsize(os.path.join(where, name))
            for where, _, names in os.walk(server.dir) for name in names if name != 'log'}


def test_info_and_the_log_tell_how_far_a_load_is():
    with slow_server(keys=4000) as server:
        server.start()
        seen = []
        with server.client() as c:
            for _ in range(6):
                seen.append(info(c))
                time.sleep(0.1)
            log = server.log()
            assert 'Loading RDB produced by version' in log and 'RDB age ' in log
            assert 'RDB memory usage when created ' in log and 'Done loading' not in log
            assert all(int(now['loading_rdb_used_mem']) > 0 for now in seen)
            for field in ('rdb_last_load_keys_loaded', 'loading_loaded_bytes'):
                numbers = [int(now[field]) for now in seen]
                assert numbers == sorted(set(numbers)), (field, numbers)
            assert int(seen[-1]['loading_loaded_bytes']) < int(seen[-1]['loading_total_bytes'])
            wait_for(lambda: re.search(r'Loading dump.rdb: \d+% of', server.log()), 3)


def test_a_server_told_to_end_while_it_loads_was_never_ready():
    with slow_server() as server:
        server.start()
        open(server.log_path, 'w').close()
        assert server.terminate(2) == 0
        assert 'Ready to accept connections' not in server.log()


# ---- FLUSHALL, LASTSAVE and the first rewrite ----

def test_lastsave_is_the_moment_of_the_last_save():
    with harness.peer('vitrine') as server, server.client() as c:
        before = c.ok('LASTSAVE')
        wait_for(lambda: int(c.ok('TIME')[0]) > before)
        c.ok('SAVE')
        assert c.ok('LASTSAVE') > before and c.ok('LASTSAVE') == int(info(c)['rdb_last_save_time'])


@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_a_move_is_one_change(peer):
    with harness.peer(peer) as server, server.client() as c:
        c.ok('RPUSH', 'q', 'a', 'b', 'c')
        for words in (['LMOVE', 'q', 'q', 'LEFT', 'RIGHT'], ['RPOPLPUSH', 'q', 'q'],
                      ['LMOVE', 'q', 'r', 'LEFT', 'LEFT'], ['BLMOVE', 'q', 'r', 'LEFT', 'RIGHT', 0],
                      ['BRPOPLPUSH', 'q', 'q', 0]):
            c.ok('SAVE')
            c.ok(*words)
            assert info(c)['rdb_changes_since_last_save'] == '1', words


@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
@pytest.mark.parametrize('save, left', [(['3600', '1'], [0, 0, 2, 1, 4]), ([''], None)])
def test_flushed_data_does_not_come_back(peer, save, left):
    def changes():
        return int(info(c)['rdb_changes_since_last_save'])
    with harness.peer(peer, ('save', save)) as server, server.client() as c:
        found = []
        for words in (['FLUSHALL'], ['FLUSHALL', 'ASYNC'], ['EXEC'],
                      ['EVAL', "redis.call('set', 'a', 1) redis.call('flushall') redis.call('set', 'b', 1)", 0],
                      ['FLUSHDB']):
            c.ok('DEL', 'a', 'b'), c.ok('SAVE')
            c.ok('MSET', 'a', 1, 'b', 2)
            if words == ['EXEC']:
                c.ok('MULTI'), c.ok('SET', 'a', 1), c.ok('FLUSHALL'), c.ok('SET', 'a', 1), c.ok('SET', 'b', 1)
            c.ok(*words)
            found.append(changes())
        if left:
            assert found == left
        else:
            assert min(found) > 0
    with harness.peer(peer, ('save', save)) as server:
        with server.client() as c:
            for i in range(100):
                c.ok('SET', f'k{i}', i)
            c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 10000)
            c.ok('BGSAVE')
            c.ok('FLUSHALL')
            wait_for(lambda: info(c)['rdb_bgsave_in_progress'] == '0', 0.5)
            time.sleep(1.2)
        server.restart()
        with server.client() as c:
            assert c.ok('DBSIZE') == 0


@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_no_end_before_the_first_rewrite_is_done(peer):
    with harness.peer(peer, ('rdb-key-save-delay', 20000)) as server, server.client() as c:
        for i in range(50):
            c.ok('SET', f'k{i}', i)
        c.ok('CONFIG', 'SET', 'appendonly', 'yes')
        assert c.call('SHUTDOWN') == b'ERR Errors trying to SHUTDOWN. Check logs.'
        assert "Writing initial AOF, can't exit" in server.log()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert c.ok('PING') == b'PONG'
        c.send('SHUTDOWN', 'FORCE')
        assert c.at_end() and server.process.wait(5) == 0


def test_reload_takes_the_place_of_a_background_save():
    with harness.peer('vitrine', ('appendonly', 'yes')) as server, server.client() as c:
        for i in range(100):
            c.ok('SET', f'k{i}', i)
        c.ok('BGSAVE')
        wait_for(lambda: info(c)['rdb_bgsave_in_progress'] == '0')
        assert info(c)['rdb_last_bgsave_time_sec'] == '0', 'whole seconds that have passed'
        c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 100000)
        c.ok('BGSAVE')
        c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 0)
        c.ok('DEBUG', 'RELOAD')
        assert info(c)['rdb_bgsave_in_progress'] == '0' and c.ok('DBSIZE') == 100
        c.ok('DEBUG', 'LOADAOF')
        assert 'DB reloaded by DEBUG RELOAD' in server.log()
        assert 'Append Only File loaded by DEBUG LOADAOF' in server.log()


@oracle_only
def test_saves_and_rewrites_are_counted_when_they_begin():
    counted = []
    for kind in ('vitrine', 'oracle'):
        with failing_saves(kind) as server, server.client() as c:
            seen = []
            for words in (('SAVE',), ('BGSAVE',), ('BGREWRITEAOF',), ('DEBUG', 'RELOAD'), ('FLUSHALL',),
                          ('CONFIG', 'RESETSTAT')):
                c.call(*words)
                wait_for(lambda: {info(c)['rdb_bgsave_in_progress'], info(c)['aof_rewrite_in_progress']} == {'0'})
                seen.append((info(c)['rdb_saves'], info(c)['aof_rewrites']))
            counted.append(seen)
    assert counted[0] == counted[1] == [('1', '0'), ('2', '0')] + [('2', '1')] * 3 + [('0', '0')]


def test_a_file_that_may_not_grow_is_an_error():
    with harness.peer('vitrine') as server, server.client() as c:
        c.ok('DEBUG', 'POPULATE', 1000)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        assert b'File too large' in c.call('SAVE')
        assert c.ok('DBSIZE') == 1000
        assert not temporary_files(server)


# ---- while the working folder changes ----

def mover(*settings):
    """A server that may be sent to another folder."""
    return harness.peer('vitrine', ('enable-protected-configs', 'yes'), *settings)


def test_a_background_save_ends_where_it_began(tmp_path):
    with mover() as server, server.client() as c:
        c.ok('DEBUG', 'POPULATE', 200)
        c.ok('CONFIG', 'SET', 'rdb-key-save-delay', 1000)
        c.ok('BGSAVE')
        c.ok('CONFIG', 'SET', 'dir', tmp_path, 'dbfilename', 'other.rdb')
        wait_for(lambda: info(c)['rdb_bgsave_in_progress'] == '0')
        assert info(c)['rdb_last_bgsave_status'] == 'ok'
        assert sorted(os.listdir(server.dir)) == ['dump.rdb', 'log'] and os.listdir(tmp_path) == []
        c.ok('BGSAVE')
        c.ok('CONFIG', 'SET', 'dir', server.dir)
        c.ok('BGSAVE', 'CANCEL')
        assert os.listdir(tmp_path) == []


def wait_until_on(c):
    wait_for(lambda: [info(c)[f'aof_{name}'] for name in ('enabled', 'rewrite_in_progress', 'rewrite_scheduled',
                                                          'last_bgrewrite_status')] == ['1', '0', '0', 'ok'])


def keys_of_log(folder):
    """What a server finds that is started there."""
    with harness.peer('vitrine', ('appendonly', 'yes'), ('dir', folder)) as server, server.client() as c:
        return sorted(c.ok('KEYS', '*'))


def test_the_log_goes_along_into_another_folder(tmp_path):
    with mover(('appendonly', 'yes'), ('appendfsync', 'always')) as server:
        with server.client() as c:
            c.ok('SET', 'a', '1')
            c.ok('CONFIG', 'SET', 'dir', tmp_path)
            c.ok('SET', 'b', '1')
            wait_until_on(c)
            c.ok('SET', 'c', '1')
            c.ok('BGREWRITEAOF')
            c.ok('SET', 'd', '1')
            wait_until_on(c)
            assert keys_of_log(server.dir) == [b'a'], 'what was left is whole, and free'
            # Back: a log is there, of before.
            reply = c.call('CONFIG', 'SET', 'dir', server.dir)
            assert b'There is an append-only log already' in reply and b'move it away' in reply
            c.ok('SET', 'e', '1')
        server.process.kill()
        server.process.wait()
        assert keys_of_log(tmp_path) == [b'a', b'b', b'c', b'd', b'e']


def test_the_log_of_another_server_is_not_overwritten(tmp_path):
    with mover(('appendonly', 'yes'), ('appendfsync', 'always')) as server, \
            harness.peer('vitrine', ('appendonly', 'yes'), ('appendfsync', 'always')) as other:
        with server.client() as c, other.client() as d:
            c.ok('SET', 'a', '1')
            d.ok('SET', 'b1', '1')
            reply = c.call('CONFIG', 'SET', 'dir', other.dir)
            assert reply.startswith(b"ERR CONFIG SET failed (possibly related to argument 'dir') - The append-only log")
            assert f'is in use by process {other.process.pid}'.encode() in reply
            assert c.ok('CONFIG', 'GET', 'dir')[1] == server.dir.encode()
            c.ok('BGREWRITEAOF')
            wait_until_on(c)
            c.ok('SET', 'a2', '1')
            d.ok('SET', 'b2', '1')
        for each in (server, other):
            each.process.kill()
            each.process.wait()
        assert keys_of_log(other.dir) == [b'b1', b'b2']
        assert keys_of_log(server.dir) == [b'a', b'a2']


@pytest.mark.parametrize('obstacle', ['a file', 'another setting'])
def test_a_log_that_cannot_go_along_stays(tmp_path, obstacle):
    words = ['dir', tmp_path]
    if obstacle == 'a file':
        (tmp_path / 'appendonlydir').write_text('')
    else:
        words += ['bind', '192.0.2.1']
    with mover(('appendonly', 'yes'), ('appendfsync', 'always')) as server:
        with server.client() as c:
            c.ok('SET', 'a', '1')
            assert c.call('CONFIG', 'SET', *words).startswith(b'ERR CONFIG SET failed')
            assert c.ok('CONFIG', 'GET', 'dir')[1] == server.dir.encode()
            if obstacle == 'a file':
                assert info(c)['aof_rewrites'] == '0', 'nothing was closed'
            wait_until_on(c)
            c.ok('SET', 'b', '1')
        server.process.kill()
        server.process.wait()
        assert keys_of_log(server.dir) == [b'a', b'b']


@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_a_rewrite_makes_the_folder_anew_that_was_removed(peer):
    with harness.peer(peer, ('appendonly', 'yes'), ('appendfsync', 'always')) as server:
        with server.client() as c:
            c.ok('SET', 'a', '1')
            shutil.rmtree(f'{server.dir}/appendonlydir')
            c.ok('BGREWRITEAOF')
            wait_until_on(c)
            c.ok('SET', 'b', '1')
            if peer == 'vitrine':
                second = subprocess.run([harness.vitrine_path(), '--port', str(harness.free_port()), '--dir',
                                         server.dir, '--appendonly', 'yes'], capture_output=True, text=True, timeout=20)
                assert f'is in use by process {server.process.pid}' in second.stdout
        server.process.kill()
        server.process.wait()
        assert keys_of_log(server.dir) == [b'a', b'b']


def test_a_folder_that_another_server_has_made_anew_is_left_to_it():
    with harness.peer('vitrine', ('appendonly', 'yes')) as server, server.client() as c:
        c.ok('SET', 'a', '1')
        shutil.rmtree(f'{server.dir}/appendonlydir')
        with harness.peer('vitrine', ('appendonly', 'yes'), ('dir', server.dir)) as other:
            before = sorted(os.listdir(f'{server.dir}/appendonlydir'))
            for _ in range(2):
                assert f'is in use by process {other.process.pid}'.encode() in c.call('BGREWRITEAOF')
            assert sorted(os.listdir(f'{server.dir}/appendonlydir')) == before
            assert c.ok('GET', 'a') == b'1'


@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_a_working_folder_that_was_removed_is_no_end(peer, tmp_path):
    with harness.peer(peer, ('enable-protected-configs', 'yes')) as server, server.client() as c:
        (tmp_path / 'gone').mkdir()
        c.ok('CONFIG', 'SET', 'dir', tmp_path / 'gone')
        (tmp_path / 'gone').rmdir()
        reply = c.call('CONFIG', 'SET', 'dir', tmp_path / 'none')
        assert reply.endswith(b"'dir') - No such file or directory")
        assert c.ok('CONFIG', 'GET', 'dir') == [b'dir', b'']
        c.ok('CONFIG', 'SET', 'dir', tmp_path)
        assert c.ok('SAVE') == b'OK' and (tmp_path / 'dump.rdb').exists()


# ---- for tests of others ----

@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_checksums_need_not_be_looked_at(peer):
    """DEBUG SET-SKIP-CHECKSUM-VALIDATION: of payloads and of files."""
    with harness.peer(peer) as server, server.client() as c:
        c.ok('SET', 'a', 'value')
        payload = c.ok('DUMP', 'a')
        wrong = payload[:-1] + bytes([payload[-1] ^ 1])
        assert c.call('RESTORE', 'b', 0, wrong) == b'ERR DUMP payload version or checksum are wrong'
        c.ok('SAVE')
        file = pathlib.Path(server.dir) / 'dump.rdb'
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert c.ok('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', 1) == b'OK'
        assert c.ok('RESTORE', 'b', 0, wrong) == b'OK' and c.ok('GET', 'b') == b'value'
        assert c.ok('DEBUG', 'RELOAD', 'NOSAVE') == b'OK' and c.ok('KEYS', '*') == [b'a']
        assert c.ok('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', 0) == b'OK'
        assert c.call('RESTORE', 'c', 0, wrong) == b'ERR DUMP payload version or checksum are wrong'
