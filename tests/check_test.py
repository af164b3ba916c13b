"""vitrine-check: what is sound is counted, what is damaged is found, and nothing brings it down."""

import pathlib
import random
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from persist_test import FIXTURES, add_random_key                 # noqa: E402

CHECK = pathlib.Path(harness.vitrine_path()).with_name('vitrine-check')
FILES = sorted(FIXTURES.glob('**/*.rdb'))


def check(path, kind='rdb'):
    """(exit status, what it says); a crash fails the test."""
    done = subprocess.run([CHECK, kind, path], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1, 2, 3), done.stderr
    assert (done.returncode == 0) == bool(done.stdout) == (not done.stderr)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_files_of_other_servers_are_sound(path):
    status, text = check(path)
    assert status == 0 and text.endswith('OK: read to the end, and the checksum is right.\n'), text
    assert 'database 3: 227 keys, 68 of them with an expiry' in text and '1 function libraries' in text


def test_counts_are_what_the_server_holds():
    with harness.peer('vitrine') as server, server.client() as c:
        rng = random.Random(3)
        for i in range(60):
            add_random_key(rng, c, f'key:{i}')
        c.ok('RPUSH', 'the longest', *(f'item {i}' for i in range(50_000)))
        lists = [k for k in c.ok('KEYS', '*') if c.ok('TYPE', k) == b'list']
        elements = sum(c.ok('LLEN', k) for k in lists)
        c.ok('SAVE')
        status, text = check(pathlib.Path(c.ok('CONFIG', 'GET', 'dir')[1].decode()) / 'dump.rdb')
    assert status == 0 and 'database 0: 61 keys' in text
    row = next(line.split() for line in text.splitlines() if line.split()[0] == 'list')
    assert row[1:3] == [str(len(lists)), str(elements)] and "'the longest': 50000 elements" in text


@pytest.mark.skipif(not FILES, reason='no fixtures')
def test_damage_is_found(tmp_path):
    whole, path = FILES[0].read_bytes(), tmp_path / 'damaged.rdb'
    rng = random.Random(11)
    for i in range(120):
        damaged = bytearray(whole)
        if i % 3 == 0:
            del damaged[rng.randrange(len(damaged)):]
        else:
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        status, text = check(path)
        assert status == 1 and 'DAMAGED: ' in text and ', at byte ' in text, (i, text)


