"""Bad input and abuse: protocol errors get Redis' text and a close; the server stays within its limits and goes on
answering the others. VITRINE_PEER=oracle runs the same against Redis 7.0.15."""

import pathlib
import random
import re
import resource
import select
import socket
import struct
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Closed, Error, encode                         # noqa: E402
from subject import PEER, start                                   # noqa: E402

MB = 1 << 20


@pytest.fixture(scope='module')
def server():
    with start() as s:
        yield s
        assert s.alive(), s.log()


def received(client, seconds=3.0, want=None):
    """Everything until the end of the stream, until `want` bytes came or until nothing comes for so long: (bytes,
    ended)."""
    client.sock.settimeout(seconds)
    out = b''
    try:
        while want is None or len(out) < want:
            data = client.sock.recv(1 << 16)
            if not data:
                return out, True
            out += data
    except ConnectionResetError:
        return out, True
    except socket.timeout:
        pass
    return out, False


def info(client, field):
    body = client.ok('INFO', 'everything').decode()
    return int(re.search(rf'^{field}:(\d+)', body, re.M)[1])


# ---- protocol errors --------------------------------------------------------------------------------------------

PROTOCOL_ERRORS = {
    b'*1\r\n$-1\r\n': b'invalid bulk length',
    b'*1\r\n$999999999999\r\n': b'invalid bulk length',
    b'*1\r\n$536870913\r\n': b'invalid bulk length',
    b'*1\r\n$2147483648\r\n': b'invalid bulk length',
    b'*1\r\n$abc\r\n': b'invalid bulk length',
    b'*1\r\n$\r\n': b'invalid bulk length',
    b'*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-2\r\n': b'invalid bulk length',
    b'*2\r\n$4\r\nECHO\r\n$+5\r\nhello\r\n': b'invalid bulk length',
    b'*2\r\n$4\r\nECHO\r\n$ 5\r\nhello\r\n': b'invalid bulk length',
    b'*2\r\n$4\r\nECHO\r\n$05\r\nhello\r\n': b'invalid bulk length',
    b'*99999999999\r\n': b'invalid multibulk length',
    b'*2147483648\r\n': b'invalid multibulk length',
    b'*abc\r\n': b'invalid multibulk length',
    b'*\r\n': b'invalid multibulk length',
    b'*02\r\n$4\r\nECHO\r\n$1\r\na\r\n': b'invalid multibulk length',
    b'*1\r\nPING\r\n': b"expected '$', got 'P'",
    b'*1\r\n:4\r\n': b"expected '$', got ':'",
    b'"unbalanced\r\n': b'unbalanced quotes in request',
    b"GET 'x\r\n": b'unbalanced quotes in request',
    b'SET x "a"b\r\n': b'unbalanced quotes in request',
    b'x' * 70000: b'too big inline request',
    b'*1' + b'0' * 70000: b'too big mbulk count string',
    b'*1\r\n$1' + b'0' * 70000: b'too big bulk count string',
}


@pytest.mark.parametrize('data', PROTOCOL_ERRORS, ids=lambda d: repr(d[:30]))
def test_protocol_error_and_close(server, data):
    with server.client() as c:
        c.sock.sendall(data)
        out, ended = received(c)
        assert out == b'-ERR Protocol error: ' + PROTOCOL_ERRORS[data] + b'\r\n'
        assert ended, 'the connection stays open after a protocol error'


def test_replies_before_a_protocol_error_arrive(server):
    with server.client() as c:
        c.sock.sendall(encode([b'PING']) + encode([b'ECHO', b'x']) + b'*1\r\n$-1\r\n' + encode([b'PING']))
        out, ended = received(c)
        assert out == b'+PONG\r\n$1\r\nx\r\n-ERR Protocol error: invalid bulk length\r\n' and ended


