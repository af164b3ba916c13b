"""Servers and clients for tests.

A Server is one process on a free loopback port with its own temporary directory. `Oracle` is Debian's
Redis 7.0.15 (package redis-tools, whose redis-check-rdb acts as the server when it is called redis-server);
`Vitrine` is the server under test, found through VITRINE_SERVER or at build/release/vitrine-server.

A Client is one plain socket that speaks RESP2 and RESP3 without any interpretation. A raw reply is a tuple
(type, payload), for instance ('$', b'abc'), (':', 5), ('*', [...]), ('*', None), ('%', [k, v, k, v]), (',', b'1.5').
`python_value` turns a raw reply into ordinary values, with Error, Status, Double, Map, SetReply, Push and
Verbatim for what Python has no type for.
"""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORACLE_BINARY = '/usr/bin/redis-check-rdb'


# ---- replies ----------------------------------------------------------------------------------------------------

class Status(bytes):
    """A simple string (+OK)."""


class Error(bytes):
    """An error reply; never raised by the raw client."""


class Verbatim(bytes):
    """A verbatim string, without its three-letter format."""


class Double(float):
    """A RESP3 double; `text` is what was sent."""
    text = b''


class Map(list):
    """A RESP3 map as a list of (key, value) pairs, in the order sent."""

    def dict(self):
        return dict(self)


class SetReply(list):
    """A RESP3 set in the order sent."""


class Push(list):
    """A RESP3 push message."""


class Short(Exception):
    """The buffer ends before the reply does."""


class Closed(Exception):
    """The server closed the connection."""


_LINE = frozenset(b'+-:,#_(')
_BULK = frozenset(b'$=!')
_LIST = frozenset(b'*~>')
_PAIRS = frozenset(b'%|')


def frame(buf, pos):
    """The position after the reply that starts at pos; raises Short."""
    end = buf.find(b'\r\n', pos)
    if end < 0:
        raise Short
    kind = buf[pos]
    if kind in _LINE:
        return end + 2
    count = int(buf[pos + 1:end])
    if kind in _BULK:
        end += 2 if count < 0 else count + 4
        if end > len(buf):
            raise Short
        return end
    if kind in _PAIRS:
        count *= 2
    elif kind not in _LIST:
        raise ValueError(f'not a reply: {buf[pos:pos + 80]!r}')
    end += 2
    for _ in range(count):
        if end >= len(buf):
            raise Short
        end = frame(buf, end)
    return frame(buf, end) if kind == 124 else end


def parse(buf, pos=0):
    """(raw reply, position after it); raises Short."""
    end = buf.find(b'\r\n', pos)
    if end < 0:
        raise Short
    kind = buf[pos]
    text = buf[pos + 1:end]
    end += 2
    if kind in _LINE:
        return (chr(kind), int(text) if kind == 58 else text), end
    count = int(text)
    if kind in _BULK:
        if count < 0:
            return (chr(kind), None), end
        if end + count + 2 > len(buf):
            raise Short
        return (chr(kind), bytes(buf[end:end + count])), end + count + 2
    if kind not in _LIST and kind not in _PAIRS:
        raise ValueError(f'not a reply: {buf[pos:pos + 80]!r}')
    if count < 0:
        return (chr(kind), None), end
    items = []
    for _ in range(count * 2 if kind in _PAIRS else count):
        if end >= len(buf):
            raise Short
        item, end = parse(buf, end)
        items.append(item)
    return (chr(kind), items), end


def python_value(raw):
    kind, value = raw
    if kind == '+':
        return Status(value)
    if kind in '-!':
        return Error(value)
    if kind in ':$':
        return value
    if kind == '_' or value is None:
        return None
    if kind == ',':
        number = Double(float(value))
        number.text = value
        return number
    if kind == '#':
        return value == b't'
    if kind == '(':
        return int(value)
    if kind == '=':
        return Verbatim(value[4:])
    items = [python_value(item) for item in value]
    if kind in '%|':
        return Map(zip(items[::2], items[1::2]))
    return {'*': list, '~': SetReply, '>': Push}[kind](items)


