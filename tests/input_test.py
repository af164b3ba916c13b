"""Input as it comes: large, in pieces, mixed, without an end, ending at once.
VITRINE_PEER=oracle runs the same against Redis 7.0.15."""

import os
import pathlib
import socket
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness                                                    # noqa: E402
from harness import encode                                        # noqa: E402

MB = 1 << 20


@pytest.fixture(scope='module')
def server():
    with harness.peer(os.environ.get('VITRINE_PEER', 'vitrine')) as s:
        yield s
        assert s.alive(), s.log()


def test_a_value_of_64_megabytes(server):
    size, chunk = 64 * MB, b'0123456789abcdef' * 65536
    with server.client(timeout=60) as c, server.client() as other:
        c.send_bytes(b'*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$%d\r\n' % size)
        for _ in range(size // len(chunk)):
            c.send_bytes(chunk)
        assert other.ok('PING') == b'PONG'
        c.send_bytes(b'\r\n')
        assert c.reply() == b'OK' and c.ok('STRLEN', 'huge') == size
        assert c.ok('GETRANGE', 'huge', size - 3, '-1') == b'def'
        assert len(c.ok('GET', 'huge')) == size and c.ok('DEL', 'huge') == 1


@pytest.mark.parametrize('commands', [1, 100, 40_000])
def test_who_says_goodbye_with_the_last_command_is_answered(server, commands):
    """The end of the stream arrives together with the commands before it."""
    for _ in range(5):
        with socket.create_connection(('127.0.0.1', server.port)) as s:
            s.settimeout(20)
            data, got = encode([b'PING']) * commands, 0
            s.sendall(data[:len(data) // 2])
            s.sendall(data[len(data) // 2:])
            s.shutdown(socket.SHUT_WR)
            while part := s.recv(1 << 20):
                got += len(part)
            assert got == commands * len('+PONG\r\n')


@pytest.mark.parametrize('before', [1, 10_000])
def test_urgent_data_hides_nothing(server, before):
    """A read stops at the mark of urgent data, however much comes behind it."""
    with socket.create_connection(('127.0.0.1', server.port)) as s:
        s.settimeout(20)
        s.sendall(encode([b'PING']) * before)
        s.send(b'!', socket.MSG_OOB)
        s.sendall(encode([b'ECHO', b'behind']))
        got = b''
        while not got.endswith(b'behind\r\n'):
            part = s.recv(1 << 20)
            assert part, got[-100:]
            got += part
        assert got.startswith(b'+PONG\r\n' * before)


def test_inline_and_multibulk_mixed_and_empty(server):
    with server.client() as c:
        c.send_bytes(b'PING\r\n*1\r\n$4\r\nPING\r\n\r\nECHO hi\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n')
        c.send_bytes(b'SET "a\\nb" \'x y\'\r\n')
        assert [c.reply() for _ in range(5)] == [b'PONG', b'PONG', b'hi', b'', b'OK']
        assert c.ok('GET', 'a\nb') == b'x y'


def test_a_pipeline_of_a_hundred_thousand(server):
    with server.client(timeout=30) as c:
        data = encode([b'ECHO', b'0123456789']) * 100000
        sender = threading.Thread(target=c.sock.sendall, args=(data,))
        sender.start()
        want = b'$10\r\n0123456789\r\n' * 100000
        got = bytearray()
        while len(got) < len(want):
            got += c.sock.recv(1 << 20)
        sender.join()
        assert got == want
