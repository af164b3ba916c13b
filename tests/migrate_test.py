"""MIGRATE: keys that move to another server, ours or Debian's Redis, and what happens when the way is cut."""

import pathlib
import random
import socket
import sys
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from harness import Error                                         # noqa: E402
from persist_test import FIXTURES, add_random_key, described      # noqa: E402

HOST = '127.0.0.1'
WAYS = [('vitrine', 'vitrine')]
if harness.Oracle.present():
    WAYS += [('vitrine', 'oracle'), ('oracle', 'vitrine')]


@pytest.fixture(scope='module', params=WAYS, ids='-to-'.join)
def way(request):
    source, target = request.param
    with harness.peer(source) as a, harness.peer(target) as b:
        yield a, b
        assert a.alive() and b.alive(), a.log() + b.log()


@pytest.fixture
def ends(way):
    with way[0].client() as a, way[1].client() as b:
        a.ok('FLUSHALL'), b.ok('FLUSHALL')
        yield a, b, way[1].port


def values(server):
    """All data but the moments of expiry, which move with the time that the way takes."""
    data = described(server, [0])
    for key in data['0'].values():
        key['expireat'] = key['expireat'] >= 0
    return data


needs_fixtures = pytest.mark.skipif(not FIXTURES.exists(), reason='no fixtures')


@needs_fixtures
def test_everything_arrives(way, ends):
    a, b, port = ends
    rng = random.Random(7)
    for i in range(150):
        add_random_key(rng, a, f'key:{i}')
    keys, before = sorted(a.ok('KEYS', '*')), values(way[0])
    assert a.ok('MIGRATE', HOST, port, '', 0, 5000, 'COPY', 'KEYS', *keys) == b'OK'
    assert values(way[0]) == before and values(way[1]) == before
    assert a.ok('MIGRATE', HOST, port, '', 0, 5000, 'REPLACE', 'KEYS', *keys) == b'OK'
    assert a.ok('DBSIZE') == 0 and values(way[1]) == before


def test_expiry_and_database_go_along(ends):
    a, b, port = ends
    a.ok('SELECT', 2), a.ok('SET', 'k', 'v', 'PX', 60000), a.ok('SET', 'other', 'w')
    assert a.ok('MIGRATE', HOST, port, 'k', 3, 1000) == b'OK'
    assert a.ok('MIGRATE', HOST, port, 'other', 1, 1000) == b'OK'
    b.ok('SELECT', 3)
    assert b.ok('GET', 'k') == b'v' and 50000 < b.ok('PTTL', 'k') <= 60000
    b.ok('SELECT', 1)
    assert b.ok('GET', 'other') == b'w' and b.ok('PTTL', 'other') == -1
    assert a.ok('MIGRATE', HOST, port, 'k', 3, 1000) == b'NOKEY'
    a.ok('SELECT', 0), b.ok('SELECT', 0)


def test_what_is_there_stays_unless_replaced(ends):
    a, b, port = ends
    a.ok('MSET', 'x', 1, 'y', 2), b.ok('SET', 'x', 'old')
    assert a.call('MIGRATE', HOST, port, '', 0, 1000, 'KEYS', 'x', 'y', 'nothing') == Error(
        b'ERR Target instance replied with error: BUSYKEY Target key name already exists.')
    assert a.ok('MGET', 'x', 'y') == [b'1', None] and b.ok('MGET', 'x', 'y') == [b'old', b'2']
    assert a.ok('MIGRATE', HOST, port, 'x', 0, 1000, 'REPLACE') == b'OK'
    assert a.ok('EXISTS', 'x') == 0 and b.ok('GET', 'x') == b'1'


def test_refusals(way, ends):
    a, b, port = ends
    a.ok('SET', 'k', 'v')
    for words, said in [
        ((port, 'k', 'x', 1000), b'ERR value is not an integer or out of range'),
        ((port, 'k', 0, 'x'), b'ERR value is not an integer or out of range'),
        ((port, 'k', 0, 1000, 'NOW'), b'ERR syntax error'),
        ((port, 'k', 0, 1000, 'AUTH'), b'ERR syntax error'),
        ((port, 'k', 0, 1000, 'AUTH2', 'u'), b'ERR syntax error'),
        ((port, 'k', 0, 1000, 'KEYS', 'k'),
         b'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string'),
        ((port, 'k', 999, 1000), b'ERR Target instance replied with error: ERR DB index is out of range'),
        ((port, 'k', 0, 1000, 'AUTH2', 'nobody', 'secret'),
         b'ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.'),
        ((harness.free_port(), 'k', 0, 1000), b'IOERR error or timeout writing to target instance'),
    ]:
        assert a.call('MIGRATE', HOST, *words) == Error(said), words
    assert a.ok('MIGRATE', HOST, port, '', 0, 1000, 'KEYS') == b'NOKEY'
    assert a.ok('GET', 'k') == b'v'
    # Redis sends the keys along with a SELECT that is refused: they end up in the database that was selected before.
    assert b.ok('DBSIZE') == (way[0].__class__ is harness.Oracle)