FORGIVEN = {
    b'*-5\r\nPING\r\n': b'+PONG\r\n',
    b'*0\r\nPING\r\n': b'+PONG\r\n',
    b'\r\n\r\nPING\r\n': b'+PONG\r\n',
    b'PING\n': b'+PONG\r\n',
    b'  PING  x  \r\n': b'$1\r\nx\r\n',
    b'*1\r\n$4\r\nPINGxxPING\r\n': b'+PONG\r\n+PONG\r\n',
    b'SET "a b" \'c\\\'d\' \r\nGET "a b"\r\n': b"+OK\r\n$3\r\nc'd\r\n",
    b'ECHO "\\x41\\n\\t\\"z"\r\n': b'$5\r\nA\n\t"z\r\n',
    b'*1\r\n$0\r\n\r\n': b"-ERR unknown command '', with args beginning with: \r\n",
}


@pytest.mark.parametrize('data', FORGIVEN, ids=lambda d: repr(d[:30]))
def test_odd_but_accepted(server, data):
    with server.client() as c:
        c.sock.sendall(data)
        out, _ = received(c, want=len(FORGIVEN[data]))
        assert out == FORGIVEN[data]
        assert c.call('PING') == b'PONG'


@pytest.mark.parametrize('line', [b'POST / HTTP/1.1\r\nHost: x\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a.org\r\n\r\n'])
def test_http_is_refused(server, line):
    with server.client() as c:
        c.sock.sendall(line)
        out, ended = received(c)
        assert ended and b'+' not in out


def test_before_authentication_the_limits_are_small():
    with start(('requirepass', 'secret')) as s:
        for data, want in ((b'*11\r\n', b'unauthenticated multibulk length'),
                           (b'*1\r\n$16385\r\n', b'unauthenticated bulk length')):
            with s.client() as c:
                c.sock.sendall(data)
                out, ended = received(c)
                assert out == b'-ERR Protocol error: ' + want + b'\r\n' and ended
        with s.client() as c:
            assert c.call('GET', 'x') == b'NOAUTH Authentication required.'
            assert c.call('AUTH', 'wrong').startswith(b'WRONGPASS')
            assert c.call('AUTH', 'secret') == b'OK'
            assert c.call('SET', 'x', b'v' * 20000) == b'OK'


def test_unknown_commands_show_little_of_their_arguments(server):
    with server.client() as c:
        reply = c.call('x' * 500, *['y' * 500] * 10)
        assert isinstance(reply, Error) and len(reply) < 400
        assert b'\n' not in c.call('bad\r\ncommand', 'a\r\nb')


# ---- split and coalesced reads ----------------------------------------------------------------------------------

SESSION = [[b'SET', b'k', b'v\r\n*1\r\n'], [b'GET', b'k'], [b'APPEND', b'k', b''], [b'ECHO', b''],
           [b'LPUSH', b'l', b'a', b'b'], [b'LRANGE', b'l', b'0', b'-1'], [b'NOSUCH', b'x'],
           [b'GET'], [b'DEL', b'k', b'l']]


def test_split_at_every_byte(server):
    data = b''.join(encode(a) for a in SESSION) + b'PING\r\nECHO "in line"\r\n'
    with server.client() as c:
        c.sock.sendall(data)
        want, _ = received(c, 0.5)
    with server.client() as c:
        for i in range(len(data)):
            c.sock.sendall(data[i:i + 1])
        out, _ = received(c, want=len(want))
        assert out == want
    for cut in range(1, len(data)):
        with server.client() as c:
            c.sock.sendall(data[:cut])
            if cut % 16 == 0:
                time.sleep(0.001)
            c.sock.sendall(data[cut:])
            out, _ = received(c, want=len(want))
            assert out == want, f'cut at {cut}'


def test_random_splits_of_long_pipelines(server):
    r = random.Random(5)
    with server.client() as c:
        for _ in range(5):
            values = [r.randbytes(r.choice([0, 1, 10, 100, 5000, 40000])) for _ in range(200)]
            data = b''.join(encode([b'ECHO', v]) for v in values)
            at = 0
            while at < len(data):
                n = r.choice([1, 7, 100, 1400, 16384, 65536])
                c.sock.sendall(data[at:at + n])
                at += n
            assert [c.reply() for _ in values] == values


