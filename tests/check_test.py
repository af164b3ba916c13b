"""vitrine-check: what is sound is counted, what is damaged is found, and nothing brings it down."""

import pathlib
import random
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from persist_test import FIXTURES, add_random_key                 # noqa: E402

CHECK = pathlib.Path(harness.vitrine_path()).with_name('vitrine-check')
FILES = sorted(FIXTURES.glob('**/*.rdb'))


def check(path):
    """(exit status, what it says); a crash fails the test."""
    done = subprocess.run([CHECK, 'rdb', path], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1, 2), done.stderr
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
        ('empty', b'', 1, 'ends too early'), ('text', b'hello, this is a text', 1, 'does not begin with REDIS'),
        ('newer', b'REDIS0999' + b'\xff' * 20, 1, "can't handle RDB format version 0999"),
    ]:
        (tmp_path / name).write_bytes(content)
        assert check(tmp_path / name)[0] == status and said in check(tmp_path / name)[1]
    assert check(tmp_path) == (2, f'CANNOT BE READ: open {tmp_path}: Is a directory\n')
    assert check(tmp_path / 'none')[0] == 2
    for args in ([], ['rdb'], ['tape', 'x']):
        done = subprocess.run([CHECK, *args], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.startswith('Usage:')
