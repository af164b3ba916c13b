"""TLS: certificates, versions, sessions, users by certificate, reload, and handshakes that do not end."""

import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
import redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness                                                    # noqa: E402
from certificates import Authority, openssl                       # noqa: E402
from harness import Closed, Error                                 # noqa: E402
from subject import PEER, ours                                    # noqa: E402



@pytest.fixture(scope='module')
def ca(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp('ca'))
    authority.server = authority.issue('server')
    authority.client = authority.issue('client')
    return authority


class TlsClient(harness.Client):
    def __init__(self, port, context, session=None):
        plain = socket.create_connection(('127.0.0.1', port), timeout=10)
        self.sock = context.wrap_socket(plain, server_hostname='localhost', session=session)
        self.buf, self.pos = b'', 0


class Tls:
    """A server with a TLS port."""

    def __init__(self, ca, *settings):
        self.ca = ca
        self.tls_port = harness.free_port()
        given = [k for k, _ in settings]
        usual = [('tls-port', self.tls_port), ('tls-cert-file', ca.server[0]), ('tls-key-file', ca.server[1]),
                 ('tls-ca-cert-file', ca.file)]
        self.server = harness.peer(PEER, *[s for s in usual if s[0] not in given], *settings)
        self.admin = self.server.client()

    def context(self, client=None, **kw):
        context = ssl.create_default_context(cafile=str(self.ca.file))
        if client:
            context.load_cert_chain(*map(str, client))
        for name, value in kw.items():
            setattr(context, name, value)
        return context

    def connect(self, client=None, context=None, session=None, port=None):
        return TlsClient(port or self.tls_port, context or self.context(client), session)

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.server.__exit__(*details)


def is_refused(connect):
    """In TLS 1.3 the client learns with its first read that its certificate would not do."""
    try:
        return isinstance(connect().call('PING'), Error)
    except (ssl.SSLError, OSError, Closed):
        return True


@pytest.fixture
def tls(ca):
    with Tls(ca) as t:
        yield t


def test_commands_over_tls(tls, ca):
    with tls.connect(ca.client) as c:
        assert c.call('PING') == b'PONG'
        big = os.urandom(3_000_000)
        assert c.call('SET', 'big', big) == b'OK' and c.call('GET', 'big') == big
        assert c.pipeline([['SET', f'k{i}', i] for i in range(5000)]) == [b'OK'] * 5000
        assert c.pipeline([['GET', f'k{i}'] for i in range(5000)]) == [b'%d' % i for i in range(5000)]
        assert b'laddr=127.0.0.1:%d' % tls.tls_port in c.call('CLIENT', 'INFO')
        assert tls.admin.call('STRLEN', 'big') == len(big)


def test_many_small_writes_and_a_slow_reader(tls, ca):
    with tls.connect(ca.client) as c:
        tls.admin.ok('SET', 'v', 'x' * 20000)
        for _ in range(500):
            c.send('GET', 'v')
        time.sleep(0.2)
        assert all(len(c.reply()) == 20000 for _ in range(500))
        # A command in many records.
        for byte in b'*1\r\n$4\r\nPING\r\n':
            c.send_bytes(bytes([byte]))
        assert c.reply() == b'PONG'


def test_the_client_must_prove_itself(tls, ca, tmp_path):
    stranger = Authority(tmp_path / 'other', 'Other CA').issue('client')
    assert is_refused(lambda: tls.connect())
    assert is_refused(lambda: tls.connect(stranger))
    tls.admin.ok('CONFIG', 'SET', 'tls-auth-clients', 'optional')
    assert tls.connect().call('PING') == b'PONG'
    assert tls.connect(ca.client).call('PING') == b'PONG'
    assert is_refused(lambda: tls.connect(stranger))
    tls.admin.ok('CONFIG', 'SET', 'tls-auth-clients', 'no')
    assert tls.connect(stranger).call('PING') == b'PONG'


def test_plain_text_on_the_tls_port(tls):
    with harness.Client(tls.tls_port, timeout=5) as c:
        with pytest.raises((Closed, OSError)):
            c.call('PING')
    assert tls.admin.call('PING') == b'PONG'


def test_protocols_and_ciphers(tls, ca):
    def version(**kw):
        with tls.connect(context=tls.context(ca.client, **kw)) as c:
            assert c.call('PING') == b'PONG'
            return c.sock.version(), c.sock.cipher()[0]
    assert version()[0] == 'TLSv1.3'
    tls.admin.ok('CONFIG', 'SET', 'tls-protocols', 'TLSv1.2')
    assert version()[0] == 'TLSv1.2'
    tls.admin.ok('CONFIG', 'SET', 'tls-ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384')
    assert version()[1] == 'ECDHE-ECDSA-AES256-GCM-SHA384'
    tls.admin.ok('CONFIG', 'SET', 'tls-protocols', 'TLSv1.3', 'tls-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256')
    assert version() == ('TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256')
    assert is_refused(lambda: tls.connect(context=tls.context(ca.client, maximum_version=ssl.TLSVersion.TLSv1_2)))