def test_a_million_arguments(server):
    with server.client(timeout=60) as c:
        args = [b'%d' % i for i in range(500000)]
        assert c.call('RPUSH', 'million', *args, *args) == 1000000
        assert c.call('LLEN', 'million') == 1000000
        assert c.call('LINDEX', 'million', 999999) == b'499999'
        assert c.call('DEL', 'million') == 1


def test_ten_thousand_commands_in_one_write(server):
    with server.client() as c:
        c.send_bytes(encode([b'INCR', b'n']) * 10000)
        assert [c.reply() for _ in range(10000)] == list(range(1, 10001))
        c.call('DEL', 'n')


@pytest.mark.skipif(PEER == 'oracle', reason='Redis reserves what a length announces')
def test_half_commands_cost_nothing(server):
    """Clients that send half a command and stay, or go."""
    halves = [b'*2\r\n$3\r\nGET\r\n$100000000\r\nxx', b'*1000000\r\n', b'*2\r\n$3\r\nGE', b'*', b'GET',
              b'*1\r\n$400000000\r\n']
    with server.client() as admin:
        before = info(admin, 'used_memory')
        waiting = []
        for _ in range(30):
            for half in halves:
                c = server.client()
                c.sock.sendall(half)
                waiting.append(c)
        time.sleep(0.1)
        assert admin.call('PING') == b'PONG'
        grown = info(admin, 'used_memory') - before
        for c in waiting:
            c.close()
        assert grown < 64 * MB, f'half commands hold {grown} bytes'
        deadline = time.monotonic() + 5
        while info(admin, 'connected_clients') > 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert info(admin, 'connected_clients') <= 3


def test_random_bytes(server):
    r = random.Random(11)
    for _ in range(300):
        with server.client() as c:
            kind = r.randrange(3)
            if kind == 0:
                data = r.randbytes(r.randint(1, 2000))
            elif kind == 1:
                data = bytearray(b''.join(encode(a) for a in SESSION))
                for _ in range(r.randint(1, 8)):
                    data[r.randrange(len(data))] = r.randrange(256)
            else:
                pieces = [b'*', b'$', b'\r\n', b'1', b'-', b'4', b'PING', b'"', b"'", b'\x00']
                data = b''.join(r.choice(pieces) for _ in range(60))
            try:
                c.send_bytes(bytes(data))
            except Closed:
                pass
    with server.client() as c:
        assert c.call('PING') == b'PONG'
    assert server.alive()


# ---- limits -----------------------------------------------------------------------------------------------------

def test_query_buffer_limit():
    with start(('client-query-buffer-limit', '2mb')) as s, s.client() as admin:
        with s.client() as c:
            try:
                c.send_bytes(b'*2\r\n$4\r\nECHO\r\n$10000000\r\n' + b'x' * 5000000)
                c.send_bytes(b'x' * 4000000)
            except Closed:
                pass
            assert received(c, 5)[1], 'a query buffer above the limit must end the connection'
        assert admin.call('PING') == b'PONG'
        if PEER != 'oracle':
            assert info(admin, 'client_query_buffer_limit_disconnections') == 1


def test_arguments_that_are_whole_are_no_query_buffer():
    with start(('client-query-buffer-limit', '1mb')) as s, s.client() as c:
        pairs = [word for i in range(100) for word in (f'k{i}', 'x' * 50000)]
        assert c.call('MSET', *pairs) == b'OK' and c.call('DBSIZE') == 100


