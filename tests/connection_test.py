"""Connections: what clients say of themselves and do to each other, and the limits they live under.
VITRINE_PEER=oracle runs the same against Redis 7.0.15."""

import pathlib
import socket
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness                                                    # noqa: E402
from harness import Closed, Error, config, encode, eventually, info, silent    # noqa: E402
from subject import ORACLE, ours, start                           # noqa: E402

MB = 1 << 20


@pytest.fixture(scope='module')
def server():
    with start() as s:
        yield s
        assert s.alive(), s.log()


def fields(line):
    return dict(word.split('=', 1) for word in line.decode().split())


def me(client):
    return fields(client.ok('CLIENT', 'INFO'))


# ---- HELLO, AUTH, RESET, SELECT ---------------------------------------------------------------------------------

HELLO = [b'server', b'version', b'proto', b'id', b'mode', b'role', b'modules']


def test_hello_changes_the_protocol(server):
    with server.client() as c:
        flat = c.ok('HELLO')
        assert flat[::2] == HELLO and flat[flat.index(b'proto') + 1] == 2
        three = c.ok('HELLO', '3', 'SETNAME', 'me')
        assert isinstance(three, harness.Map) and [k for k, _ in three] == HELLO
        got = three.dict()
        assert got[b'server'] == b'redis' and got[b'proto'] == 3 and got[b'role'] == b'master'
        assert got[b'id'] == c.ok('CLIENT', 'ID') and got[b'modules'] == []
        assert c.ok('CLIENT', 'GETNAME') == b'me' and me(c)['resp'] == '3'
        assert c.raw('GET', 'nokey') == ('_', b'')
        assert c.ok('HELLO')[2] == (b'proto', 3), 'without a version it stays'
        assert c.ok('HELLO', '2')[::2] == HELLO
        assert c.raw('GET', 'nokey') == ('$', None)


BAD_HELLOS = [['1'], ['4'], ['x'], ['3', 'AUTH'], ['3', 'AUTH', 'x'], ['3', 'SETNAME'], ['3', 'SETNAME', 'a b'],
              ['3', 'NOSUCH'], ['3', 'AUTH', 'nobody', 'x'],
              ['3', 'SETNAME', 'x', 'AUTH', 'default', 'no'], ['AUTH', 'default', 'x'], ['3.0'], ['']]


@pytest.mark.skipif(ORACLE or not harness.Oracle.present(), reason='compares with the oracle')
@pytest.mark.parametrize('password', ['', 'secret'])
def test_bad_hellos_change_nothing_and_say_the_same(password):
    with harness.Oracle(('requirepass', password)) as oracle, start(('requirepass', password)) as s:
        for words in BAD_HELLOS:
            with oracle.client() as theirs, s.client() as mine:
                want, have = theirs.call('HELLO', *words), mine.call('HELLO', *words)
                if isinstance(want, Error):
                    assert have == want, words
                    assert password or me(mine)['resp'] == '2'
                else:
                    assert isinstance(have, harness.Map) or words[0] == 'AUTH', words