def test_wrong_settings_change_nothing(tls, ca):
    for name, value in (('tls-cert-file', '/nope'), ('tls-key-file', ca.client[1]), ('tls-ca-cert-file', ''),
                        ('tls-protocols', 'SSLv3'), ('tls-ciphers', 'nope'), ('tls-ciphersuites', 'nope'),
                        ('tls-dh-params-file', ca.file)):
        error = tls.admin.call('CONFIG', 'SET', name, value)
        assert b"'%s') - Unable to update TLS configuration. Check server logs." % name.encode() in error
    assert b'Unable to listen on this port' in tls.admin.call('CONFIG', 'SET', 'tls-port', tls.server.port)
    with tls.connect(ca.client) as c:
        assert c.call('PING') == b'PONG'


def test_starts_that_fail(ca, tmp_path):
    def fails(*settings):
        args = ['--port', '0', '--tls-port', str(harness.free_port()), '--save', '']
        status, output = harness.run_once(PEER, args + [str(w) for s in settings for w in s], cwd=tmp_path)
        assert status == 1 and 'Failed to configure TLS. Check logs for more info.' in output
        return output
    assert 'No tls-cert-file configured!' in fails()
    pair = ('--tls-cert-file', ca.server[0]), ('--tls-key-file', ca.server[1])
    assert 'Either tls-ca-cert-file or tls-ca-cert-dir must be specified' in fails(*pair)
    assert 'Failed to load private key' in fails(pair[0], ('--tls-key-file', ca.client[1]),
                                                 ('--tls-ca-cert-file', ca.file))


def test_port_can_move_and_close(tls, ca):
    old, tls.tls_port = tls.tls_port, harness.free_port()
    with tls.connect(ca.client, port=old) as c:
        tls.admin.ok('CONFIG', 'SET', 'tls-port', tls.tls_port)
        assert c.call('PING') == b'PONG'
    assert tls.connect(ca.client).call('PING') == b'PONG'
    assert not harness.reachable(old)
    tls.admin.ok('CONFIG', 'SET', 'tls-port', '0')
    with pytest.raises(OSError):
        tls.connect(ca.client)


def test_key_with_a_password(ca):
    pair = ca.issue('locked', password='s3cr3t')
    settings = ('tls-cert-file', pair[0]), ('tls-key-file', pair[1]), ('tls-key-file-pass', 's3cr3t')
    with Tls(ca, *settings) as t:
        assert t.connect(ca.client).call('PING') == b'PONG'
        assert isinstance(t.admin.call('CONFIG', 'SET', 'tls-key-file-pass', 'wrong'), Error)


@pytest.mark.skipif(PEER == 'oracle', reason='7.0 fails to resume with client certificates')
@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(ca, version):
    with Tls(ca) as t:
        context = t.context(ca.client, maximum_version=version)
        with t.connect(context=context) as first:
            first.call('PING')
            session = first.sock.session
        with t.connect(context=context, session=session) as again:
            assert again.call('PING') == b'PONG' and again.sock.session_reused
        t.admin.ok('CONFIG', 'SET', 'tls-session-caching', 'no')
        with t.connect(context=context) as first:
            first.call('PING')
            session = first.sock.session
        with t.connect(context=context, session=session) as again:
            assert again.call('PING') == b'PONG' and not again.sock.session_reused


@ours
def test_users_by_certificate(ca):
    with Tls(ca, ('tls-auth-clients-user', 'CN')) as t:
        t.admin.ok('ACL', 'SETUSER', 'alice', 'on', '+@all', '~*')
        t.admin.ok('ACL', 'SETUSER', 'urn:user:bob', 'on', '+@all', '~*')
        t.admin.ok('ACL', 'SETUSER', 'off', 'off', '+@all')
        assert t.connect(ca.issue('alice')).call('ACL', 'WHOAMI') == b'alice'
        assert t.connect(ca.client).call('ACL', 'WHOAMI') == b'default'
        assert t.connect(ca.issue('off')).call('ACL', 'WHOAMI') == b'default'
        entry = t.admin.ok('ACL', 'LOG')[0]
        entry = dict(zip(entry[::2], entry[1::2]))
        assert entry[b'reason'] == b'tls-cert' and entry[b'username'] == b'off'
        assert harness.info(t.admin, 'acl_access_denied_tls_cert') == '2'
        t.admin.ok('CONFIG', 'SET', 'tls-auth-clients-user', 'URI')
        bob = ca.issue('bob', names='URI:urn:user:nobody,URI:urn:user:bob')
        assert t.connect(bob).call('ACL', 'WHOAMI') == b'urn:user:bob'
        assert t.connect(ca.issue('alice')).call('ACL', 'WHOAMI') == b'default'
        # A newcomer who must authenticate is let in by the certificate.
        t.admin.ok('CONFIG', 'SET', 'requirepass', 'x')
        assert t.connect(bob).call('PING') == b'PONG'
        assert t.connect(ca.client).call('PING').startswith(b'NOAUTH')