def test_bulk_length_limit():
    with start(('proto-max-bulk-len', '1mb')) as s, s.client() as c:
        assert c.call('SET', 'k', b'x' * MB) == b'OK'
        assert c.call('APPEND', 'k', 'x') == b'ERR string exceeds maximum allowed size (proto-max-bulk-len)'
        assert isinstance(c.call('SETRANGE', 'k', MB, 'x'), Error)
        c.sock.sendall(b'*2\r\n$4\r\nECHO\r\n$%d\r\n' % (MB + 1))
        out, ended = received(c)
        assert out == b'-ERR Protocol error: invalid bulk length\r\n' and ended


def test_a_client_that_never_reads_hits_its_output_limit():
    with start(('client-output-buffer-limit', ['normal', '20mb', '0', '0'])) as s, s.client() as admin:
        admin.call('SET', 'big', b'x' * MB)
        base = s.rss_kb()
        greedy = s.client()
        greedy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            for _ in range(3000):              # three gigabytes asked for
                greedy.sock.sendall(encode([b'GET', b'big']))
        except (OSError, Closed):
            pass
        deadline = time.monotonic() + 10
        while info(admin, 'connected_clients') > 1 and time.monotonic() < deadline:
            assert s.rss_kb() - base < 200 * 1024
            time.sleep(0.02)
        assert info(admin, 'connected_clients') == 1, 'the greedy client is still connected'
        assert admin.call('PING') == b'PONG'
        if PEER != 'oracle':
            assert info(admin, 'client_output_buffer_limit_disconnections') >= 1
        greedy.close()


def test_soft_output_limit():
    with start(('client-output-buffer-limit', ['normal', '0', '4mb', '1'])) as s, s.client() as admin:
        admin.call('SET', 'big', b'x' * MB)
        slow = s.client()
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.ok('PING')
        for _ in range(30):
            slow.sock.sendall(encode([b'GET', b'big']))
        assert info(admin, 'connected_clients') == 2
        deadline = time.monotonic() + 6
        while info(admin, 'connected_clients') > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
            try:
                slow.sock.sendall(encode([b'PING']))
            except OSError:
                break
        time.sleep(0.1)
        assert info(admin, 'connected_clients') == 1


def test_a_listener_that_never_reads_is_cut_and_nobody_waits():
    with start(('client-output-buffer-limit', ['pubsub', '8mb', '2mb', '60'])) as s, s.client() as admin:
        base = s.rss_kb()
        stuck, good = s.client(), s.client()
        stuck.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for listener in (stuck, good):
            assert listener.call('SUBSCRIBE', 'c') == [b'subscribe', b'c', 1]
        message, sent = b'm' * 100000, 0
        while info(admin, 'connected_clients') > 2 and sent < 1000:
            began = time.monotonic()
            assert admin.call('PUBLISH', 'c', message) in (1, 2)
            assert good.reply() == [b'message', b'c', message]
            assert time.monotonic() - began < 2
            assert s.rss_kb() - base < 100 * 1024
            sent += 1
        assert 80 <= sent < 300, 'the listener was not cut at its limit'
        assert admin.call('PUBLISH', 'c', 'x') == 1 and good.reply() == [b'message', b'c', b'x']
        if PEER != 'oracle':
            assert info(admin, 'client_output_buffer_limit_disconnections') >= 1
        stuck.close()
        good.close()


def test_listeners_that_come_and_go_in_a_storm(server):
    with server.client() as admin:
        for round_ in range(5):
            listeners = [server.client() for _ in range(200)]
            for i, listener in enumerate(listeners):
                listener.send('SUBSCRIBE', 'storm', 'storm%d' % (i % 7))
                listener.send('PSUBSCRIBE', 'st*')
            for listener in listeners[:100]:
                listener.close()
            for listener in listeners[100:]:
                for _ in range(3):
                    listener.reply()
            deadline = time.monotonic() + 5
            while admin.call('PUBSUB', 'NUMSUB', 'storm') != [b'storm', 100] and time.monotonic() < deadline:
                time.sleep(0.01)
            assert admin.call('PUBLISH', 'storm', round_) == 200
            for listener in listeners[100:]:
                assert listener.reply() == [b'message', b'storm', b'%d' % round_]
                assert listener.reply() == [b'pmessage', b'st*', b'storm', b'%d' % round_]
                listener.close()
            while admin.call('PUBSUB', 'CHANNELS') and time.monotonic() < deadline:
                time.sleep(0.01)
            assert admin.call('PUBSUB', 'CHANNELS') == [] and admin.call('PUBSUB', 'NUMPAT') == 0