def test_a_password_opens_the_other_side():
    with harness.peer('vitrine') as here, harness.peer('vitrine', ('requirepass', 'open')) as there:
        with here.client() as a, there.client() as b:
            a.ok('SET', 'k', 'v'), b.ok('AUTH', 'open')
            assert a.call('MIGRATE', HOST, there.port, 'k', 0, 1000).startswith(
                b'ERR Target instance replied with error: NOAUTH')
            assert a.ok('MIGRATE', HOST, there.port, 'k', 0, 1000, 'AUTH', 'open') == b'OK'
            assert b.ok('GET', 'k') == b'v' and a.ok('EXISTS', 'k') == 0


def test_inside_a_transaction_and_deletes_are_seen_by_watch(ends):
    a, b, port = ends
    a.ok('SET', 'k', 'v')
    a.ok('MULTI'), a.ok('MIGRATE', HOST, port, 'k', 0, 1000), a.ok('EXISTS', 'k')
    assert a.ok('EXEC') == [b'OK', 0] and b.ok('GET', 'k') == b'v'


@pytest.fixture(scope='module')
def ours():
    with harness.peer('vitrine') as s:
        yield s


def listener(talk):
    """A server that does with its only client what `talk` says; returns its port."""
    door = socket.create_server((HOST, 0))

    def serve():
        with door, door.accept()[0] as s:
            s.settimeout(10)
            talk(s)
    threading.Thread(target=serve, daemon=True).start()
    return door.getsockname()[1]


def test_a_target_that_is_silent(ours):
    held = threading.Event()
    port = listener(lambda s: held.wait(10))
    with ours.client() as a:
        a.ok('SET', 'k', 'v')
        said = a.call('MIGRATE', HOST, port, 'k', 0, 200)
        assert said == Error(b'IOERR error or timeout reading to target instance')
        assert a.ok('GET', 'k') == b'v'
    held.set()


def test_a_target_that_dies_after_half_the_answers(ours):
    def talk(s):
        got = b''
        while b'SELECT' not in got:
            got += s.recv(65536)
        s.sendall(b'+OK\r\n')
        got = b''
        while got.count(b'RESTORE') < 3 or not got.endswith(b'\r\n'):
            got += s.recv(65536)
        s.sendall(b'+OK\r\n-BUSYKEY no\r\n+O')
    port = listener(talk)
    with ours.client() as a:
        a.ok('FLUSHALL'), a.ok('MSET', 'a', 1, 'b', 2, 'c', 3)
        assert a.call('MIGRATE', HOST, port, '', 0, 1000, 'KEYS', 'a', 'b', 'c') == Error(
            b'IOERR error or timeout reading to target instance')
        assert a.ok('MGET', 'a', 'b', 'c') == [None, b'2', b'3']


def test_a_kept_connection_that_was_closed_is_made_anew():
    with harness.peer('vitrine') as here, harness.peer('vitrine') as there, here.client() as a, there.client() as b:
        a.ok('MSET', 'x', 1, 'y', 2)
        assert a.ok('MIGRATE', HOST, there.port, 'x', 0, 1000) == b'OK'
        assert harness.info(a, 'migrate_cached_sockets') == '1'
        b.ok('CLIENT', 'KILL', 'SKIPME', 'yes')
        assert a.ok('MIGRATE', HOST, there.port, 'y', 0, 1000) == b'OK'
        assert b.ok('MGET', 'x', 'y') == [b'1', b'2']


@needs_fixtures
def test_large_values(way, ends):
    a, b, port = ends
    a.ok('SET', 'big', 'x' * 5_000_000)
    a.pipeline([['RPUSH', 'list'] + [f'item {i} {j}' for j in range(1000)] for i in range(100)])
    before = values(way[0])
    assert a.ok('MIGRATE', HOST, port, '', 0, 5000, 'KEYS', 'big', 'list') == b'OK'
    assert values(way[1]) == before and a.ok('DBSIZE') == 0