def test_passwords():
    with start(('requirepass', 'secret')) as s:
        with s.client() as c:
            for words in (('GET', 'x'), ('CONFIG', 'GET', 'x'), ('CLIENT', 'ID'), ('SELECT', '1'), ('MULTI',),
                          ('PING',), ('COMMAND',)):
                assert c.call(*words) == b'NOAUTH Authentication required.'
            assert c.call('HELLO', '3').startswith(b'NOAUTH HELLO must be called with the client already auth')
            assert c.call('AUTH', 'x') == b'WRONGPASS invalid username-password pair or user is disabled.'
            assert c.call('AUTH', 'nobody', 'secret').startswith(b'WRONGPASS')
            assert isinstance(c.ok('HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'x'), harness.Map)
            assert c.ok('CLIENT', 'GETNAME') == b'x'
            assert c.ok('RESET') == b'RESET'
            assert c.call('PING') == b'NOAUTH Authentication required.'
            assert c.ok('AUTH', 'default', 'secret') == b'OK'
            # A new password is for those who come; who is in stays in.
            c.ok('CONFIG', 'SET', 'requirepass', 'other')
            assert c.ok('PING') == b'PONG'
            with s.client() as new:
                assert new.call('AUTH', 'secret').startswith(b'WRONGPASS')
                assert new.ok('AUTH', 'other') == b'OK'
            c.ok('CONFIG', 'SET', 'requirepass', '')
            with s.client() as new:
                assert new.ok('PING') == b'PONG'
        with s.client() as c:
            assert c.call('QUIT') == b'OK' and c.at_end()


LARGE_REQUESTS = [('MSET', *'abcdefghijkl'), ('SET', 'k', 'v' * 20000)]


@pytest.mark.parametrize('words', LARGE_REQUESTS, ids=['many', 'long'])
def test_who_authenticates_may_send_more_at_once(words):
    with start(('requirepass', 'secret')) as s:
        for first in (('AUTH', 'secret'), ('HELLO', '2', 'AUTH', 'default', 'secret')):
            with s.client() as c:
                assert c.pipeline([('PING',), first, words])[2] == b'OK'
        with s.client() as c:
            c.send('AUTH', 'wrong'), c.send(*words)
            assert c.reply().startswith(b'WRONGPASS')
            assert c.reply().startswith(b'ERR Protocol error: unauthenticated ') and c.at_end()


def test_the_longest_argument_changes_for_what_follows_at_once(server):
    def limit(mb):
        return 'CONFIG', 'SET', 'proto-max-bulk-len', f'{mb}mb'
    long = 'SET', 'k', 'v' * (2 << 20)
    with server.client() as c, server.client() as other:
        try:
            c.ok(*limit(1))
            assert c.pipeline([('PING',), limit(4), long, ('STRLEN', 'k')]) == [b'PONG', b'OK', b'OK', 2 << 20]
            c.send_bytes(harness.encode([harness.to_bytes(w) for w in limit(1)]) + b'*1\r\n$2097152\r\nvvv')
            assert c.reply() == b'OK' and c.reply() == b'ERR Protocol error: invalid bulk length' and c.at_end()
        finally:
            other.ok(*limit(512))


def test_quit_needs_no_password():
    with start(('requirepass', 'secret')) as s, s.client() as c:
        c.send_bytes(encode([b'QUIT']) + encode([b'PING']))
        assert c.reply() == b'OK' and c.at_end()


def test_reset(server):
    with server.client(resp3=True) as c:
        c.ok('SELECT', '3'), c.ok('CLIENT', 'SETNAME', 'x'), c.ok('CLIENT', 'NO-EVICT', 'ON'), c.ok('MULTI')
        assert c.call('GET', 'k') == b'QUEUED'
        assert c.ok('RESET') == b'RESET'
        got = me(c)
        assert got['db'] == '0' and got['name'] == '' and got['resp'] == '2' and got['multi'] == '-1'
        assert got['flags'] == ('e' if ORACLE else 'N')
        assert c.call('EXEC') == b'ERR EXEC without MULTI'
        c.ok('CLIENT', 'REPLY', 'ON')
        with server.client() as watcher:
            watcher.ok('MONITOR')
            assert b'"PING"' in (c.ok('PING'), watcher.reply())[1]
            watcher.send('RESET')
            while watcher.reply() != b'RESET':
                pass
            c.ok('PING')
            assert silent(watcher)


# ---- RESP3 ------------------------------------------------------------------------------------------------------

RESP3 = [
    (['HGETALL', 'h'], '%'), (['SMEMBERS', 's'], '~'), (['GET', 'nokey'], '_'), (['LPOP', 'nokey'], '_'),
    (['CONFIG', 'GET', 'hz'], '%'), (['INFO', 'server'], '='), (['CLIENT', 'LIST'], '='), (['SINTER', 's', 's'], '~'),
    (['SUNION', 's', 's'], '~'), (['SDIFF', 's', 's'], '~'), (['HRANDFIELD', 'h', '1', 'WITHVALUES'], '*'),
    (['SPOP', 'nokey', '2'], '~'), (['INCRBYFLOAT', 'f', '0.5'], '$'), (['SRANDMEMBER', 's', '-2'], '*'),
    (['HELLO'], '%'), (['COMMAND', 'DOCS', 'get'], '%'), (['COMMAND', 'INFO', 'get'], '*'), (['HKEYS', 'h'], '*'),
    (['MEMORY', 'STATS'], '%'), (['LCS', 'x', 'y', 'IDX'], '%'), (['BLPOP', 'nokey', '0.01'], '_'),
    (['DEBUG', 'PROTOCOL', 'double'], ','), (['DEBUG', 'PROTOCOL', 'bignum'], '('),
    (['DEBUG', 'PROTOCOL', 'true'], '#'),
    (['DEBUG', 'PROTOCOL', 'map'], '%'), (['DEBUG', 'PROTOCOL', 'set'], '~'), (['DEBUG', 'PROTOCOL', 'verbatim'], '='),
    (['DEBUG', 'PROTOCOL', 'push'], '>'), (['DEBUG', 'PROTOCOL', 'null'], '_'), (['LATENCY', 'HISTOGRAM'], '%'),
    (['EXEC'], '-'), (['LRANGE', 'nokey', '0', '-1'], '*'), (['SCAN', '0'], '*'),
    (['OBJECT', 'ENCODING', 'nokey'], '_'),
]


@pytest.mark.parametrize('words, kind', RESP3, ids=lambda x: ' '.join(x) if isinstance(x, list) else None)
def test_types_of_resp3(server, words, kind):
    with server.client(resp3=True) as c:
        c.ok('DEL', 'h', 's', 'f'), c.ok('HSET', 'h', 'a', '1'), c.ok('SADD', 's', 'a', 'b')
        reply = c.raw(*words)
        assert reply[0] == kind, harness.show(reply)


# ---- CLIENT LIST and KILL ---------------------------------------------------------------------------------------

LIST_FIELDS = ('id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp '
               'obl oll omem tot-mem events cmd user redir resp').split()


def test_client_list_has_every_field(server):
    with server.client() as c, server.client(resp3=True) as other:
        c.ok('CLIENT', 'SETNAME', 'first'), other.ok('SELECT', '5'), other.ok('MULTI'), other.call('GET', 'x')
        lines = c.ok('CLIENT', 'LIST').splitlines()
        rows = {f['id']: f for f in map(fields, lines)}
        ids = [int(fields(line)['id']) for line in lines]
        assert ids == sorted(ids)
        mine = rows[str(c.ok('CLIENT', 'ID'))]
        assert [n for n in mine if n in LIST_FIELDS] == LIST_FIELDS
        assert mine['name'] == 'first' and mine['cmd'] == 'client|list' and mine['user'] == 'default'
        host, port = c.sock.getsockname()
        assert mine['addr'] == f'{host}:{port}' and mine['laddr'] == f'127.0.0.1:{server.port}'
        theirs = next(f for f in rows.values() if f['addr'] == '127.0.0.1:%d' % other.sock.getsockname()[1])
        assert theirs['db'] == '5' and theirs['flags'] == 'x' and theirs['multi'] == '1' and theirs['resp'] == '3'
        assert theirs['cmd'] == 'get' and int(mine['tot-mem']) > 0


def named(server, name, *commands):
    c = server.client()
    c.ok('CLIENT', 'SETNAME', name)
    for words in commands:
        c.ok(*words)
    return c


def listed(admin, *words):
    return [fields(line)['name'] for line in admin.ok('CLIENT', 'LIST', *words).splitlines()]


def test_a_client_sees_itself_within_a_transaction(server):
    with server.client() as c:
        for words in (['MULTI'], ['PING'], ['CLIENT', 'INFO']):
            c.ok(*words)
        fields = dict(word.split('=', 1) for word in c.ok('EXEC')[1].decode().split())
        assert fields['flags'] == 'x' and fields['multi'] == '2'
        assert ' flags=N ' in c.ok('CLIENT', 'INFO').decode() and ' multi=-1 ' in c.ok('CLIENT', 'INFO').decode()


def test_client_list_filters_of_redis(server):
    with named(server, 'admin') as admin, named(server, 'a') as a, named(server, 'b') as b:
        ids = [x.ok('CLIENT', 'ID') for x in (a, b)]
        assert listed(admin, 'ID', ids[0]) == ['a'] and listed(admin, 'ID', ids[1], ids[0]) == ['a', 'b'] \
            or listed(admin, 'ID', ids[1], ids[0]) == ['b', 'a']
        assert listed(admin, 'ID', '987654') == []
        assert set(listed(admin, 'TYPE', 'normal')) >= {'a', 'b', 'admin'}
        assert listed(admin, 'TYPE', 'master') == listed(admin, 'TYPE', 'replica') == []
        assert listed(admin, 'TYPE', 'pubsub') == []
        for bad in (('TYPE',), ('TYPE', 'x'), ('ID',), ('ID', 'x'), ('NOSUCH', '1')):
            assert isinstance(admin.call('CLIENT', 'LIST', *bad), Error), bad


@ours
def test_client_list_filters_that_are_newer(server):
    with named(server, 'admin') as admin, named(server, 'a', ('SELECT', '7'), ('CLIENT', 'SETINFO', 'LIB-NAME', 'l1')) \
            as a, named(server, 'b', ('CLIENT', 'NO-TOUCH', 'ON'), ('CLIENT', 'SETINFO', 'LIB-VER', '9')) as b:
        assert listed(admin, 'NAME', 'a') == ['a'] and listed(admin, 'DB', '7') == ['a']
        assert listed(admin, 'LIB-NAME', 'l1') == ['a'] and listed(admin, 'LIB-VER', '9') == ['b']
        assert listed(admin, 'FLAGS', 'T') == ['b'] and 'b' not in listed(admin, 'NOT-FLAGS', 'T')
        assert listed(admin, 'ADDR', me(a)['addr']) == ['a'] and listed(admin, 'USER', 'default')
        assert {'a', 'b'} <= set(listed(admin, 'LADDR', me(a)['laddr'])) and listed(admin, 'IP', '9.9.9.9') == []
        assert {'a', 'b'} <= set(listed(admin, 'IP', '127.0.0.1')) and {'a', 'b'} <= set(listed(admin, 'MAXAGE', '0'))
        assert listed(admin, 'IDLE', '1000') == [] and listed(admin, 'NAME', 'a', 'DB', '0') == []
        assert listed(admin, 'NAME', 'a', 'DB', '7') == ['a'] and 'a' not in listed(admin, 'NOT-NAME', 'a')
        assert 'a' not in listed(admin, 'NOT-ID', a.ok('CLIENT', 'ID'))
        assert 'admin' not in listed(admin, 'SKIPME', 'YES')
        b.close()


def killed(admin, victims, *words):
    """The count that CLIENT KILL replies and the names of the victims that are gone."""
    count = admin.call('CLIENT', 'KILL', *words)
    if isinstance(count, Error):
        return count, []
    time.sleep(0.02)
    return count, sorted(name for name, c in victims.items() if c.at_end(0.05))


KILLS = [
    (lambda f: ['ID', f['a']['id']], ['a'], False),
    (lambda f: ['ADDR', f['a']['addr']], ['a'], False),
    (lambda f: ['LADDR', f['a']['laddr']], ['a', 'b', 'c'], False),
    (lambda f: ['TYPE', 'normal'], ['a', 'b', 'c'], False),
    (lambda f: ['TYPE', 'pubsub'], [], False),
    (lambda f: ['USER', 'default'], ['a', 'b', 'c'], False),
    (lambda f: ['USER', 'default', 'ID', f['b']['id']], ['b'], False),
    (lambda f: ['ADDR', f['a']['addr'], 'ID', f['b']['id']], [], False),
    (lambda f: ['ID', f['a']['id'], f['c']['id']], ['a', 'c'], True),
    (lambda f: ['MAXAGE', '0'], ['a', 'b', 'c'], True),
    (lambda f: ['MAXAGE', '1000'], [], True),
    (lambda f: ['NAME', 'b'], ['b'], True),
    (lambda f: ['NOT-NAME', 'b'], ['a', 'c'], True),
    (lambda f: ['DB', '4'], ['c'], True),
    (lambda f: ['IDLE', '1000'], [], True),
    (lambda f: ['FLAGS', 'b', 'SKIPME', 'yes'], ['a'], True),
    (lambda f: ['IP', '127.0.0.1', 'LIB-NAME', 'lib'], ['b'], True),
]


@pytest.mark.parametrize('make, gone, newer', KILLS, ids=range(len(KILLS)))
def test_client_kill(server, make, gone, newer):
    if newer and ORACLE:
        pytest.skip('newer than Redis 7.0')
    with named(server, 'admin') as admin:
        victims = {'a': named(server, 'a'), 'b': named(server, 'b'), 'c': named(server, 'c', ('SELECT', '4'))}
        if not ORACLE:
            victims['b'].ok('CLIENT', 'SETINFO', 'LIB-NAME', 'lib')
        about = {name: me(c) for name, c in victims.items()}
        victims['a'].send('BLPOP', 'nokey', '0')
        time.sleep(0.01)
        count, names = killed(admin, victims, *make(about))
        assert names == gone and count >= len(gone)
        assert admin.ok('PING') == b'PONG'
        for c in victims.values():
            c.close()


def test_client_kill_of_oneself_answers_first(server):
    with server.client() as c:
        assert c.call('CLIENT', 'KILL', 'ID', c.ok('CLIENT', 'ID')) == 0, 'SKIPME is the default'
        assert c.call('CLIENT', 'KILL', 'ID', c.ok('CLIENT', 'ID'), 'SKIPME', 'no') == 1
        assert c.at_end()
    with server.client() as c:
        assert c.call('CLIENT', 'KILL', me(c)['addr']) == b'OK' and c.at_end()


BAD_CLIENTS = [
    ['KILL'], ['KILL', 'ID'], ['KILL', 'ID', 'x'], ['KILL', 'ID', '0'], ['KILL', 'TYPE', 'x'], ['KILL', 'SKIPME', 'x'],
    ['KILL', 'NOSUCH', 'x'], ['KILL', 'ADDR', 'x', 'y'], ['KILL', 'USER', 'nobody'], ['KILL', '1.1.1.1:1'],
    ['SETNAME'], ['SETNAME', 'a\nb'], ['GETNAME', 'x'], ['REPLY'], ['REPLY', 'x'], ['PAUSE'], ['PAUSE', '-1'],
    ['PAUSE', 'x'], ['PAUSE', '1', 'x'], ['UNBLOCK'], ['UNBLOCK', '1', 'x'], ['NO-EVICT'], ['NO-EVICT', 'x'],
    ['ID', 'x'], ['INFO', 'x'], ['UNPAUSE', 'x'], ['LIST', 'TYPE'], ['LIST', 'ID'], ['LIST', 'ID', 'x'], ['LIST', 'x'],
    ['UNBLOCK', 'x'], ['UNBLOCK', '0'], ['KILL', 'ID', '-1'], ['KILL', 'LADDR', 'x'],
]


@pytest.mark.skipif(ORACLE or not harness.Oracle.present(), reason='compares with the oracle')
def test_refusals_of_client_are_in_the_same_words(server):
    with harness.Oracle() as oracle, oracle.client() as theirs, server.client() as mine:
        different = {}
        for words in BAD_CLIENTS:
            want, have = theirs.call('CLIENT', *words), mine.call('CLIENT', *words)
            if want != have:
                different[' '.join(words)] = (want, have)
        assert not different, '\n'.join(f'{k!r}\n  oracle  {w}\n  vitrine {h}' for k, (w, h) in different.items())


# ---- maxmemory-clients, output limits, timeouts -----------------------------------------------------------------

def hold_replies(server, megabytes):
    """A client that reads nothing while about so much is sent to it."""
    c = server.client()
    c.number = c.ok('CLIENT', 'ID')
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.send_bytes(encode([b'GET', b'big']) * megabytes)
    return c


@ours
def test_clients_are_evicted_largest_first():
    with start(('maxmemory-clients', '25mb')) as s, s.client() as admin:
        admin.ok('CLIENT', 'NO-EVICT', 'ON')
        admin.ok('SET', 'big', b'x' * 900000)
        first, second = hold_replies(s, 10), hold_replies(s, 12)
        time.sleep(0.1)
        assert info(admin, 'evicted_clients') == '0'
        third = hold_replies(s, 40)
        eventually(lambda: info(admin, 'evicted_clients') == '1')
        assert admin.ok('CLIENT', 'LIST', 'ID', third.number) == b'', 'the largest goes'
        assert len(admin.ok('CLIENT', 'LIST', 'ID', first.number, second.number).splitlines()) == 2
        protected = s.client()
        protected.ok('CLIENT', 'NO-EVICT', 'ON')
        protected.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        protected.send_bytes(encode([b'GET', b'big']) * 40)
        time.sleep(0.2)
        assert info(admin, 'evicted_clients') == '1', 'NO-EVICT keeps it'
        admin.ok('CONFIG', 'SET', 'maxmemory-clients', '10mb')
        eventually(lambda: int(info(admin, 'evicted_clients')) >= 2)
        assert admin.ok('CLIENT', 'LIST', 'ID', second.number) == b'', 'the larger of the two'
        for c in (first, second, third, protected):
            c.close()


def test_a_large_query_is_evicted_and_a_share_of_maxmemory_counts():
    with start(('maxmemory', '100mb'), ('maxmemory-clients', '5%')) as s, s.client() as admin:
        with s.client() as c:
            try:
                c.send_bytes(b'*2\r\n$3\r\nSET\r\n$20000000\r\n' + b'x' * 15000000)
                c.send_bytes(b'x' * 1000)
            except Closed:
                pass
            assert c.at_end()
        assert int(info(admin, 'evicted_clients')) == 1 and admin.ok('PING') == b'PONG'


def test_limits_too_small_to_talk_cut_nobody_off():
    with start(('maxmemory-clients', '1'), ('client-output-buffer-limit', ['normal', '1', '1', '1'])) as s:
        with s.client() as c:
            assert c.ok('PING') == b'PONG' and c.ok('ECHO', 'x' * 1000) == b'x' * 1000
            assert config(c, 'maxmemory-clients') == '1'


def test_output_limits_can_change_and_are_by_class():
    with start() as s, s.client() as admin:
        admin.ok('SET', 'big', b'x' * MB)
        c = hold_replies(s, 20)
        time.sleep(0.1)
        assert info(admin, 'connected_clients') == '2'
        admin.ok('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 5mb 0 0')
        assert config(admin, 'client-output-buffer-limit').startswith('normal 5242880 0 0 slave ')
        try:
            c.send('PING')
        except (OSError, Closed):
            pass
        eventually(lambda: info(admin, 'connected_clients') == '1')
        c.close()


def test_a_client_that_never_reads_is_bounded_while_gigabytes_are_asked():
    with start(('client-output-buffer-limit', ['normal', '64mb', '0', '0'])) as s, s.client() as admin:
        admin.ok('SET', 'big', b'x' * (8 * MB))
        base, most = s.rss_kb(), 0
        for _ in range(8):
            c = s.client()
            try:
                c.sock.settimeout(2)
                c.sock.sendall(encode([b'GET', b'big']) * 300)          # 2.4 GB
            except OSError:
                pass
            most = max(most, s.rss_kb() - base)
            eventually(lambda: info(admin, 'connected_clients') == '1')
            c.close()
        assert most < 300 * 1024, f'{most} KB'
        assert admin.ok('PING') == b'PONG'


def test_dynamic_settings_of_connections(server):
    with server.client() as admin:
        before = config(admin, 'maxclients')
        admin.ok('CONFIG', 'SET', 'maxclients', '3')
        try:
            eventually(lambda: info(admin, 'connected_clients') == '1')
            held = [server.client(), server.client()]
            for c in held:
                c.ok('PING')
            with server.client() as extra:
                assert extra.reply() == b'ERR max number of clients reached' and extra.at_end()
        finally:
            admin.ok('CONFIG', 'SET', 'maxclients', before)
        for c in held:
            c.close()
        admin.ok('CONFIG', 'SET', 'timeout', '1')
        try:
            with server.client() as idle:
                idle.ok('PING')
                until = time.monotonic() + 2.2
                while time.monotonic() < until:
                    admin.ok('PING')
                    time.sleep(0.1)
                assert idle.at_end(0.5)
        finally:
            admin.ok('CONFIG', 'SET', 'timeout', '0')


@ours
def test_maxclients_beyond_what_the_system_allows():
    with start(('maxclients', '50')) as s, s.client() as c:
        answer = c.call('CONFIG', 'SET', 'maxclients', '2000000000')
        assert answer.startswith(b"ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating "
                                 b'system is not able to handle the specified number of clients, try with')
        assert config(c, 'maxclients') == '50'


def test_info_counts_what_was_refused():
    with start(('maxclients', '5'), ('client-query-buffer-limit', '1mb'), ('maxmemory-clients', '50mb')) as s:
        with s.client() as c:
            eventually(lambda: info(c, 'connected_clients') == '1')
            held = [s.client() for _ in range(4)]
            for h in held:
                h.ok('PING')
            s.client().close()
            eventually(lambda: info(c, 'rejected_connections') == '1')
            for h in held[:3]:
                h.close()
            eventually(lambda: info(c, 'connected_clients') == '2')
            try:
                held[3].send_bytes(b'*2\r\n$4\r\nECHO\r\n$5000000\r\n' + b'x' * 4000000)
            except Closed:
                pass
            if not ORACLE:
                eventually(lambda: info(c, 'client_query_buffer_limit_disconnections') == '1')
            held[3].close()
            with s.client() as bad:
                bad.send_bytes(b'*1\r\n$-1\r\n')
                assert bad.reply().startswith(b'ERR Protocol error') and bad.at_end()
            if not ORACLE:
                assert info(c, 'protocol_errors') == '1' and info(c, 'client_idle_disconnections') == '0'
            assert int(info(c, 'total_connections_received')) >= 5