def test_a_slow_reader_gets_everything(server):
    with server.client() as admin:
        admin.call('SET', 'big', b'0123456789' * 100000)
    with server.client(timeout=20) as c, server.client() as other:
        n = 20
        c.send_bytes(encode([b'GET', b'big']) * n)
        want, got, reads = n * (1000000 + len(b'$1000000\r\n\r\n')), 0, 0
        while got < want:
            got += len(c.sock.recv(1 << 16))
            reads += 1
            if reads % 10 == 0:
                time.sleep(0.002)
                assert other.call('PING') == b'PONG'
        assert got == want
        other.call('DEL', 'big')


def test_maxclients():
    with start(('maxclients', '10')) as s:
        clients = [s.client() for _ in range(9)]
        time.sleep(0.05)                   # the harness's own first connection is gone by now
        clients.append(s.client())
        for c in clients:
            assert c.call('PING') == b'PONG'
        with s.client() as extra:
            out, ended = received(extra)
            assert out == b'-ERR max number of clients reached\r\n' and ended
        assert info(clients[0], 'rejected_connections') >= 1
        clients.pop().close()
        time.sleep(0.05)
        with s.client() as again:
            assert again.call('PING') == b'PONG'
        for c in clients:
            c.close()


def test_idle_timeout():
    with start(('timeout', '1'), ('hz', '100')) as s:
        idle, busy, parked, listener = s.client(), s.client(), s.client(), s.client()
        idle.call('PING')
        listener.ok('SUBSCRIBE', 'news')
        parked.send('BLPOP', 'nokey', '0')
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert busy.call('PING') == b'PONG'
            time.sleep(0.1)
        assert idle.at_end(0.5), 'an idle client must be closed'
        busy.call('RPUSH', 'nokey', 'x')
        assert parked.reply() == [b'nokey', b'x'], 'a parked client is not idle'
        assert busy.call('PUBLISH', 'news', 'x') == 1, 'nor is one that listens'


def test_maxmemory_noeviction_refuses():
    with start(('maxmemory', '20mb')) as s, s.client() as c:
        refused = None
        for i in range(100000):
            refused = c.call('SET', f'k{i}', b'x' * 10000)
            if isinstance(refused, Error):
                break
        assert refused == b"OOM command not allowed when used memory > 'maxmemory'."
        assert c.call('GET', 'k0') is not None and c.call('DEL', 'k0') == 1
        assert info(c, 'used_memory') < 22 * MB


# ---- many connections -------------------------------------------------------------------------------------------

def raise_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            pass
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_ten_thousand_idle_connections():
    room = raise_limit(10400) - 200
    count = min(10000, room)
    with start(('maxclients', str(count + 10)), ('tcp-backlog', '1024')) as s:
        idle = []
        try:
            for i in range(count):
                c = socket.create_connection(('127.0.0.1', s.port), timeout=5)
                idle.append(c)
                if i % 10 == 0:
                    c.sendall(b'PING\r\n')
            with s.client() as admin:
                deadline = time.monotonic() + 10
                while info(admin, 'connected_clients') < count + 1 and time.monotonic() < deadline:
                    time.sleep(0.05)
                assert info(admin, 'connected_clients') == count + 1
                began = time.monotonic()
                for _ in range(200):
                    assert admin.call('PING') == b'PONG'
                assert (time.monotonic() - began) / 200 < 0.01
                for c in idle[::10]:
                    assert c.recv(100) == b'+PONG\r\n'
                for c in idle:
                    c.close()
                idle = []
                deadline = time.monotonic() + 10
                while info(admin, 'connected_clients') > 1 and time.monotonic() < deadline:
                    time.sleep(0.05)
                assert info(admin, 'connected_clients') == 1
        finally:
            for c in idle:
                c.close()