def to_bytes(arg):
    if isinstance(arg, bytes):
        return arg
    if isinstance(arg, float):
        return repr(arg).encode()
    return str(arg).encode()


def encode(args):
    """One command as a RESP array of bulk strings; args are bytes."""
    parts = [b'*%d\r\n' % len(args)]
    for arg in args:
        parts.append(b'$%d\r\n%b\r\n' % (len(arg), arg))
    return b''.join(parts)


def show(raw, limit=2000):
    """A raw reply for people."""
    kind, value = raw
    if isinstance(value, list):
        text = f"{kind}[{', '.join(show(item, limit) for item in value)}]"
    else:
        text = kind + (repr(value)[1:] if isinstance(value, bytes) else str(value))
    return text if len(text) <= limit else text[:limit] + f'… ({len(text)} characters)'


class Client:
    """One connection. `call` is one command and its Python value; `send`/`reply` pipeline."""

    def __init__(self, port, host='127.0.0.1', timeout=20.0, resp3=False, unix=None):
        if unix:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(unix)
        else:
            self.sock = socket.create_connection((host, port), timeout=timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b''
        self.pos = 0
        if resp3:
            greeting = self.raw('HELLO', '3')
            assert greeting[0] == '%', show(greeting)

    def send_bytes(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed(str(e)) from None

    def send(self, *args):
        self.send_bytes(encode([to_bytes(a) for a in args]))

    def fill(self):
        try:
            data = self.sock.recv(1 << 20)
        except ConnectionResetError as e:
            raise Closed(str(e)) from None
        if not data:
            raise Closed('end of stream')
        self.buf = self.buf[self.pos:] + data
        self.pos = 0

    def raw_reply(self):
        while True:
            try:
                if self.pos < len(self.buf):
                    raw, self.pos = parse(self.buf, self.pos)
                    return raw
            except Short:
                pass
            if len(self.buf) - self.pos > (1 << 20):
                self._fill_much()
            else:
                self.fill()

    def _fill_much(self):
        # A large reply: gather more between attempts, so that parsing again stays linear.
        want = len(self.buf) - self.pos
        parts = [self.buf[self.pos:]]
        self.sock.settimeout(self.sock.gettimeout())
        while want > 0:
            data = self.sock.recv(min(want, 1 << 24))
            if not data:
                raise Closed('end of stream')
            parts.append(data)
            want -= len(data)
            try:
                frame(b''.join(parts), 0)
                break
            except Short:
                pass
        self.buf, self.pos = b''.join(parts), 0

    def reply(self):
        return python_value(self.raw_reply())

    def raw(self, *args):
        self.send(*args)
        return self.raw_reply()

    def call(self, *args):
        return python_value(self.raw(*args))

    def ok(self, *args):
        value = self.call(*args)
        if isinstance(value, Error):
            raise AssertionError(f'{args}: {value.decode(errors="replace")}')
        return value

    def pipeline(self, commands):
        self.send_bytes(b''.join(encode([to_bytes(a) for a in args]) for args in commands))
        return [self.reply() for _ in commands]

    def at_end(self, seconds=5.0):
        """True if the server closes the connection within so many seconds, whatever it still sends."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(1 << 16):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- servers ----------------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """A server process. `settings` are pairs such as ('maxmemory', '10mb') given on the command line."""

    name = 'server'

    def __init__(self, *settings, config_file=None, environ=None, wait=True):
        self.settings = [(str(k), v) for k, v in settings]
        self.config_file = config_file
        self.environ = environ
        self.dir = tempfile.mkdtemp(prefix=f'vitrine-test-{self.name}-')
        self.log_path = os.path.join(self.dir, 'log')
        self.process = None
        self.port = 0
        if wait:
            self.start()

    def argv(self):
        """(program, argv) without settings."""
        raise NotImplementedError

    def command(self):
        program, argv = self.argv()
        if self.config_file:
            argv = argv + [str(self.config_file)]
        names = [k for k, _ in self.settings]
        for name, value in (('port', self.port), ('bind', '127.0.0.1'), ('save', ''), ('dir', self.dir)):
            if name not in names:
                argv += ['--' + name, str(value)]
        for name, value in self.settings:
            argv.append('--' + name)
            argv += [str(v) for v in (value if isinstance(value, (list, tuple)) else [value])]
        return program, argv

    def start(self, seconds=20.0):
        for _ in range(5):
            self.port = free_port()
            self._spawn()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    with Client(self.port, timeout=2) as c:
                        c.call('PING')
                    return self
                except (OSError, Closed):
                    time.sleep(0.01)
            if self.process.poll() is None:
                break
            if 'ddress already in use' not in self.log():
                break
        log = self.log()
        self.stop()
        raise RuntimeError(f'{self.name} did not start:\n{log}')

    def _spawn(self):
        program, argv = self.command()
        env = dict(os.environ, LC_ALL='C', **(self.environ or {}))
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(argv, executable=program, cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent, env=env)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self, limit=6000):
        try:
            text = pathlib.Path(self.log_path).read_text(errors='replace')
        except OSError:
            return ''
        return text[-limit:]

    def client(self, **kw):
        return Client(self.port, **kw)

    def rss_kb(self):
        for line in pathlib.Path(f'/proc/{self.pid}/status').read_text().splitlines():
            if line.startswith('VmRSS'):
                return int(line.split()[1])
        return 0

    def terminate(self, seconds=10.0):
        """SIGTERM and the exit status."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f'{self.name} did not end within {seconds} s after SIGTERM') from None

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def restart(self):
        if self.alive():
            self.process.kill()
            self.process.wait()
        os.makedirs(self.dir, exist_ok=True)
        return self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and issubclass(kind, (AssertionError, Closed, OSError)):
            print(f'--- {self.name} log ---\n{self.log()}')
        self.stop()


class Oracle(Server):
    name = 'oracle'

    @staticmethod
    def present():
        return os.path.exists(ORACLE_BINARY)

    def argv(self):
        return ORACLE_BINARY, ['redis-server']

    def __init__(self, *settings, **kw):
        names = [k for k, _ in settings]
        extra = [(k, 'yes') for k in ('enable-debug-command', 'enable-protected-configs') if k not in names]
        super().__init__(*settings, *extra, **kw)


def vitrine_path():
    return os.environ.get('VITRINE_SERVER') or str(ROOT / 'build/release/vitrine-server')


class Vitrine(Server):
    name = 'vitrine'

    @staticmethod
    def present():
        return os.path.exists(vitrine_path())

    def argv(self):
        return os.path.abspath(vitrine_path()), ['vitrine-server']

    def __init__(self, *settings, **kw):
        names = [k for k, _ in settings]
        extra = [] if 'enable-debug-command' in names else [('enable-debug-command', 'yes')]
        super().__init__(*settings, *extra, **kw)


def peer(name, *settings, **kw):
    """A server by name: 'vitrine' or 'oracle'."""
    return {'vitrine': Vitrine, 'oracle': Oracle}[name](*settings, **kw)

# ---- what tests of the process share ----------------------------------------------------------------------------

def run_once(name, args, stdin='', cwd=None):
    """Runs a server with these arguments to its end: (status, output)."""
    program, argv = peer(name, wait=False).argv()
    done = subprocess.run(argv + args, executable=program, input=stdin, capture_output=True, text=True, timeout=20,
                          cwd=cwd)
    return done.returncode, done.stdout + done.stderr


def eventually(what, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(0.01)


def silent(client, seconds=0.1):
    """True if nothing comes for so long."""
    assert client.pos == len(client.buf)
    client.sock.settimeout(seconds)
    try:
        client.fill()
        client.pos = 0
        return False
    except socket.timeout:
        return True
    finally:
        client.sock.settimeout(20)


def reachable(port, host='127.0.0.1', unix=None):
    try:
        with Client(port, host=host, timeout=1, unix=unix) as c:
            return c.call('PING') is not None
    except (OSError, Closed):
        return False


def config(client, name):
    return client.ok('CONFIG', 'GET', name)[1].decode()


def info(client, field, section='everything'):
    return re.search(rf'^{field}:([^\r]*)', client.ok('INFO', section).decode(), re.M)[1]