@ours
def test_files_are_read_again(ca, tmp_path):
    pair = [tmp_path / 'crt', tmp_path / 'key']

    def put(name):
        for source, target in zip(ca.issue(name), pair):
            shutil.copy(source, tmp_path / 'new')
            (tmp_path / 'new').rename(target)

    def subject(t):
        with t.connect(ca.client) as c:
            return dict(x[0] for x in c.sock.getpeercert()['subject'])['commonName']
    put('first')
    settings = ('tls-cert-file', pair[0]), ('tls-key-file', pair[1]), ('tls-auto-reload-interval', '1')
    with Tls(ca, *settings) as t:
        assert subject(t) == 'first'
        put('second')
        harness.eventually(lambda: subject(t) == 'second')
        # At once by CONFIG SET, of the same names, too; who is connected stays.
        t.admin.ok('CONFIG', 'SET', 'tls-auto-reload-interval', '0')
        with t.connect(ca.client) as stays:
            put('third')
            assert subject(t) == 'second'
            t.admin.ok('CONFIG', 'SET', 'tls-cert-file', str(pair[0]), 'tls-key-file', str(pair[1]))
            assert subject(t) == 'third' and stays.call('PING') == b'PONG'
        put('second')
        t.admin.ok('CONFIG', 'SET', 'tls-auto-reload-interval', '1')
        harness.eventually(lambda: subject(t) == 'second')
        pair[0].write_text('nonsense')
        harness.eventually(lambda: 'were not taken' in t.server.log())
        assert subject(t) == 'second'


@ours
def test_handshakes_that_do_not_end(ca):
    with Tls(ca, ('maxclients', '100')) as t:
        idle = [socket.create_connection(('127.0.0.1', t.tls_port)) for _ in range(60)]
        harness.eventually(lambda: len(t.admin.ok('CLIENT', 'LIST').splitlines()) <= 43)
        assert t.connect(ca.client).call('PING') == b'PONG'
        gone = 0
        for s in idle:
            s.settimeout(0.02)
            try:
                gone += s.recv(1) == b''
            except (TimeoutError, socket.timeout):
                pass
            except OSError:
                gone += 1
        assert gone >= 60 - 42


@ours
def test_a_storm_of_handshakes_leaves_room_for_others(ca):
    with Tls(ca, ('tls-auth-clients', 'no')) as t:
        stop = threading.Event()

        def storm():
            while not stop.is_set():
                try:
                    t.connect().close()
                except (OSError, Closed):
                    pass
        threads = [threading.Thread(target=storm) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            slowest = 0
            for _ in range(300):
                begin = time.monotonic()
                assert t.admin.call('PING') == b'PONG'
                slowest = max(slowest, time.monotonic() - begin)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert slowest < 0.5, slowest


def test_redis_py(tls, ca):
    r = redis.Redis(port=tls.tls_port, ssl=True, ssl_ca_certs=str(ca.file), ssl_certfile=str(ca.client[0]),
                    ssl_keyfile=str(ca.client[1]), decode_responses=True)
    assert r.set('a', '1') and r.get('a') == '1'
    with r.pipeline() as p:
        for i in range(1000):
            p.rpush('l', i)
        assert p.execute()[-1] == 1000
    assert r.lrange('l', 0, -1) == [str(i) for i in range(1000)]


def test_redis_cli(tls, ca):
    said = subprocess.run(['redis-cli', '-p', str(tls.tls_port), '--tls', '--cacert', str(ca.file), '--cert',
                           str(ca.client[0]), '--key', str(ca.client[1]), 'ECHO', 'hello'], capture_output=True,
                          text=True, timeout=20)
    assert said.stdout == 'hello\n', said.stderr


def test_dh_parameters(ca, tmp_path):
    file = tmp_path / 'dh.pem'
    openssl('genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048', '-out', file)
    pair = ca.issue('rsa', kind='rsa')
    with Tls(ca, ('tls-dh-params-file', file), ('tls-cert-file', pair[0]), ('tls-key-file', pair[1]),
             ('tls-protocols', 'TLSv1.2'), ('tls-ciphers', 'DHE-RSA-AES256-GCM-SHA384')) as t:
        with t.connect(ca.client) as c:
            assert c.call('PING') == b'PONG' and c.sock.cipher()[0] == 'DHE-RSA-AES256-GCM-SHA384'


@ours
@pytest.mark.slow
def test_a_handshake_ends_in_time(ca):
    with Tls(ca) as t:
        silent = socket.create_connection(('127.0.0.1', t.tls_port))
        half = socket.create_connection(('127.0.0.1', t.tls_port))
        half.sendall(b'\x16\x03\x01\x02\x00\x01')              # the beginning of a greeting
        began = time.monotonic()
        for s in (silent, half):
            s.settimeout(20)
            try:
                assert s.recv(1) == b''
            except ConnectionError:
                pass
            assert 9 < time.monotonic() - began < 14
            s.close()
        assert t.connect(ca.client).call('PING') == b'PONG'