def test_what_is_no_snapshot(tmp_path):
    for name, content, status, said in [
        ('empty', b'', 1, 'ends too early'),
        ('text', b'hello, this is a text', 1, 'does not begin with REDIS or VALKEY, at byte 0.'),
        ('newer', b'REDIS0999' + b'\xff' * 20, 3, "REFUSED: can't handle RDB format version 0999, at byte 9."),
        ('none', b'REDIS00x1' + b'\xff' * 20, 1, "there is no RDB format version '00x1'"),
    ]:
        (tmp_path / name).write_bytes(content)
        assert check(tmp_path / name)[0] == status and said in check(tmp_path / name)[1]
    assert check(tmp_path) == (2, f'CANNOT BE READ: open {tmp_path}: Is a directory\n')
    assert check('/dev/null') == (2, 'CANNOT BE READ: open /dev/null: Not a regular file\n')
    assert check(tmp_path / 'absent')[0] == 2
    for args in ([], ['rdb'], ['tape', 'x'], ['aof'], ['aof', '--fix'], ['rdb', '--fix', 'x']):
        done = subprocess.run([CHECK, *args], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.startswith('Usage:')


def test_what_a_server_would_refuse(tmp_path):
    path = tmp_path / 'x.rdb'
    for body, said in [
        (b'\x00\x01a\x01x\x00\x01b\x01x\x00\x01a\x01y', "a key that stands there twice, at byte 24, in or after"),
        (b'\xf5\x05abcde', 'ERR Missing library metadata'),
        (b'\xf5\x0e#!lua name=x\nx', 'ERR Error compiling function'),
        (b'\xf5\x0f#!lua name=x\n--', 'ERR No functions registered'),
    ]:
        path.write_bytes(b'REDIS0010' + body + b'\xff' + bytes(8))
        status, text = check(path)
        assert status == 1 and 'DAMAGED: ' in text and said in text, text
    path.write_bytes(b'REDIS0010\xfe\x00\x00\x01a\x01x\xfe\x01\x00\x01a\x01x\xff' + bytes(8))
    assert check(path)[0] == 0, 'two databases'
    path.write_bytes(b'REDIS0010\xfd\x01\x00\x00\x00\x00\x01a\x01x\x00\x01a\x01y\xff' + bytes(8))
    assert check(path)[0] == 0, 'the first has expired'


# ---- the append-only log ----

LOGS = sorted(FIXTURES.glob('*.aof'))


def fix(path, answer):
    done = subprocess.run([CHECK, 'aof', '--fix', path], capture_output=True, text=True, timeout=60, input=answer)
    return done.returncode, done.stdout + done.stderr


def encoded(*commands):
    return b''.join(harness.encode([harness.to_bytes(a) for a in command]) for command in commands)


@pytest.mark.parametrize('folder', LOGS, ids=lambda p: p.name)
def test_logs_of_other_servers_are_sound(folder):
    status, text = check(folder / 'appendonly.aof.manifest', 'aof')
    assert status == 0 and text.endswith('OK: all files were read to the end.\n'), text
    assert '1 base, 1 increments, 0 files no longer needed' in text
    assert 'database 3: 227 keys' in text and 'the base of an append-only file' in text and "'after:rewrite'" in text


def test_a_log_is_counted_and_its_damage_found_and_cut(tmp_path):
    path = tmp_path / 'appendonly.aof.1.incr.aof'
    good = (b'#TS:1700000000\r\n' + encoded(('SELECT', 0), ('SET', 'a', 'x' * 100), ('set', 'b', '1')) +
            b'#TS:1700000060\r\n' + encoded(('MULTI',), ('DEL', 'a'), ('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM'),
                                           ('EXEC',)))
    path.write_bytes(good)
    status, text = check(path, 'aof')
    assert status == 0 and text.endswith('OK: read to the end.\n')
    assert f'{len(good)} bytes, 5 commands, 1 transactions, written from 2023-11-14 22:13:20 to 2023-11-14' in text
    row = next(line.split() for line in text.splitlines() if line.split()[0] == 'set')
    assert row[1:3] == ['2', '109'] and f"'a': 104 bytes, at byte {good.index(b'*3')}" in text
    for tail, why in [(b'*3', 'the file ends within the command'), (b'junk', "'*' must stand here, not 'j'"),
                      (encoded(('MULTI',), ('SET', 'c', '1')), 'has no end'), (bytes(20), 'zeros only')]:
        path.write_bytes(good + tail)
        status, text = check(path, 'aof')
        assert status == 1 and why in text and f'Before it {len(good)} bytes are sound; {len(tail)} are' in text, text
        for answer in ('', 'n\n'):
            status, text = fix(path, answer)
            assert status == 1 and 'Nothing was changed' in text and path.read_bytes() == good + tail
        status, text = fix(path, 'y\n')
        assert status == 0 and text.endswith(f'was cut to {len(good)} bytes.\n') and path.read_bytes() == good
    path.write_bytes(b'')
    assert check(path, 'aof')[0] == 0


def test_what_is_whole_but_not_known_here_is_told_of_and_never_cut(tmp_path):
    path = tmp_path / 'appendonly.aof.1.incr.aof'
    good = encoded(('SET', 'a', '1'))
    for strange, why in [(encoded(('SEU', 'c', '1')), "there is no command 'SEU'"),
                         (encoded(('MULTI',), ('SET', 'c'), ('EXEC',)), 'wrong number of arguments'),
                         (encoded(('INFO',)), "'info' has no place in a log"),
                         (encoded(('CONFIG', 'SET', 'dir', '/')), "'config' has no place in a log")]:
        path.write_bytes(good + strange + good)
        for status, text in (check(path, 'aof'), fix(path, 'y\n')):
            assert status == 3 and f'will refuse {path}, byte {len(good)}: ' in text and why in text, text
            assert 'REFUSED: ' in text and 'DAMAGED' not in text and 'commands' in text
            assert path.read_bytes() == good + strange + good
        path.write_bytes(good + strange + good + b'*3')
        assert check(path, 'aof')[0] == 1
        assert fix(path, 'y\n')[0] == 0 and path.read_bytes() == good + strange + good


def test_commands_that_a_server_loads_are_not_told_of(tmp_path):
    path = tmp_path / 'appendonly.aof'
    path.write_bytes(encoded(('SELECT', '0'), ('SCRIPT', 'LOAD', 'return 1'), ('SCRIPT', 'FLUSH'), ('GET', 'a'),
                             ('PING',), ('PUBLISH', 'c', 'm'), ('SET', 'a', '1')))
    assert check(path, 'aof')[0] == 0


def test_what_could_not_be_told_is_no_success(tmp_path):
    path = tmp_path / 'appendonly.aof.1.incr.aof'
    path.write_bytes(encoded(('SET', 'a', '1')))
    with open('/dev/full', 'w') as full:
        assert subprocess.run([CHECK, 'aof', path], stdout=full, timeout=20).returncode == 2


def test_only_the_last_file_is_cut(tmp_path):
    good = encoded(('SET', 'a', '1'))
    manifest = tmp_path / 'x.manifest'
    manifest.write_text('file base seq 1 type b\nfile one seq 1 type i\nfile two seq 2 type i\n')
    for name in ('base', 'one', 'two'):
        (tmp_path / name).write_bytes(good)
    assert check(manifest, 'aof')[0] == 0
    for name in ('base', 'one'):
        (tmp_path / name).write_bytes(good + b'*3')
        status, text = fix(manifest, 'y\n')
        assert status == 1 and f'{name}, byte 27' in text and 'would leave a gap' in text
        (tmp_path / name).write_bytes(good)
    (tmp_path / 'two').write_bytes(good + b'*3')
    assert fix(manifest, 'y\n')[0] == 0 and (tmp_path / 'two').read_bytes() == good
    (tmp_path / 'one').write_bytes(good + b'*3')
    (tmp_path / 'two').write_bytes(b'')
    assert fix(manifest, 'y\n')[0] == 0 and (tmp_path / 'one').read_bytes() == good
    (tmp_path / 'two').unlink()
    assert check(manifest, 'aof')[0] == 2
    manifest.write_text('file base\n')
    status, text = check(manifest, 'aof')
    assert status == 1 and 'line 1: it must say file, seq and type' in text
    assert check(tmp_path / 'none.manifest', 'aof')[0] == 2 and check(tmp_path, 'aof')[0] == 2


def truncate(path, second):
    done = subprocess.run([CHECK, 'aof', '--truncate-to-timestamp', str(second), path], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_a_log_is_brought_back_to_a_moment(tmp_path):
    path = tmp_path / 'appendonly.aof.1.incr.aof'
    pieces = [b'#TS:1700000000\r\n' + encoded(('SELECT', 0), ('SET', 'a', '1')),
              b'#TS:1700000005\r\n' + encoded(('MULTI',), ('SET', 'b', '1'), ('SET', 'c', '1'), ('EXEC',)),
              b'#TS:1700000006\r\n#TS:1700000009\r\n' + encoded(('SET', 'd', '1')), encoded(('SET', 'e', '1'))]
    whole = b''.join(pieces)
    for second, kept, commands in [(1699999999, 0, 0), (1700000000, 1, 2), (1700000004, 1, 2), (1700000005, 2, 4),
                                   (1700000008, 2, 4), (1700000009, 4, None), (1 << 40, 4, None)]:
        path.write_bytes(whole)
        status, text = truncate(path, second)
        left = b''.join(pieces[:kept])
        assert status == 0 and path.read_bytes() == left, (second, text)
        if commands is None:
            assert text.endswith('nothing was written later, and nothing was changed.\n')
        else:
            assert f'was cut from {len(whole)} to {len(left)} bytes' in text and f'{commands} commands' in text
    path.write_bytes(encoded(('SET', 'a', '1')))
    status, text = truncate(path, 1700000000)
    assert status == 2 and 'no annotation says when' in text
    path.write_bytes(pieces[0] + b'junk' + pieces[2])
    status, text = truncate(path, 1700000000)
    assert status == 1 and f'Before it {len(pieces[0])} bytes' in text and b'junk' in path.read_bytes()
    for wrong in ('x', '-1', '0', ''):
        assert truncate(path, wrong)[0] == 2


def test_only_the_last_file_is_brought_back(tmp_path):
    manifest = tmp_path / 'x.manifest'
    manifest.write_text('file one seq 1 type i\nfile two seq 2 type i\n')
    early, late = (f'#TS:{s}\r\n'.encode() + encoded(('SET', 'a', s)) for s in (1700000000, 1700000060))
    (tmp_path / 'one').write_bytes(early + late)
    (tmp_path / 'two').write_bytes(late)
    status, text = truncate(manifest, 1700000000)
    assert status == 1 and f'begins in {tmp_path}/one, at byte {len(early)}, and that is not the last file' in text
    assert (tmp_path / 'one').read_bytes() == early + late and (tmp_path / 'two').read_bytes() == late
    (tmp_path / 'two').write_bytes(b'')
    assert truncate(manifest, 1700000000)[0] == 0 and (tmp_path / 'one').read_bytes() == early
    (tmp_path / 'two').write_bytes(late)
    assert truncate(manifest, 1700000059)[0] == 0 and (tmp_path / 'two').read_bytes() == b''


def test_a_base_of_unknown_age_is_left_alone(tmp_path):
    manifest = tmp_path / 'x.manifest'
    manifest.write_text('file base seq 1 type b\nfile one seq 1 type i\n')
    late = b'#TS:1700000060\r\n' + encoded(('SET', 'b', '1'))
    (tmp_path / 'base').write_bytes(encoded(('SET', 'a', '1')))
    (tmp_path / 'one').write_bytes(late)
    status, text = truncate(manifest, 1700000000)
    assert status == 1 and 'Nothing was changed: no annotation says when that was written' in text, text
    assert (tmp_path / 'one').read_bytes() == late
    (tmp_path / 'base').write_bytes(late)
    (tmp_path / 'one').write_bytes(b'')
    status, text = truncate(manifest, 1700000000)
    assert status == 1 and 'is a base that was written later' in text and (tmp_path / 'base').read_bytes() == late
    (tmp_path / 'base').write_bytes(b'#TS:1700000000\r\n' + encoded(('SET', 'a', '1')))
    (tmp_path / 'one').write_bytes(late)
    assert truncate(manifest, 1700000000)[0] == 0 and (tmp_path / 'one').read_bytes() == b''


def test_a_base_of_commands_says_when_it_was_written():
    with harness.peer('vitrine', ('appendonly', 'yes'), ('aof-timestamp-enabled', 'yes'),
                      ('aof-use-rdb-preamble', 'no')) as server, server.client() as c:
        c.ok('SET', 'a', '1')
        now = int(c.ok('TIME')[0])
        c.ok('BGREWRITEAOF')
        base = pathlib.Path(server.dir) / 'appendonlydir/appendonly.aof.2.base.aof'
        deadline = time.monotonic() + 10
        while not base.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        first = base.read_bytes().split(b'\r\n')[0]
        assert first.startswith(b'#TS:') and 0 <= int(first[4:]) - now <= 5


def test_what_a_server_has_written_is_brought_back():
    with harness.peer('vitrine', ('appendonly', 'yes'), ('aof-timestamp-enabled', 'yes')) as server:
        manifest = pathlib.Path(server.dir) / 'appendonlydir/appendonly.aof.manifest'
        with server.client() as c:
            c.ok('SET', 'early', '1')
            second = int(c.ok('TIME')[0])
            while int(c.ok('TIME')[0]) == second:
                time.sleep(0.01)
            c.ok('SET', 'late', '1')
        assert server.terminate() == 0
        status, text = truncate(manifest, second - 3600)
        assert status == 1 and 'is a snapshot of' in text and 'of later' in text, text
        assert truncate(manifest, second)[0] == 0
        server.start()
        with server.client() as c:
            assert c.ok('KEYS', '*') == [b'early']


@pytest.mark.skipif(not LOGS, reason='no fixtures')
def test_damaged_logs_are_found(tmp_path):
    base = (LOGS[0] / 'appendonly.aof.2.base.rdb').read_bytes()
    path = tmp_path / 'log'
    whole = base + (LOGS[0] / 'appendonly.aof.2.incr.aof').read_bytes()
    path.write_bytes(whole)
    assert check(path, 'aof')[0] == 0
    rng = random.Random(12)
    for i in range(120):
        damaged = bytearray(whole)
        at = rng.randrange(len(base) - 100, len(whole)) if i % 2 else rng.randrange(len(whole))
        if i % 3 == 0:
            del damaged[at:]
        else:
            damaged[at] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        status, text = check(path, 'aof')
        assert status == 1 or at >= len(base), (i, at, text)