def test_connection_storm(server):
    r = random.Random(3)
    with server.client() as admin:
        before = info(admin, 'total_connections_received')
        for _ in range(3000):
            c = socket.create_connection(('127.0.0.1', server.port), timeout=5)
            kind = r.randrange(4)
            if kind == 1:
                c.sendall(b'PING\r\n')
            elif kind == 2:
                c.sendall(encode([b'BLPOP', b'nokey', b'0']))
            elif kind == 3:
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))   # close by reset
            c.close()
        deadline = time.monotonic() + 10
        while info(admin, 'connected_clients') > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert info(admin, 'connected_clients') == 1
        assert info(admin, 'blocked_clients') == 0
        # Some are reset before they are accepted.
        assert info(admin, 'total_connections_received') - before >= 2000


def test_killed_while_replying(server):
    """Connections that go away in the middle of large replies."""
    with server.client() as admin:
        admin.call('SET', 'big', b'x' * (4 * MB))
        for _ in range(40):
            c = server.client()
            c.send_bytes(encode([b'GET', b'big']) * 5)
            select.select([c.sock], [], [], 1)
            c.close()
        assert admin.call('PING') == b'PONG'
        admin.call('DEL', 'big')


def test_sigterm_ends_cleanly():
    with start() as s:
        with s.client() as c:
            c.call('SET', 'k', 'v')
            assert s.terminate() == 0
            assert c.at_end()


@pytest.mark.slow
def test_a_value_of_512_megabytes(server):
    size = 512 * MB
    with server.client(timeout=120) as c:
        c.sock.sendall(b'*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$%d\r\n' % size)
        chunk = b'0123456789abcdef' * 65536
        for _ in range(size // len(chunk)):
            c.sock.sendall(chunk)
        c.sock.sendall(b'\r\n')
        assert c.reply() == b'OK'
        assert c.call('STRLEN', 'huge') == size
        assert c.call('GETRANGE', 'huge', size - 4, -1) == b'cdef'
        assert c.call('APPEND', 'huge', 'x') == b'ERR string exceeds maximum allowed size (proto-max-bulk-len)'
        c.send('GET', 'huge')
        got, want = 0, size + len(b'$%d\r\n\r\n' % size)
        while got < want:
            got += len(c.sock.recv(1 << 22))
        assert got == want
        assert c.call('DEL', 'huge') == 1


def test_large_transactions(server):
    count = 100000
    with server.client(timeout=60) as c, server.client() as other:
        c.ok('DEL', 'n')
        c.ok('MULTI')
        c.send_bytes(encode([b'INCR', b'n']) * count)
        assert all(c.reply() == b'QUEUED' for _ in range(count))
        assert b'multi=%d ' % count in other.ok('CLIENT', 'LIST') and other.call('GET', 'n') is None
        assert c.ok('EXEC') == list(range(1, count + 1)) and other.ok('GET', 'n') == b'%d' % count
        # A queue is its client's memory: who holds too much of it is cut, and nothing of it runs.
        held = info(other, 'used_memory')
        c.ok('MULTI')
        other.ok('CONFIG', 'SET', 'maxmemory-clients', '4mb')
        try:
            with pytest.raises((OSError, Closed)):
                for _ in range(100):
                    c.send_bytes(encode([b'SET', b'n', b'x' * 1000]) * 100)
                    for _ in range(100):
                        c.reply()
        finally:
            other.ok('CONFIG', 'SET', 'maxmemory-clients', '0')
        assert other.ok('GET', 'n') == b'%d' % count and info(other, 'used_memory') < held + 4 * MB
