"""redis-cli and redis-benchmark, unmodified, as people use them. VITRINE_PEER=oracle runs the same against Redis."""

import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness                                                    # noqa: E402
from subject import PEER                                          # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which('redis-cli'), reason='redis-tools is not installed')


@pytest.fixture(scope='module')
def server():
    with harness.peer(PEER) as s:
        yield s
        assert s.alive(), s.log()


@pytest.fixture(scope='module')
def filled(server):
    with server.client() as c:
        c.ok('FLUSHALL')
        c.pipeline([('SET', f'string:{i}', 'x' * i) for i in range(300)])
        c.pipeline([('RPUSH', 'list:long', 'item') for _ in range(500)])
        c.pipeline([('HSET', 'hash:wide', f'f{i}', 'v') for i in range(400)])
        c.pipeline([('SADD', 'set:many', f'm{i}') for i in range(200)])
        c.pipeline([('ZADD', 'zset:top', str(i), f'm{i}') for i in range(100)])
        c.ok('SET', 'string:giant', 'x' * 100000)
    return server


def cli(server, *args, stdin=None, check=True, seconds=20):
    done = subprocess.run(['redis-cli', '-p', str(server.port), *args], input=stdin, capture_output=True, text=True,
                          timeout=seconds)
    assert not check or done.returncode == 0, done.stderr + done.stdout
    return done.stdout


# ---- redis-cli --------------------------------------------------------------------------------------------------

def test_commands_and_output_forms(server):
    assert cli(server, 'SET', 'cli:k', 'v w') == 'OK\n' and cli(server, 'GET', 'cli:k') == 'v w\n'
    assert cli(server, '--no-raw', 'GET', 'cli:k') == '"v w"\n'
    assert cli(server, '-3', '--no-raw', 'GET', 'nokey') == '(nil)\n'
    assert cli(server, '-n', '5', '--no-raw', 'DBSIZE') == '(integer) 0\n'
    assert cli(server, '-3', '--no-raw', 'HELLO').startswith('1# "server" => "redis"\n')
    assert cli(server, '--csv', 'CONFIG', 'GET', 'hz') == '"hz","10"\n'
    assert cli(server, '--json', 'CONFIG', 'GET', 'hz') == '{"hz":"10"}\n'
    assert cli(server, '--no-raw', 'NOSUCH').startswith("(error) ERR unknown command 'NOSUCH'")
    assert cli(server, '-x', 'SET', 'cli:x', stdin='from stdin') == 'OK\n'
    assert cli(server, '-r', '3', 'INCR', 'cli:n') == '1\n2\n3\n'
    assert cli(server, stdin='SET cli:a 1\nGET cli:a\nMULTI\nINCR cli:a\nEXEC\n') == 'OK\n1\nOK\nQUEUED\n2\n'
    assert cli(server, '-e', 'NOSUCH', check=False) == ''
    assert '# Server' in cli(server, '-3', 'INFO', 'server')


class Terminal:
    """redis-cli in a terminal of its own."""

    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM='xterm', HOME='/nonexistent', REDISCLI_HISTFILE='/dev/null')
            time.sleep(0.05)                            # until the terminal has its size
            os.execvp('redis-cli', ['redis-cli', *args])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 200, 0, 0))

    def type(self, text, until, seconds=5.0):
        """Types and returns what is shown up to and with `until`."""
        os.write(self.fd, text.encode())
        shown, deadline = '', time.monotonic() + seconds
        while not re.search(until, shown):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], f'waited for {until!r}, saw {shown!r}'
            shown += re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', os.read(self.fd, 65536).decode(errors='replace'))
        return shown

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def test_interactive_with_hints_and_help(server):
    with Terminal('-p', str(server.port)) as t:
        prompt = rf'127\.0\.0\.1:{server.port}> '
        t.type('', prompt)
        t.type('SET ', r'key value \[NX\s*\|\s*XX')
        t.type('\x15', prompt)                               # clears the line
        t.type('HGETALL ', 'key')
        t.type('\x15', prompt)
        t.type('CLIENT KILL ', r'ID client-id|ip:port')
        t.type('\x15', prompt)
        t.type('lmp\t', r'LMPOP|lmpop')
        t.type('\x15', prompt)
        shown = t.type('help getrange\r', r'group: \w+')
        assert re.search(r'GETRANGE key start end', shown) and 'summary: ' in shown and 'since: 2.4.0' in shown
        t.type('help @list\r', r'BLMOVE[\s\S]*RPUSHX')
        t.type('SET hello world\r', r'OK\s+' + prompt)
        t.type('GET hello\r', r'"world"\s+' + prompt)
        t.type('DEL hello\r', r'\(integer\) 1\s+' + prompt)
        t.type('SELECT 3\r', rf'127\.0\.0\.1:{server.port}\[3\]> ')
        t.type('MULTI\r', r'\(TX\)> ')
        t.type('DISCARD\r', rf'OK\s+127\.0\.0\.1:{server.port}\[3\]> ')
        t.type('HELLO 3\r', r'1# "server" => "redis"')


