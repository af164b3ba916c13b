"""The server as a process: its command line, where it listens and logs, how it ends.
VITRINE_PEER=oracle runs the same against Redis 7.0.15."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from harness import Client, Error, config, eventually, info, reachable    # noqa: E402
from subject import ORACLE, PEER, once, ours, start, write        # noqa: E402



# ---- command line -----------------------------------------------------------------------------------------------

def test_version_and_help():
    for flag in ('-v', '--version'):
        status, out = once([flag])
        assert status == 0 and re.match(r'\w+ server v=\d+\.\d+\.\d+', out)
    for flag in ('-h', '--help'):
        status, out = once([flag])
        assert 'Usage' in out and '--port 7777' in out


def test_settings_of_the_command_line_win_over_the_file(tmp_path):
    conf = write(tmp_path / 'a.conf', 'timeout 5\nhz 20\n')
    with start(('hz', '30'), ('client-output-buffer-limit', ['pubsub', '1mb', '0', '0']), config_file=conf) as s:
        with s.client() as c:
            assert config(c, 'timeout') == '5' and config(c, 'hz') == '30'
            assert 'pubsub 1048576 0 0' in config(c, 'client-output-buffer-limit')
            assert info(c, 'config_file') == conf


@pytest.mark.parametrize('args', [['-', '--hz', '33'], ['FILE', '--hz', '33', '-'], ['--hz', '33', '-'], ['FILE', '-']])
def test_standard_input_is_a_configuration(tmp_path, args):
    conf, port = write(tmp_path / 'a.conf', 'timeout 7\n'), harness.free_port()
    program, argv = harness.peer(PEER, wait=False).argv()
    p = subprocess.Popen(argv + [conf if a == 'FILE' else a for a in args], executable=program, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=tmp_path)
    try:
        p.stdin.write(f'port {port}\nbind 127.0.0.1\nsave ""\nmaxmemory 3mb')
        p.stdin.close()
        eventually(lambda: reachable(port))
        with Client(port) as c:
            assert config(c, 'maxmemory') == str(3 << 20)
            assert config(c, 'hz') == ('33' if '--hz' in args else '10')
            assert config(c, 'timeout') == ('7' if 'FILE' in args else '0')
    finally:
        p.kill()
        p.wait()


# ---- where it listens -------------------------------------------------------------------------------------------

def test_several_addresses():
    with start(('bind', ['127.0.0.1', '127.0.0.2', '::1', '-192.0.2.199', '-2001:db8::9'])) as s:
        for host in ('127.0.0.1', '127.0.0.2', '::1'):
            with s.client(host=host) as c:
                assert c.call('PING') == b'PONG'
        assert not reachable(s.port, '127.0.0.3')
        with s.client(host='::1') as c:
            line = c.ok('CLIENT', 'INFO').decode()
            assert re.search(r' addr=\[::1\]:\d+ ', line) and f' laddr=[::1]:{s.port} ' in line
            assert c.ok('CLIENT', 'LIST').decode().startswith('id=')
            assert c.ok('CLIENT', 'KILL', 'ADDR', re.search(r' addr=(\S+)', line)[1], 'SKIPME', 'no') == 1
            assert c.at_end()


def test_all_addresses():
    with start(('bind', ['*', '-::*'])) as s:
        for host in ('127.0.0.1', '127.0.0.9', '::1'):
            assert reachable(s.port, host)


def test_an_address_that_is_not_here_ends_it():
    status, out = once(['--port', str(harness.free_port()), '--bind', '127.0.0.1', '192.0.2.199', '--save', ''])
    assert status == 1 and 'Could not create server TCP listening socket 192.0.2.199' in out
    assert 'Failed listening on port' in out


def test_a_port_that_is_taken_ends_it(tmp_path):
    pidfile = tmp_path / 'pid'
    with start(('pidfile', str(pidfile))) as s:
        assert int(pidfile.read_text()) == s.pid
        status, out = once(['--port', str(s.port), '--bind', '127.0.0.1', '--save', '', '--pidfile', str(pidfile)])
        assert status == 1 and f'127.0.0.1:{s.port}: bind: Address already in use' in out
        assert int(pidfile.read_text()) == s.pid, "the running server's file stays"
        assert s.terminate() == 0 and not pidfile.exists()


def test_listening_can_change(tmp_path):
    with start(('bind', '127.0.0.1')) as s, s.client() as c:
        assert not reachable(s.port, '127.0.0.2')
        assert c.ok('CONFIG', 'SET', 'bind', '127.0.0.1 127.0.0.2 -::1') == b'OK'
        assert reachable(s.port, '127.0.0.2') and reachable(s.port, '::1')
        other = harness.free_port()
        assert c.ok('CONFIG', 'SET', 'port', other) == b'OK'
        assert reachable(other) and not reachable(s.port)
        assert b'Failed to bind to specified addresses' in c.call('CONFIG', 'SET', 'bind', '192.0.2.199')
        assert config(c, 'bind') == '127.0.0.1 127.0.0.2 -::1' and reachable(other, '127.0.0.2')
        assert isinstance(c.call('CONFIG', 'SET', 'bind', '127.0.0.1', 'hz', 'x'), Error)
        assert reachable(other, '127.0.0.2')


def test_port_0_and_a_unix_socket(tmp_path):
    path = str(tmp_path / 'sock')
    program, argv = harness.peer(PEER, wait=False).argv()
    p = subprocess.Popen(argv + ['--port', '0', '--unixsocket', path, '--unixsocketperm', '740', '--save', '',
                                 '--enable-debug-command', 'local'],
                         executable=program, stdout=subprocess.DEVNULL, cwd=tmp_path)
    try:
        eventually(lambda: reachable(0, unix=path))
        with Client(0, unix=path) as c:
            assert c.call('PING') == b'PONG' and os.stat(path).st_mode & 0o777 == 0o740
            line = c.ok('CLIENT', 'INFO').decode()
            assert f' addr={path}:0 ' in line and f' laddr={path}:0 ' in line and ' flags=U ' in line
            assert c.ok('DEBUG', 'SLEEP', '0') == b'OK', 'a Unix socket is local'
            assert info(c, 'tcp_port') == '0'
            listening = subprocess.run(['ss', '-tlnpH'], capture_output=True, text=True).stdout
            assert f'pid={p.pid},' not in listening
        p.terminate()
        assert p.wait(5) == 0
        assert not os.path.exists(path), 'the socket is removed at the end'
    finally:
        p.kill()
        p.wait()


def test_nowhere_to_listen_ends_it():
    status, out = once(['--port', '0', '--save', ''])
    assert status == 1 and 'Configured to not listen anywhere, exiting.' in out


def own_address():
    out = subprocess.run(['ip', '-4', '-o', 'addr', 'show', 'scope', 'global'], capture_output=True, text=True).stdout
    found = re.search(r'inet (\S+)/', out)
    return found[1] if found else None


@pytest.mark.skipif(not own_address(), reason='no address beyond the loopback')
def test_protected_mode():
    address = own_address()
    with start(('bind', '*')) as s, s.client() as c:
        with s.client(host=address) as stranger:
            answer = stranger.reply()
            assert re.match(rb'DENIED (Redis is )?[Rr]unning in protected mode', answer) and stranger.at_end()
        c.ok('CONFIG', 'SET', 'requirepass', 'x')
        with s.client(host=address) as stranger:
            assert stranger.call('PING') == b'NOAUTH Authentication required.'
        c.ok('CONFIG', 'SET', 'requirepass', '', 'protected-mode', 'no')
        with s.client(host=address) as stranger:
            assert stranger.call('PING') == b'PONG'


def test_keepalive_is_set_on_connections():
    def timers(port):
        out = subprocess.run(['ss', '-tonH', f'sport = :{port}'], capture_output=True, text=True).stdout
        return re.findall(r'timer:\(keepalive,([^,]+),', out)
    with start(('tcp-keepalive', '100')) as s, s.client() as c:
        c.call('PING')
        eventually(lambda: any(t.startswith('1min') for t in timers(s.port)))
        c.ok('CONFIG', 'SET', 'tcp-keepalive', '0')
        with s.client() as other:
            other.call('PING')
            assert timers(s.port) == []


def test_the_backlog_reaches_the_kernel():
    with start(('tcp-backlog', '77')) as s:
        out = subprocess.run(['ss', '-tlnH', f'sport = :{s.port}'], capture_output=True, text=True).stdout
        assert out.split()[2] == '77'


# ---- log, supervisor, process -----------------------------------------------------------------------------------

LOG_LINE = re.compile(r'\d+:[MC] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] \S')


def test_log_lines_and_levels(tmp_path):
    with start(('loglevel', 'debug')) as s, s.client() as c:
        eventually(lambda: 'Ready to accept connections' in s.log())
        lines = [line for line in s.log().splitlines() if line.strip() and line[0].isdigit()]
        assert len(lines) > 4 and all(LOG_LINE.match(line) for line in lines)
        assert config(c, 'loglevel') == 'debug'
        c.ok('DEBUG', 'LOG', 'hello there')
        eventually(lambda: 'DEBUG LOG: hello there' in s.log())
    with start(('loglevel', 'warning')) as s, s.client() as c:
        assert 'Ready to accept' not in s.log()
        c.ok('CONFIG', 'SET', 'loglevel', 'notice')
        assert c.call('CONFIG', 'SET', 'loglevel', 'loud').startswith(b'ERR CONFIG SET failed')
        assert config(c, 'loglevel') == 'notice'


def test_logfile_is_appended_and_may_be_rotated(tmp_path):
    log = tmp_path / 'server.log'
    log.write_text('old line\n')
    with start(('logfile', str(log))) as s, s.client() as c:
        eventually(lambda: 'Ready to accept connections' in log.read_text())
        assert log.read_text().startswith('old line\n') and s.log() == ''
        log.rename(tmp_path / 'server.log.1')
        c.ok('DEBUG', 'LOG', 'after rotation')
        eventually(lambda: log.exists() and 'after rotation' in log.read_text())


def test_a_logfile_that_cannot_be_opened_ends_it(tmp_path):
    status, out = once(['--logfile', str(tmp_path / 'no/such/dir'), '--port', str(harness.free_port()), '--save', ''])
    assert status == 1 and "Can't open the log file: No such file or directory" in out


@ours
def test_other_log_formats():
    with start(('log-format', 'logfmt'), ('log-timestamp-format', 'iso8601')) as s:
        eventually(lambda: 'Ready to accept' in s.log())
        assert re.search(r'^pid=\d+ role=\w+ timestamp="\d{4}-\d\d-\d\dT.*" level=notice message="Ready', s.log(), re.M)


@ours
@pytest.mark.skipif(os.geteuid() != 0 or os.path.exists('/dev/log'), reason='needs to act as syslog')
def test_syslog():
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind('/dev/log')
    try:
        receiver.settimeout(5)
        with start(('syslog-enabled', 'yes'), ('syslog-ident', 'mystore'), ('syslog-facility', 'local3')) as s:
            lines = []
            while not any(b'Ready to accept' in line for line in lines):
                lines.append(receiver.recv(4096))
            assert all(re.match(rb'<(\d+)>.*mystore', line) for line in lines), lines
            assert {int(line[1:line.index(b'>')]) >> 3 for line in lines} == {19}, 'local3'
    finally:
        receiver.close()
        os.unlink('/dev/log')


@pytest.mark.parametrize('how', ['systemd', 'auto'])
def test_supervised_by_systemd(how, tmp_path):
    path = str(tmp_path / 'notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(5)
        with start(('supervised', how), ('daemonize', 'yes'), environ={'NOTIFY_SOCKET': path}) as s:
            said = receiver.recv(1000).decode()
            while 'READY=1' not in said:
                said += receiver.recv(1000).decode()
            assert s.alive(), 'a supervised server stays in the foreground'
            assert s.terminate() == 0
            said = receiver.recv(1000).decode()
            assert 'STOPPING=1' in said


def test_process_title():
    with start(('proc-title-template', 'store on {listen-addr} {port} {server-mode}')) as s, s.client() as c:
        def title():
            return pathlib.Path(f'/proc/{s.pid}/cmdline').read_bytes().strip(b'\0 ').decode()
        assert title() == f'store on 127.0.0.1:{s.port} {s.port}'
        c.ok('CONFIG', 'SET', 'port', harness.free_port())
        assert title() == f'store on 127.0.0.1:{config(c, "port")} {config(c, "port")}'
        c.ok('CONFIG', 'SET', 'proc-title-template', 'other {title}')
        eventually(lambda: re.fullmatch(r'other (vitrine|redis)-server', title()))
        assert b'template' in c.call('CONFIG', 'SET', 'proc-title-template', '{nosuch}')


def test_oom_score_and_collation():
    with start(('oom-score-adj', 'absolute'), ('oom-score-adj-values', ['100', '200', '800'])) as s, s.client() as c:
        def score():
            return int(pathlib.Path(f'/proc/{s.pid}/oom_score_adj').read_text())
        assert score() == 100
        c.ok('CONFIG', 'SET', 'oom-score-adj-values', '150 200 800')
        assert score() == 150
        c.ok('CONFIG', 'SET', 'oom-score-adj', 'no')
        assert score() == int(pathlib.Path('/proc/self/oom_score_adj').read_text())
        if not ORACLE:
            assert b'Invalid locale name' in c.call('CONFIG', 'SET', 'locale-collate', 'xx_NO')
            assert c.ok('CONFIG', 'SET', 'locale-collate', 'C.UTF-8') == b'OK'


def test_hz_and_dynamic_hz():
    with start(('hz', '50'), ('dynamic-hz', 'no')) as s, s.client() as c:
        assert info(c, 'configured_hz') == '50' and info(c, 'hz') == '50'
        c.ok('CONFIG', 'SET', 'hz', '1000')
        assert config(c, 'hz') == '500'


# ---- commands that settings allow -------------------------------------------------------------------------------

def test_rename_command(tmp_path):
    conf = write(tmp_path / 'a.conf', 'rename-command FLUSHALL "wipe it"\nrename-command KEYS ""\n'
                                      'rename-command GET fetch\n')
    with start(config_file=conf) as s, s.client() as c:
        c.ok('SET', 'k', 'v')
        assert c.ok('FETCH', 'k') == b'v'
        assert c.call('GET', 'k') == b"ERR unknown command 'GET', with args beginning with: 'k' "
        assert c.call('KEYS', '*').startswith(b"ERR unknown command 'KEYS'")
        assert c.ok('wipe it') == b'OK' and c.ok('DBSIZE') == 0
        assert c.call('FETCH') == b"ERR wrong number of arguments for 'fetch' command" \
            or c.call('FETCH') == b"ERR wrong number of arguments for 'get' command"
        assert c.ok('COMMAND', 'INFO', 'keys') == [None]
    with start(config_file=write(tmp_path / 'b.conf', 'rename-command get GET\n')) as s, s.client() as c:
        assert c.ok('GET', 'k') is None


def test_debug_and_protected_configs_are_off_by_default(tmp_path):
    with start(('enable-debug-command', 'no'), ('enable-protected-configs', 'no')) as s, s.client() as c:
        assert c.call('DEBUG', 'SLEEP', '0') == (
            b'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from '
            b'a local connection, otherwise you need to set this option in the configuration file, and then restart '
            b'the server.')
        assert c.call('CONFIG', 'SET', 'dir', str(tmp_path)) == (
            b"ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config")
    with start(('enable-debug-command', 'local'), ('enable-protected-configs', 'local')) as s, s.client() as c:
        assert c.ok('DEBUG', 'SLEEP', '0') == b'OK'
        assert c.ok('CONFIG', 'SET', 'dir', str(tmp_path)) == b'OK' and config(c, 'dir') == str(tmp_path)
        assert os.readlink(f'/proc/{s.pid}/cwd') == str(tmp_path)
        assert b'immutable' in c.call('CONFIG', 'SET', 'enable-debug-command', 'yes')


def test_loading_modules_is_off_by_default():
    refusal = (b'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it '
               b'from a local connection, otherwise you need to set this option in the configuration file, and then '
               b'restart the server.')
    with start() as s, s.client() as c:
        for command in (('MODULE', 'LOAD', '/no.so'), ('MODULE', 'UNLOAD', 'x'), ('MODULE', 'LOADEX', '/no.so')):
            assert c.call(*command) == refusal
        assert c.ok('MODULE', 'LIST') == []
        assert c.call('MODULE', 'LOAD') == b"ERR wrong number of arguments for 'module|load' command"
    with start(('enable-module-command', 'local')) as s, s.client() as c:
        assert c.call('MODULE', 'LOAD', '/no.so') == (
            b'ERR Error loading the extension. Please check the server logs.')
        assert c.call('MODULE', 'UNLOAD', 'x').startswith(b'ERR Error unloading module: no such module')


@ours
def test_what_the_machine_lacks_is_told():
    told = subprocess.run([harness.vitrine_path(), '--check-system'], capture_output=True, text=True)
    overcommit = pathlib.Path('/proc/sys/vm/overcommit_memory').read_text().strip()
    assert (told.returncode == 0) == (told.stdout.count('WARNING') == 0)
    assert ('vm.overcommit_memory' in told.stdout) == (overcommit != '1')


@ours
def test_memory_is_tested():
    def test(*args):
        done = subprocess.run([harness.vitrine_path(), '--test-memory', *args], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    status, text = test('8', '2')
    assert status == 0 and 'Pass 2 of 2: no error' in text and 'Your memory passed this test.' in text
    for args in ((), ('0',), ('x',), ('8', '0'), ('8', '1', '1')):
        status, text = test(*args)
        assert status == 1 and 'How many megabytes' in text
    status, text = test('1000000000')
    assert status == 1 and 'Unable to allocate' in text


# ---- the end ----------------------------------------------------------------------------------------------------

def has_no_file(s):
    return not os.path.exists(os.path.join(s.dir, 'dump.rdb'))


@pytest.mark.parametrize('words, saves', [
    (['NOSAVE'], False), (['SAVE'], True), ([], False), (['NOW', 'FORCE', 'NOSAVE'], False), (['SAVE', 'NOW'], True)])
def test_shutdown(words, saves):
    with start() as s, s.client() as c, s.client() as parked:
        c.ok('SET', 'k', 'v')
        parked.send('BLPOP', 'nokey', '0')
        time.sleep(0.02)
        c.send('SHUTDOWN', *words)
        with pytest.raises(harness.Closed):
            c.raw_reply()
        assert parked.at_end() and s.process.wait(5) == 0
        assert has_no_file(s) is not saves
        assert 'bye bye' in s.log()


def test_shutdown_that_is_refused(tmp_path):
    with start() as s, s.client() as c:
        for words, want in ((['NOSAVE', 'SAVE'], b'ERR syntax error'), (['X'], b'ERR syntax error'),
                            (['ABORT', 'NOW'], b'ERR syntax error'), (['ABORT'], b'ERR No shutdown in progress.'),
                            (['ABORT', 'ABORT'], b'ERR No shutdown in progress.')):
            assert c.call('SHUTDOWN', *words) == want
        c.ok('SET', 'k', 'v')
        os.mkdir(os.path.join(s.dir, 'dump.rdb'))        # nothing can be saved there
        assert c.call('SHUTDOWN', 'SAVE') == b'ERR Errors trying to SHUTDOWN. Check logs.'
        assert c.ok('PING') == b'PONG'
        s.process.send_signal(signal.SIGTERM)            # no save points: nothing to save
        assert s.process.wait(5) == 0


def test_shutdown_force_ends_it_even_if_saving_fails():
    with start() as s, s.client() as c:
        c.ok('SET', 'k', 'v')
        os.mkdir(os.path.join(s.dir, 'dump.rdb'))
        c.send('SHUTDOWN', 'SAVE', 'FORCE')
        assert c.at_end() and s.process.wait(5) == 0


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize('ways, saves', [('default', True), ('nosave', False), ('save now', True)])
def test_signals_end_it(number, ways, saves):
    name = 'shutdown-on-sigint' if number == signal.SIGINT else 'shutdown-on-sigterm'
    with start((name, ways.split()), ('save', ['3600', '1'])) as s, s.client() as c:
        c.ok('SET', 'k', 'v')
        s.process.send_signal(number)
        assert c.at_end() and s.process.wait(5) == 0
        assert has_no_file(s) is not saves
        assert f'Received {number.name} scheduling shutdown' in s.log()


def test_a_failed_save_keeps_it_alive_on_a_signal():
    with start(('save', ['3600', '1'])) as s, s.client() as c:
        c.ok('SET', 'k', 'v')
        os.mkdir(os.path.join(s.dir, 'dump.rdb'))
        s.process.send_signal(signal.SIGTERM)
        eventually(lambda: "can't exit" in s.log())
        assert c.ok('PING') == b'PONG'
        os.rmdir(os.path.join(s.dir, 'dump.rdb'))
        s.process.send_signal(signal.SIGTERM)
        assert s.process.wait(5) == 0


def test_replies_before_a_shutdown_arrive():
    with start() as s, s.client() as c:
        c.send_bytes(harness.encode([b'PING']) * 3 + harness.encode([b'SHUTDOWN', b'NOSAVE']))
        assert [c.reply() for _ in range(3)] == [b'PONG'] * 3
        assert c.at_end() and s.process.wait(5) == 0


def test_a_second_interrupt_ends_it_at_once_and_leaves_nothing():
    with start(('save', '900 1')) as s:
        with s.client() as c:
            for i in range(0, 5000, 500):
                c.ok('MSET', *(word for n in range(i, i + 500) for word in (f'k{n}', 'v')))
            c.ok('CONFIG', 'SET', 'rdb-key-save-delay', '500')
        os.kill(s.pid, signal.SIGINT)
        eventually(lambda: list(pathlib.Path(s.dir).glob('temp-*')))
        os.kill(s.pid, signal.SIGINT)
        assert s.process.wait(5) == 1
        assert not list(pathlib.Path(s.dir).glob('*.rdb'))


# ---- starting anew ----------------------------------------------------------------------------------------------

borrowed_name = pytest.mark.skipif(ORACLE, reason='under its borrowed name it does not find its program')


@borrowed_name
def test_a_restart_keeps_data_and_configuration(tmp_path):
    conf = write(tmp_path / 'a.conf', '# mine\nmaxclients 100\n')
    # By a path that is relative to where it is started: it has left that folder when it starts anew.
    beside = os.path.relpath(conf, pathlib.Path(tempfile.gettempdir()) / 'its-folder')
    with start(('save', '900 100'), ('dir', str(tmp_path)), config_file=beside) as s:
        with s.client() as c:
            c.ok('SET', 'a', '1'), c.ok('CONFIG', 'SET', 'maxclients', '200')
            assert c.call('DEBUG', 'RESTART', 'soon') == Error(b'ERR value is not an integer or out of range')
            c.send('DEBUG', 'RESTART', '300')
            assert c.at_end() and not reachable(s.port), 'it has ended, and waits'
        eventually(lambda: reachable(s.port))
        with s.client() as c:
            assert info(c, 'process_id') == str(s.pid)
            assert c.ok('GET', 'a') == b'1' and config(c, 'maxclients') == '200'
        assert '# mine' in pathlib.Path(conf).read_text()


@borrowed_name
def test_a_crash_with_recovery_loses_what_was_not_saved():
    with start(('save', '900 100')) as s:
        with s.client() as c:
            c.ok('SET', 'a', '1'), c.ok('SAVE'), c.ok('SET', 'b', '2')
            c.send('DEBUG', 'CRASH-AND-RECOVER')
            assert c.at_end()
        eventually(lambda: reachable(s.port))
        with s.client() as c:
            assert info(c, 'process_id') == str(s.pid)
            assert c.ok('KEYS', '*') == [b'a']
            c.send('SHUTDOWN', 'NOSAVE')
        assert s.process.wait(5) == 0, 'signals and descriptors are as in the first life'


# ---- crashes ----------------------------------------------------------------------------------------------------

CRASHES = {
    'DEBUG SEGFAULT': lambda s, c: c.send('DEBUG', 'SEGFAULT', 'some text'),
    'DEBUG PANIC': lambda s, c: c.send('DEBUG', 'PANIC'),
    'kill -SEGV': lambda s, c: os.kill(s.pid, signal.SIGSEGV),
    'kill -ABRT': lambda s, c: os.kill(s.pid, signal.SIGABRT),
}


@pytest.mark.parametrize('how', CRASHES)
def test_a_crash_is_reported(how):
    if ORACLE and how == 'kill -SEGV':
        pytest.skip('the oracle takes longer')
    with start() as s, s.client() as c:
        c.ok('CLIENT', 'SETNAME', 'somebody')
        CRASHES[how](s, c)
        status = s.process.wait(20)
        assert status in (-signal.SIGSEGV, -signal.SIGABRT, 1)
        log = s.log(200000)
        assert 'BUG REPORT START' in log and 'STACK TRACE' in log and 'BUG REPORT END' in log
        assert re.search(r'\w+\(.*\+0x[0-9a-f]+\) ?\[0x[0-9a-f]+\]', log), 'a stack trace names functions'
        if how.startswith('DEBUG') and not ORACLE:
            assert how.split()[1] in log[log.index('CURRENT COMMAND'):] and 'name=somebody' in log


def test_no_crash_log_if_so_wished():
    with start(('crash-log-enabled', 'no')) as s:
        with s.client() as c:
            if info(c, 'mem_allocator') == 'libc':
                pytest.skip('a sanitizer reports in its own way')
        os.kill(s.pid, signal.SIGSEGV)
        assert s.process.wait(10) == -signal.SIGSEGV and 'BUG REPORT' not in s.log(100000)


@ours
def test_a_crash_report_hides_secrets_and_data():
    with start(('hide-user-data-from-log', 'yes')) as s, s.client() as c:
        c.send('DEBUG', 'SEGFAULT', 'confidential')
        s.process.wait(20)
        assert 'BUG REPORT END' in s.log(200000) and 'confidential' not in s.log(200000)
