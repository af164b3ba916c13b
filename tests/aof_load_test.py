"""What an append-only log holds comes back: logs of other servers, a log of one file, logs that a crash has cut and
logs that are damaged; and what the server says when it cannot."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from check_test import CHECK                                       # noqa: E402
from persist_test import FIXTURES, described, info, oracle_only, wait_for    # noqa: E402

MANIFEST = 'appendonly.aof.manifest'
INCREMENT = 'appendonly.aof.1.incr.aof'
FAR = 4102444800000


def encoded(*commands):
    return b''.join(harness.encode([harness.to_bytes(a) for a in command]) for command in commands)


class Log:
    """A folder with a log, and the servers that are started on it."""

    def __init__(self, peer='vitrine', *settings):
        self.server = harness.peer(peer, ('appendonly', 'yes'), *settings, wait=False)
        self.folder = f'{self.server.dir}/appendonlydir'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()

    def write(self, name, content):
        os.makedirs(self.folder, exist_ok=True)
        with open(f'{self.folder}/{name}', 'wb') as f:
            f.write(content)

    def read(self, name):
        with open(f'{self.folder}/{name}', 'rb') as f:
            return f.read()

    def increment(self, *commands, tail=b''):
        """A log of one increment."""
        content = encoded(('SELECT', '0'), *commands)
        self.write(INCREMENT, content + tail)
        self.write(MANIFEST, f'file {INCREMENT} seq 1 type i\n'.encode())
        return len(content)

    def copy(self, source):
        shutil.copytree(source, self.folder)
        os.chmod(self.folder, 0o755)
        for name in os.listdir(self.folder):
            os.chmod(f'{self.folder}/{name}', 0o644)

    def start(self):
        self.stop()
        self.server.start()
        self.wait_until_loaded()
        return self.server.client()

    def wait_until_loaded(self):
        with self.server.client() as c:
            wait_for(lambda: info(c)['loading'] == '0')

    def stop(self):
        if self.server.alive():
            self.server.process.kill()
            self.server.process.wait()

    def refused(self, checked=f'appendonlydir/{MANIFEST}'):
        """The line that says why the server does not start; nothing on the disk has changed. `checked`: what it says
        to examine, if anything."""
        self.stop()
        before = contents(self.server.dir)
        self.server.port = harness.free_port()
        open(self.server.log_path, 'w').close()
        self.server._spawn()
        assert self.server.process.wait(20) == 1
        after = contents(self.server.dir)
        assert before == after
        lines = [line for line in self.server.log().splitlines() if 'Fatal error loading' in line]
        assert len(lines) == 1, self.server.log()
        advice = f"'vitrine-check aof {checked}' says what can be kept" if checked else 'vitrine-check'
        assert (advice in lines[0]) == bool(checked), lines[0]
        return lines[0].split('log: ', 1)[1]


def contents(folder):
    found = {}
    for path in pathlib.Path(folder).rglob('*'):
        if path.name != 'log':
            found[str(path)] = path.read_bytes() if path.is_file() else None
    return found


def run(*command):
    return subprocess.run([str(a) for a in command], input='y', capture_output=True, text=True, timeout=20)


# ---- logs of other servers ----

@pytest.mark.skipif(not FIXTURES.exists(), reason='no fixtures')
@pytest.mark.parametrize('name', ['redis-7.0.15', 'redis-8.0.6', 'valkey-9.1.2'])
def test_logs_of_other_servers_load_to_the_data_beside_them(name):
    with Log() as log:
        log.copy(FIXTURES / f'{name}.aof')
        log.start().close()
        expected = json.load(open(FIXTURES / f'{name}.aof.json'))
        expected.pop('functions')
        found = described(log.server, (0, 3))
        for db in expected:
            assert sorted(found[db]) == sorted(expected[db])
            for key, value in expected[db].items():
                assert found[db][key] == value, (name, db, key)
        assert 'DB loaded from base file' in log.server.log() and 'DB loaded from incr file' in log.server.log()
        assert 'DB loaded from append only file' in log.server.log()
        with log.server.client() as c:
            assert info(c)['rdb_changes_since_last_save'] == '0', 'what was loaded is no change'


@oracle_only
def test_a_snapshot_with_commands_behind_it_is_a_base():
    """As Redis 4 to 6 write it."""
    with harness.peer('oracle') as oracle, oracle.client() as c:
        c.ok('RPUSH', 'l', *range(100))
        c.ok('SET', 'a', '1')
        c.ok('SAVE')
        snapshot = pathlib.Path(f'{oracle.dir}/dump.rdb').read_bytes()
    for commands in ([], [('SELECT', '0'), ('INCR', 'a'), ('SELECT', '3'), ('SET', 'b', '3')]):
        with Log() as log:
            pathlib.Path(f'{log.server.dir}/appendonly.aof').write_bytes(snapshot + encoded(*commands))
            with log.start() as c:
                assert c.ok('LLEN', 'l') == 100
                assert c.ok('GET', 'a') == (b'2' if commands else b'1')
                assert c.ok('DBSIZE') == 2


def test_a_log_of_one_file_is_taken_into_the_folder():
    content = encoded(('SELECT', '0'), ('SET', 'a', '1'))
    with Log() as log:
        single = pathlib.Path(f'{log.server.dir}/appendonly.aof')
        single.write_bytes(content)
        with log.start() as c:
            assert c.ok('GET', 'a') == b'1'
        assert not single.exists()
        assert log.read('appendonly.aof') == content
        assert log.read(MANIFEST).startswith(b'file appendonly.aof seq 1 type b\n')
        assert 'Successfully migrated an old-style AOF file' in log.server.log()
        with log.start() as c:
            assert c.ok('GET', 'a') == b'1'
    with Log() as log:
        # What cannot be read stays where it is, and nothing is made beside it.
        single = pathlib.Path(f'{log.server.dir}/appendonly.aof')
        single.write_bytes(b'junk' + content)
        assert 'appendonly.aof, byte 0' in log.refused('appendonly.aof')
        assert sorted(os.listdir(log.server.dir)) == ['appendonly.aof', 'log']
        single.write_bytes(content + b'*3')
        with log.start() as c:
            assert c.ok('GET', 'a') == b'1'
        assert log.read('appendonly.aof') == content
    with Log() as log:
        # Stopped between the manifest and the move.
        single = pathlib.Path(f'{log.server.dir}/appendonly.aof')
        single.write_bytes(content)
        log.write(MANIFEST, b'file appendonly.aof seq 1 type b\n')
        with log.start() as c:
            assert c.ok('GET', 'a') == b'1'
        assert not single.exists() and log.read('appendonly.aof') == content


def test_several_files_load_in_order_and_each_begins_in_database_0():
    with Log() as log:
        log.write('base', encoded(('SET', 'a', '1'), ('SELECT', '5'), ('SET', 'b', '1')))
        log.write('one', encoded(('INCR', 'a'), ('SELECT', '4'), ('SET', 'c', '1')))
        log.write('empty', b'')
        log.write('old', b'not read at all')
        log.write('two', encoded(('INCR', 'a')))
        log.write(MANIFEST, b'# in any order\nfile one seq 1 type i\nfile old seq 1 type h\nfile base seq 1 type b\n'
                            b'file empty seq 2 type i\nfile two seq 7 type i\n')
        with log.start() as c:
            assert c.ok('GET', 'a') == b'3'
            assert c.ok('DBSIZE') == 1
            c.ok('SELECT', 5)
            assert c.ok('GET', 'b') == b'1'


# ---- how commands are replayed ----

def test_nothing_expires_while_a_log_is_replayed():
    past = str(int(time.time() * 1000) - 100000)
    with Log() as log:
        log.increment(
            ('SET', 'a', 'x', 'PXAT', past), ('APPEND', 'a', 'y'),              # expired when the server was down
            ('SET', 'b', 'x', 'PXAT', past), ('APPEND', 'b', 'y'), ('PERSIST', 'b'),
            ('SET', 'c', 'x'), ('PEXPIREAT', 'c', past), ('SET', 'c', 'z', 'KEEPTTL'),
            ('HSET', 'h', 'f', '1', 'g', '2'), ('HPEXPIREAT', 'h', past, 'FIELDS', '1', 'f'),
            ('HINCRBY', 'h', 'f', '1'), ('HPERSIST', 'h', 'FIELDS', '1', 'f'),
            ('HPEXPIREAT', 'h', past, 'FIELDS', '1', 'g'),
            ('RPUSH', 'l', 'x'), ('PEXPIREAT', 'l', past), ('RPUSH', 'l', 'y'), ('PEXPIREAT', 'l', str(FAR)))
        with log.start() as c:
            wait_for(lambda: c.ok('DBSIZE') == 3)
            assert c.ok('GET', 'a') is None and c.ok('GET', 'c') is None
            assert c.ok('GET', 'b') == b'xy'
            assert c.ok('HGETALL', 'h') == [b'f', b'2']
            assert c.ok('LRANGE', 'l', 0, -1) == [b'x', b'y'] and c.ok('PEXPIRETIME', 'l') == FAR
            c.ok('SET', 'd', 'x', 'PX', 1)
            wait_for(lambda: c.ok('EXISTS', 'd') == 0)


def test_commands_that_would_wait_do_not():
    with Log() as log:
        log.increment(('BLPOP', 'none', '0'), ('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$'), ('RPUSH', 'l', 'a', 'b'),
                      ('BLPOP', 'l', '0'), ('GET', 'l'), ('ping',))
        with log.start() as c:
            assert c.ok('LRANGE', 'l', 0, -1) == [b'b']


def test_errors_of_commands_are_told_of():
    with Log() as log:
        log.increment(('SADD', 's', '1'), ('INCR', 's'), ('SET', 'a', '1'))
        with log.start() as c:
            assert c.ok('DBSIZE') == 2
        line = next(line for line in log.server.log().splitlines() if 'CRITICAL' in line)
        assert "byte 51: the command 'INCR'" in line and 'error: -WRONGTYPE Operation against' in line
        assert '1 of 4 commands' in log.server.log()


# ---- what a crash leaves ----

def cut_logs():
    good = encoded(('SET', 'a', '1'))
    return [good[:-1], good[:2], b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nabc', b'#TS:17',
            encoded(('MULTI',), ('SET', 'k', '1')), encoded(('MULTI',), ('SET', 'k', '1')) + good[:-3],
            bytes(100), b'*3\r\n$3\r\nSET\r\n$1\r\nk' + bytes(100000)]


@pytest.mark.parametrize('case', range(len(cut_logs())))
def test_a_cut_tail_is_cut_off_when_the_settings_say_so(case):
    tail = cut_logs()[case]
    with Log() as log:
        length = log.increment(('SET', 'x', '1'), ('SET', 'y', '2'), tail=tail)
        with log.start() as c:
            assert sorted(c.ok('KEYS', '*')) == [b'x', b'y']
        assert len(log.read(INCREMENT)) == length
        assert f'Truncating the AOF {INCREMENT} at offset {length}' in log.server.log()
        assert 'loaded anyway because aof-load-truncated is enabled' in log.server.log()
        # An empty increment behind it holds nothing that would be out of order.
        log.increment(('SET', 'x', '1'), tail=tail)
        log.write(MANIFEST, f'file {INCREMENT} seq 1 type i\nfile empty seq 2 type i\n'.encode())
        log.write('empty', b'')
        with log.start() as c:
            assert c.ok('DBSIZE') == 1
        log.increment(('SET', 'x', '1'), tail=tail)
        log.write(MANIFEST, f'file {INCREMENT} seq 1 type i\nfile more seq 2 type i\n'.encode())
        log.write('more', encoded(('SET', 'z', '1')))
        assert 'and it is not the last file' in log.refused()
    with Log('vitrine', ('aof-load-truncated', 'no')) as log:
        log.increment(('SET', 'x', '1'), tail=tail)
        reason = log.refused()
        assert reason.startswith('Unexpected end of file reading the append only file appendonlydir/' + INCREMENT)
        assert 'byte ' in reason and f'vitrine-check aof appendonlydir/{MANIFEST}' in reason


def test_what_is_damaged_is_refused_with_a_reason():
    good = encoded(('SET', 'a', '1'))
    cases = [
        (b'xyz', "byte 50: '*' must stand here, not 'x'"),
        (b'*3\r\n$3\r\nSET\r\n$1\r\nkk\r\n$1\r\n1\r\n' + good, 'an argument of 1 bytes does not end here'),
        (b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$900\r\n1\r\n' + good, 'a length is damaged'),
        (encoded(('MULTI',)) + good + encoded(('MULTI',)) + good, 'a MULTI stands here within a transaction'),
        (encoded(('NOSUCH', 'x')), "Unknown command 'NOSUCH' reading the append only file"),
        (encoded(('XGROUP', 'NOSUCH', 'x')), "Unknown command 'XGROUP' reading"),
        (encoded(('SHUTDOWN',)), "The command 'SHUTDOWN' in the append only file"),
        (encoded(('CONFIG', 'SET', 'dir', '/')), "The command 'CONFIG'"),
        (encoded(('SET', 'a')), "The command 'SET'"),
    ]
    with Log() as log:
        for tail, reason in cases:
            log.increment(('SET', 'a', '1'), tail=tail)
            assert reason in log.refused(), tail


def test_an_increment_that_no_line_names_is_not_written_over():
    """The line may be lost: what it named is left to whoever finds that out."""
    with Log() as log:
        log.increment(('SET', 'a', '1'))
        lost = 'appendonly.aof.2.incr.aof'
        log.write(lost, encoded(('SET', 'b', '2')))
        with log.start() as c:
            assert c.ok('KEYS', '*') == [b'a']
            for _ in range(2):
                rewrites = int(info(c)['aof_rewrites'])
                c.ok('BGREWRITEAOF')
                wait_for(lambda: int(info(c)['aof_rewrites']) > rewrites and info(c)['aof_rewrite_in_progress'] == '0')
            c.ok('SET', 'c', '3')
            assert f'{lost} is not named by the manifest' in log.server.log()
        assert log.read(lost) == encoded(('SET', 'b', '2'))
        with log.start() as c:
            assert sorted(c.ok('KEYS', '*')) == [b'a', b'c']



def test_manifests_and_folders_that_are_not_as_they_should_be():
    with Log() as log:
        log.write(MANIFEST, b'file x\n')
        assert log.refused().startswith(f'The manifest appendonlydir/{MANIFEST}, line 1: it must say file, seq and')
        log.write(MANIFEST, b'')
        assert log.refused().startswith(f'The manifest appendonlydir/{MANIFEST} is empty.')
        log.write(MANIFEST, b'file x seq 1 type i\n')
        assert 'names a file that cannot be read: stat appendonlydir/x: No such file' in log.refused()
        os.mkdir(f'{log.folder}/x')
        assert 'appendonlydir/x: Is a directory' in log.refused()
        os.unlink(f'{log.folder}/{MANIFEST}')
        os.mkdir(f'{log.folder}/{MANIFEST}')
        assert f'{MANIFEST}: Is a directory' in log.refused(None)
        os.rmdir(f'{log.folder}/{MANIFEST}')
        os.mkfifo(f'{log.folder}/{MANIFEST}')
        assert f'{MANIFEST}: Not a regular file' in log.refused(None)
        assert run(CHECK, 'aof', f'{log.folder}/{MANIFEST}').returncode == 2
    for name in (INCREMENT, 'appendonly.aof.1.base.aof', 'appendonly.aof.1.base.rdb'):
        with Log() as log:
            log.write(name, encoded(('SET', 'a', '1')))
            assert f'holds {name}, but the manifest appendonlydir/{MANIFEST} is not there' in log.refused(None)
    with Log() as log:
        log.write('appendonly.aof', b'')
        pathlib.Path(f'{log.server.dir}/appendonly.aof').write_bytes(encoded(('SET', 'a', '1')))
        assert 'move the other one away' in log.refused('appendonly.aof')
    with Log() as log:
        os.mkdir(f'{log.server.dir}/appendonly.aof')
        assert 'appendonly.aof: Is a directory' in log.refused(None)
    with Log() as log:
        os.symlink('appendonly.aof', f'{log.server.dir}/appendonly.aof')
        assert 'open appendonly.aof: Too many levels of symbolic links' in log.refused(None)
    with Log() as log:
        pathlib.Path(log.folder).write_bytes(b'')
        assert 'Not a directory' in log.refused(None)


@pytest.mark.parametrize('name', ['appendonly.aof', 'appendonlydir/appendonly.aof.1.base.rdb',
                                  f'appendonlydir/{INCREMENT}'])
def test_a_pipe_is_no_file(name):
    """It would be waited for, for ever."""
    with Log() as log:
        if '/' in name:
            kind = 'b' if 'base' in name else 'i'
            log.write(MANIFEST, f'file {os.path.basename(name)} seq 1 type {kind}\n'.encode())
        os.mkfifo(f'{log.server.dir}/{name}')
        assert f'{name}: Not a regular file' in log.refused(f'appendonlydir/{MANIFEST}' if '/' in name else None)
        assert run(CHECK, 'aof', f'{log.server.dir}/{name}').returncode == 2


def test_what_cannot_be_read_is_named():
    with Log() as log:
        log.increment(('SET', 'a', '1'))
        path = f'{log.folder}/{INCREMENT}'
        os.chmod(path, 0)
        user = 65534
        for at in (log.server.dir, log.folder, f'{log.folder}/{MANIFEST}'):
            os.chown(at, user, user)
        done = subprocess.run([harness.vitrine_path(), '--port', str(harness.free_port()), '--dir', log.server.dir,
                               '--appendonly', 'yes'], capture_output=True, text=True, timeout=20, user=user,
                              group=user, extra_groups=[])
        assert done.returncode == 1
        assert (f"open appendonlydir/{INCREMENT}: Permission denied. Let the server's user read and write that file. "
                'Exiting.') in done.stdout


def test_a_newest_increment_that_is_called_history_is_not_removed():
    with Log() as log:
        log.increment(('SET', 'a', '1'))
        log.write(MANIFEST, f'file {INCREMENT} seq 1 type h\n'.encode())
        assert f"the increment '{INCREMENT}' is called history" in log.refused()
        log.write(MANIFEST, f'file {INCREMENT} seq 2 type i\n'.encode())
        assert f"line 1: the name '{INCREMENT}' and the seq 2 differ" in log.refused()
        status = run(CHECK, 'aof', f'{log.folder}/{MANIFEST}')
        assert status.returncode == 1 and 'and the seq 2 differ' in status.stderr


def test_the_log_of_another_server_is_left_alone():
    """Two servers started in one folder: the second one may not write where the first one does."""
    with Log() as log:
        with log.start() as c, harness.peer('vitrine', ('enable-protected-configs', 'yes')) as other:
            c.ok('SET', 'a', '1')
            before = contents(log.folder)
            sentence = f'appendonlydir is in use by process {log.server.process.pid}. End that one first'
            with other.client() as d:
                d.ok('CONFIG', 'SET', 'dir', log.server.dir)
                assert sentence.encode() in d.call('CONFIG', 'SET', 'appendonly', 'yes')
                assert sentence.encode() in d.call('BGREWRITEAOF')
                assert d.ok('SET', 'b', '1') == b'OK', 'the other one goes on as it was'
            second = run(harness.vitrine_path(), '--port', harness.free_port(), '--dir', log.server.dir, '--appendonly',
                         'yes')
            assert second.returncode == 1 and sentence in second.stdout
            log.write('x.aof', encoded(('SET', 'a', '1')) + b'xyz')
            fixed = run(CHECK, 'aof', '--fix', f'{log.folder}/x.aof')
            assert fixed.returncode == 2 and 'is in use by process' in fixed.stderr
            os.unlink(f'{log.folder}/x.aof')
            assert contents(log.folder) == before
            # Once it is turned off, or gone, another one may.
            c.ok('CONFIG', 'SET', 'appendonly', 'no')
            with other.client() as d:
                d.ok('CONFIG', 'SET', 'appendonly', 'yes')
                wait_for(lambda: info(d)['aof_rewrite_in_progress'] == '0')
        with log.start() as c:
            assert c.ok('KEYS', '*') == [b'b']


@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_scripts_of_a_log_of_redis_6_are_there(peer):
    script = "return redis.call('SET', KEYS[1], ARGV[1])"
    digest = hashlib.sha1(script.encode()).hexdigest()
    with Log(peer) as log:
        single = pathlib.Path(f'{log.server.dir}/appendonly.aof')
        single.write_bytes(encoded(('SELECT', '0'), ('SCRIPT', 'LOAD', 'return 1'), ('SCRIPT', 'FLUSH'),
                                   ('script', 'load', script), ('EVALSHA', digest, '1', 'a', '7')))
        with log.start() as c:
            assert c.ok('GET', 'a') == b'7'
            found = c.ok('SCRIPT', 'EXISTS', digest, hashlib.sha1(b'return 1').hexdigest())
            assert found == [1, 0]
            assert c.ok('EVALSHA', digest, '1', 'b', '8') == b'OK'
    with Log() as log:
        log.increment(('SCRIPT', 'KILL'))
        assert "The command 'SCRIPT'" in log.refused()


@pytest.mark.skipif(not FIXTURES.exists(), reason='no fixtures')
def test_a_damaged_base_is_refused():
    with Log() as log:
        log.copy(FIXTURES / 'redis-7.0.15.aof')
        base = 'appendonly.aof.2.base.rdb'
        good = log.read(base)
        for at in (100, 5000, len(good) - 4):
            log.write(base, good[:at] + bytes([good[at] ^ 4]) + good[at + 1:])
            assert log.refused().startswith(f'appendonlydir/{base}: ')
        log.write(base, good[:-1])
        assert 'the data ends too early' in log.refused()
        log.write(base, b'')
        assert f'{base}: it is empty, where a snapshot has' in log.refused()
        for checked in (base, MANIFEST):
            done = run(CHECK, 'aof', f'{log.folder}/{checked}')
            assert done.returncode == 1 and 'it is empty' in done.stderr


# ---- loading ----

def test_a_snapshot_is_not_read_where_there_should_be_a_log():
    with harness.peer('vitrine') as server, server.client() as c:
        c.ok('SET', 'a', '1')
        c.ok('SAVE')
        snapshot = pathlib.Path(f'{server.dir}/dump.rdb').read_bytes()
    with Log() as log:
        pathlib.Path(f'{log.server.dir}/dump.rdb').write_bytes(snapshot)
        with log.start() as c:
            assert c.ok('DBSIZE') == 0
        assert 'dump.rdb, which is not read' in log.server.log()


def test_clients_are_told_while_a_log_is_loaded():
    with Log('vitrine', ('key-load-delay', 1000)) as log:
        length = log.increment(*(('SET', f'k{i}', i) for i in range(1500)))
        log.server.start()
        with log.server.client() as c:
            assert c.call('GET', 'k1') == b'LOADING Redis is loading the dataset in memory'
            now = info(c)
            assert now['loading'] == '1' and int(now['loading_total_bytes']) == length
            wait_for(lambda: 0 < int(info(c)['loading_loaded_bytes']) < length)
            wait_for(lambda: info(c)['loading'] == '0')
            assert c.ok('DBSIZE') == 1500
        log.stop()
        log.server.start()
        assert log.server.terminate(2) == 0
        assert len(log.read(INCREMENT)) == length