def test_stat(filled):
    with Terminal('-p', str(filled.port), '--stat', '-i', '0.1') as t:
        shown = t.type('', r'(?s)keys +mem +clients.*(\n305 +\d+\.\d+[KMG].*){3}')
        assert '------- data ------ --------------------- load -------------------- - child -' in shown


def test_latency(server):
    low, high, average, count = cli(server, '--latency', '--raw', '-i', '1').split()[:4]
    assert int(low) <= float(average) <= int(high) < 1000 and int(count) > 20
    with Terminal('-p', str(server.port), '--latency-history', '-i', '1') as t:
        t.type('', r'min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\) -- 1\.\d+ seconds range')


def test_bigkeys_and_memkeys(filled):
    out = cli(filled, '--bigkeys')
    for want in ('Sampled 305 keys', "Biggest   list found '\"list:long\"' has 500 items", 'zset:top', 'hash:wide',
                 "Biggest string found '\"string:giant\"' has 100000 bytes", 'set:many', '1 hashs with 400 fields'):
        assert want in out, out
    out = cli(filled, '--memkeys')
    assert 'Sampled 305 keys' in out and re.search(r"Biggest string found '\"string:giant\"' has 1\d{5} bytes", out)
    assert 'list:long' in cli(filled, '--memkeys', '--memkeys-samples', '5')


def test_hotkeys_need_lfu(filled):
    with filled.client() as c:
        c.ok('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu')
        try:
            for _ in range(3000):
                c.ok('GET', 'string:7')
            out = cli(filled, '--hotkeys')
            assert re.search(r'hot key found with counter: \d+\s+keyname: "?string:7"?', out), out
        finally:
            c.ok('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')


def test_scan(filled):
    assert sorted(cli(filled, '--scan').split()) == sorted(cli(filled, 'KEYS', '*').split())
    assert sorted(cli(filled, '--scan', '--pattern', '*:1?').split()) == [f'string:{i}' for i in range(10, 20)]
    assert cli(filled, '--scan', '--pattern', 'list:*').split() == ['list:long']
    assert cli(filled, '--scan', '--pattern', 'nosuch*') == ''


def test_pipe(server):
    count = 50000
    data = b''.join(harness.encode([b'SET', b'pipe:%d' % i, b'v%d' % i]) for i in range(count))
    data += harness.encode([b'LPUSH', b'pipe:0', b'x'])                       # one error
    pipe = ['redis-cli', '-p', str(server.port), '--pipe']
    done = subprocess.run(pipe, input=data, capture_output=True, timeout=30)
    assert f'errors: 1, replies: {count + 1}'.encode() in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    inline = ''.join(f'SET inline:{i} {i}\r\n' for i in range(1000)).encode()
    done = subprocess.run(pipe, input=inline, capture_output=True, timeout=30)
    assert b'errors: 0, replies: 1000' in done.stdout and done.returncode == 0
    with server.client() as c:
        assert c.ok('GET', f'pipe:{count - 1}') == b'v%d' % (count - 1)
        c.pipeline([('DEL', *[f'pipe:{i}' for i in range(count)]), ('DEL', *[f'inline:{i}' for i in range(1000)])])


def test_other_modes(server, tmp_path):
    with Terminal('-p', str(server.port), 'MONITOR') as t, server.client() as c:
        t.type('', 'OK')
        c.ok('PING')
        t.type('', '"PING"')
    with harness.peer(PEER, ('requirepass', 'secret'), ('unixsocket', str(tmp_path / 's'))) as s:
        assert 'NOAUTH' in cli(s, 'PING')
        assert cli(s, '-a', 'secret', '--no-auth-warning', 'PING') == 'PONG\n'
        assert cli(s, '--user', 'default', '--pass', 'secret', '--no-auth-warning', 'PING') == 'PONG\n'
        assert cli(s, '-u', f'redis://default:secret@127.0.0.1:{s.port}/2', '--no-auth-warning', 'PING') == 'PONG\n'
        out = subprocess.run(['redis-cli', '-s', str(tmp_path / 's'), '-a', 'secret', '--no-auth-warning', 'PING'],
                             capture_output=True, text=True)
        assert out.stdout == 'PONG\n'


# ---- redis-benchmark --------------------------------------------------------------------------------------------

DEFAULT_TESTS = ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'LPUSH', 'RPUSH', 'LPOP', 'RPOP', 'SADD', 'HSET',
                 'SPOP', 'ZADD', 'ZPOPMIN', 'LRANGE_100', 'LRANGE_300', 'LRANGE_500', 'LRANGE_600', 'MSET']


@pytest.mark.parametrize('args', [[], ['-P', '16'], ['-r', '1000', '-d', '200']], ids=' '.join)
def test_benchmark_runs_all_its_tests(server, args):
    out = subprocess.run(['redis-benchmark', '-p', str(server.port), '-n', '1000', '-c', '20', '--csv', *args],
                         capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    rows = {line.split('"')[1].split(' ')[0] for line in out.stdout.splitlines() if line.startswith('"')}
    lacking = [name for name in DEFAULT_TESTS if name not in rows]
    assert not lacking and 'Error' not in out.stdout + out.stderr, (lacking, out.stdout, out.stderr)
