"""Which error comes first and how it is worded, and what else is small enough for a table: commands and the reply of
the last one. VITRINE_PEER=oracle runs the same against Redis 7.0.15."""

import pathlib
import shlex
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness                                                    # noqa: E402
from harness import Error, info                                   # noqa: E402
from subject import ours, start                                   # noqa: E402

INTEGER = b'ERR value is not an integer or out of range'
SYNTAX = b'ERR syntax error'
WRONGPASS = b'WRONGPASS invalid username-password pair or user is disabled.'
NO_STREAM = (b'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the '
             b'MKSTREAM option to create an empty stream automatically.')
BY_DENIED = b'ERR BY option of SORT denied due to insufficient ACL permissions.'
NO_MEMORY = b"ERR CONFIG SET failed (possibly related to argument '%s') - argument must be a memory value"
NO_KEYSPACE = b"ERR Replica can't interact with the keyspace"
NO_KEYS = b'ERR Invalid arguments specified for command'
ADD_USER = 'ACL SETUSER u reset on nopass +@all'


def wrong_call(command, sub):
    return f"ERR unknown subcommand or wrong number of arguments for '{sub}'. Try {command} HELP.".encode()


SORTS = [
    ('RPUSH l 3 1 2; SORT l BY nosort BY w_*', [b'3', b'1', b'2']),
    ('RPUSH l 3 1 2; SORT l BY w_* BY nosort', [b'3', b'1', b'2']),
    ('RPUSH l 3 1 2; SORT l BY nosort BY w_* DESC', [b'2', b'1', b'3']),
    ('RPUSH l 3 1 2; SORT l BY nosort BY w_* LIMIT 1 1', [b'1']),
    ('RPUSH l 3 1 2; SET w_3 x; SORT l BY nosort BY w_*', [b'3', b'1', b'2']),
    ('RPUSH l 3 1 2; MSET w_1 5 w_2 4 w_3 3; SORT l BY w_* BY v_* BY w_*', [b'3', b'2', b'1']),
    ('ZADD z 3 a 1 b 2 c; MSET w_a 5 w_b 4 w_c 9; SORT z BY nosort BY w_*', [b'b', b'c', b'a']),
    ('SADD s 3 1 2; MSET w_1 5 w_2 4 w_3 9; SORT s BY nosort BY w_* STORE d; LRANGE d 0 -1', [b'1', b'2', b'3']),
    (f'{ADD_USER} ~l; RPUSH l 1; AUTH u x; SORT l BY w_* BY nosort', BY_DENIED),
    (f'{ADD_USER} ~l; RPUSH l 1; AUTH u x; SORT l BY nosort BY w_*', BY_DENIED),
    (f'{ADD_USER} ~l; RPUSH l 1; AUTH u x; SORT l BY nosort', [b'1']),
]

LIBRARIES = [
    ('FUNCTION LOAD "#!nosuch\nx"', b'ERR Library name was not given'),
    ('FUNCTION LOAD "#! lua name=a\nx"', b'ERR Invalid metadata value given: lua'),
    ('FUNCTION LOAD "#!nosuch name=a name=b\nx"',
     b'ERR Invalid metadata value, name argument was given multiple times'),
    ('FUNCTION LOAD "#!nosuch name=a\nx"', b"ERR Engine 'nosuch' not found"),
    ('FUNCTION LOAD "#! name=a\nx"', b"ERR Engine '' not found"),
]

CLIENTS = [
    ('CLIENT LIST TYPE NAN', b"ERR Unknown client type 'NAN'"),
    ('CLIENT KILL TYPE Foo', b"ERR Unknown client type 'Foo'"),
    ('CLIENT KILL TYPE SLAVE', 0),
    ('CLIENT LIST ID 99999 x', b'ERR Invalid client ID'),
    ('CLIENT LIST ID x', b'ERR Invalid client ID'),
    ('CLIENT LIST FOO x', SYNTAX),
    ('CLIENT KILL ID 99999 x', SYNTAX),
    ('CLIENT UNBLOCK x y', b'ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR'),
    ('CLIENT UNBLOCK x error', INTEGER),
    ('CLIENT UNBLOCK x', INTEGER),
    ('CLIENT UNBLOCK 1 ERROR x', wrong_call('CLIENT', 'UNBLOCK')),
    ('CLIENT PAUSE 0 a b', wrong_call('CLIENT', 'PAUSE')),
    ('CLIENT Pause 0 WRITE x', wrong_call('CLIENT', 'Pause')),
    ('CLIENT PAUSE x foo', b'ERR CLIENT PAUSE mode must be WRITE or ALL'),
    ('CLIENT PAUSE -1 foo', b'ERR CLIENT PAUSE mode must be WRITE or ALL'),
    ('CLIENT PAUSE x', b'ERR timeout is not an integer or out of range'),
    ('CLIENT PAUSE -1 write', b'ERR timeout is negative'),
    ('CLIENT PAUSE 0 all', b'OK'),
    ('HELLO 3 AUTH nouser x FOO', WRONGPASS),
    ('HELLO 3 AUTH nouser x SETNAME "a b"', WRONGPASS),
    ('HELLO 3 SETNAME "a b" AUTH nouser x',
     b'ERR Client names cannot contain spaces, newlines or special characters.'),
    ('HELLO 3 SETNAME ab FOO', b"ERR Syntax error in HELLO option 'FOO'"),
    ('HELLO 3 SETNAME ab FOO; CLIENT GETNAME', b'ab'),
    (f'{ADD_USER}; HELLO 3 AUTH u x FOO; ACL WHOAMI', b'u'),
    (f'{ADD_USER}; HELLO 3 AUTH nouser x AUTH u y', WRONGPASS),
]

OTHERS = [
    (r'CONFIG GET \\hz', {}),
    (r'CONFIG GET h\\z', {}),
    ('CONFIG GET hz]', {}),
    ('CONFIG GET [h]z', {b'hz': b'10'}),
    (r'CONFIG GET \\h?', {b'hz': b'10'}),
    ('CONFIG GET HZ', {b'HZ': b'10'}),
    ('SLOWLOG GET 1 2', wrong_call('SLOWLOG', 'GET')),
    ('SLOWLOG geT x 2', wrong_call('SLOWLOG', 'geT')),
    ('SLOWLOG GET x', b'ERR count should be greater than or equal to -1'),
    ('SPOP s x 2', SYNTAX),
    ('SPOP s x', b'ERR value is out of range, must be positive'),
    ('SRANDMEMBER s x 2', SYNTAX),
    ('SRANDMEMBER s x', INTEGER),
    ('XGROUP SETID nokey g 2-1 ENTRIESREAD 1 ENTRIESREAD 1', NO_STREAM),
    ('XGROUP SETID nokey g 2-1 FOO', wrong_call('XGROUP', 'SETID')),
    ('XADD s 1-1 a b; XGROUP SETID s g 2-1 ENTRIESREAD 1 ENTRIESREAD 1',
     b"NOGROUP No such consumer group 'g' for key name 's'"),
    ('XADD s 1-1 a b; XGROUP CREATE s g 0; XGROUP SETID s g 2-1 ENTRIESREAD 1 ENTRIESREAD 1',
     wrong_call('XGROUP', 'SETID')),
    ('SET k v; XGROUP SETID k g 2-1 ENTRIESREAD 1 ENTRIESREAD 1',
     b'WRONGTYPE Operation against a key holding the wrong kind of value'),
    ('XGROUP CREATE nokey g 2-1 ENTRIESREAD 1 ENTRIESREAD 1', NO_STREAM),
    ('XGROUP CREATE nokey g 0 MKSTREAM ENTRIESREAD 1 ENTRIESREAD 1', wrong_call('XGROUP', 'CREATE')),
    ('XADD s 1-1 a b; XGROUP CREATE s g 0 ENTRIESREAD 1 ENTRIESREAD 1', wrong_call('XGROUP', 'CREATE')),
    ('ACL SETUSER q ((~a))', b"ERR Error in ACL SETUSER modifier '((~a))': Syntax error"),
    ('ACL SETUSER q "(~a (~b))"', b"ERR Error in ACL SETUSER modifier '(~a (~b))': Syntax error"),
    ('ACL SETUSER q (~a', b"ERR Unmatched parenthesis in acl selector starting at '(~a'."),
    ('ACL CAT ' + 'q' * 200, b"ERR Unknown category '" + b'q' * 128 + b"'"),
    ('DEBUG REPLYBUFFER PEAK-RESET-TIME x', INTEGER),
    ('DEBUG REPLYBUFFER PEAK-RESET-TIME 10', b'OK'),
    ('DEBUG REPLYBUFFER PEAK-RESET-TIME never', b'OK'),
    ('DEBUG REPLYBUFFER FOO x', wrong_call('DEBUG', 'REPLYBUFFER')),
    ('DEBUG REPLYBUFFER RESIZING x', b'OK'),
    ('SET k v; DEBUG OBJECT k x', wrong_call('DEBUG', 'OBJECT')),
    ('DEBUG OBJECT nokey', b'ERR no such key'),
    ('CONFIG SET maxmemory ' + '9' * 400, NO_MEMORY % b'maxmemory'),
    ('CONFIG SET maxmemory ' + '0' * 128, NO_MEMORY % b'maxmemory'),
    ('CONFIG SET maxmemory ' + '0' * 127, b'OK'),
    ('CONFIG SET proto-max-bulk-len ' + '9' * 128, NO_MEMORY % b'proto-max-bulk-len'),
    ('CONFIG SET hash-max-listpack-value ' + '0' * 127 + '1', NO_MEMORY % b'hash-max-listpack-value'),
    ('CONFIG SET client-output-buffer-limit "normal ' + '0' * 128 + ' 0 0"',
     b"ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - "
     b'Error in hard, soft or soft_seconds setting in buffer limit configuration.'),
]

# How many keys follow is read as far as it is a number.
COUNTS = [('+1', 1), (' 1', 1), ('1 ', 1), ('\t1', 1), ('1-1', 1), ('01', 1), ('1x', 1), ('1.5', 1), ('2x', 2),
          ('4294967297', 1), ('-1', 0), ('--1', 0), ('', 0), ('x', 0), ('0x1', 0), ('9' * 20, 0), ('-' + '9' * 20, 0),
          ('9223372036854775807', 0), ('2147483648', 0), ('18446744073709551617', 0), ('3', 0), ('2', 2)]


@pytest.fixture(scope='module')
def server():
    with start(('enable-debug-command', 'yes')) as s:
        yield s
        assert s.alive(), s.log()


def run(server, words, resp3):
    with server.client() as c:
        c.call('FLUSHALL')
    with server.client(resp3=resp3) as c:
        return [c.call(*command) for command in words][-1]


@pytest.mark.parametrize('resp3', [False, True])
@pytest.mark.parametrize('commands,reply', SORTS + LIBRARIES + CLIENTS + OTHERS)
def test_replies(server, commands, reply, resp3):
    have = run(server, [shlex.split(each) for each in commands.split('; ')], resp3)
    if isinstance(reply, dict):
        have = dict(have) if resp3 else dict(zip(have[::2], have[1::2]))
    assert have == reply


@pytest.mark.parametrize('count,keys', COUNTS)
def test_a_number_of_keys_is_read_leniently(server, count, keys):
    names = [b'a', b'b'][:keys]
    with server.client() as c:
        def found(*command):
            return c.call('COMMAND', 'GETKEYS', *command)
        for command in ('EVAL', 'FCALL', 'EVALSHA_RO'):
            assert found(command, 'x', count, 'a', 'b') == names
        for command in (['LMPOP', count, 'a', 'b'], ['ZUNION', count, 'a', 'b'], ['SINTERCARD', count, 'a', 'b'],
                        ['BZMPOP', '0', count, 'a', 'b']):
            more = command + (['MIN'] if command[0] == 'BZMPOP' else ['LEFT'] if command[0] == 'LMPOP' else [])
            if count != '3' or len(more) == len(command):
                assert found(*more) == (names or NO_KEYS), command
        if keys:
            assert sorted(found('ZUNIONSTORE', 'd', count, 'a', 'b')) == names + [b'd']
            flags = c.call('COMMAND', 'GETKEYSANDFLAGS', 'ZUNIONSTORE', 'd', count, 'a', 'b')
            assert sorted(key for key, _ in flags) == names + [b'd']


def test_an_access_rule_sees_the_same_keys(server):
    with server.client() as c:
        c.ok('ACL', 'SETUSER', 'u', 'reset', '+@all', '~z')
        for count in ('1', '+1', '1-1', ' 1'):
            for words in (['ZUNIONSTORE', 'dst', count, 'z'], ['EVAL', 'x', count, 'dst'],
                          ['LMPOP', count, 'dst', 'LEFT']):
                denied = c.call('ACL', 'DRYRUN', 'u', *words)
                assert denied in (b"This user has no permissions to access the 'dst' key",
                                  b"User u has no permissions to access the 'dst' key"), words
            assert c.call('ACL', 'DRYRUN', 'u', 'EVAL', 'x', count, 'z') == b'OK'


def test_the_commands_themselves_read_it_strictly(server):
    with server.client() as c:
        for count in ('+1', '1-1', ' 1', '01'):
            assert isinstance(c.call('ZUNION', count, 'z'), Error)
            assert isinstance(c.call('EVAL', 'return 1', count, 'z'), Error)


# ---- MONITOR ----------------------------------------------------------------------------------------------------

def after_lines(client, *command):
    """The reply behind what the monitor is shown."""
    client.send(*command)
    while True:
        kind, value = client.raw_reply()
        if kind != '+' or b'[' not in value:
            return harness.python_value((kind, value))


@pytest.mark.parametrize('resp3', [False, True])
def test_a_monitor_keeps_off_the_keyspace(server, resp3):
    with server.client(resp3=resp3) as c:
        c.ok('CONFIG', 'RESETSTAT')
        c.ok('MONITOR')
        for command in ('GET k', 'SET k v', 'DBSIZE', 'SCAN 0', 'RANDOMKEY', 'FLUSHALL', 'EVAL x 0', 'EVAL_RO x 0',
                        'EVALSHA x 0', 'FCALL f 0', 'PUBLISH a b', 'SPUBLISH a b', 'OBJECT ENCODING k', 'LOLWUT',
                        'MEMORY USAGE k', 'FUNCTION FLUSH', 'BLPOP k 0', 'MIGRATE localhost 1 k 0 1'):
            assert after_lines(c, *command.split()) == NO_KEYSPACE, command
        assert after_lines(c, 'GET') == b"ERR wrong number of arguments for 'get' command"
        for command in ('PING', 'SELECT 0', 'WATCH k', 'UNWATCH', 'CLIENT SETNAME x', 'CONFIG SET hz 10', 'SAVE',
                        'SCRIPT FLUSH', 'DEBUG SLEEP 0', 'ACL WHOAMI', 'SUBSCRIBE x', 'UNSUBSCRIBE x'):
            assert not isinstance(after_lines(c, *command.split()), Error), command
        assert after_lines(c, 'EVAL', '#!lua flags=no-writes\nreturn 7', '0') == 7
        assert after_lines(c, 'MULTI') == b'OK'
        assert after_lines(c, 'PING') == b'QUEUED'
        assert after_lines(c, 'GET', 'k') == NO_KEYSPACE
        assert after_lines(c, 'EXEC') == b'EXECABORT Transaction discarded because of previous errors.'
        assert after_lines(c, 'RESET') == b'RESET'
        assert c.call('GET', 'k') is None
        stats = info(c, 'cmdstat_set')
        assert 'calls=0' in stats and 'rejected_calls=1' in stats


# ---- what has expired -------------------------------------------------------------------------------------------

@pytest.fixture
def lazy(server):
    """A client of a server on which keys expire only when they are looked at; e and l have expired."""
    with server.client() as c:
        c.ok('FLUSHALL')
        c.ok('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')
        c.ok('SET', 'e', '1', 'PX', '1')
        c.ok('RPUSH', 'l', '1')
        c.ok('PEXPIRE', 'l', '1')
        c.ok('CONFIG', 'RESETSTAT')
        time.sleep(0.02)
        yield c
        with server.client() as other:
            other.ok('CLIENT', 'UNPAUSE')
        c.ok('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', '')


def expired(client):
    return int(info(client, 'expired_keys'))


@pytest.mark.parametrize('command,removed', [
    ('SCAN 0', 2), ('SCAN 0 COUNT 1', 2), ('SCAN 0 TYPE set', 2), ('SCAN 0 MATCH e', 1),
    ('SCAN 0 MATCH e TYPE list', 1), ('SCAN 0 MATCH x', 0), ('KEYS *', 0), ('RANDOMKEY', 2)])
def test_what_scan_finds_expired_goes(server, lazy, command, removed):
    with server.client() as listener:
        listener.ok('PSUBSCRIBE', '__keyevent@0__:*')
        seen, cursor = [], None
        words = command.split()
        while words[0] == 'SCAN' and cursor != b'0':
            cursor, keys = lazy.ok('SCAN', cursor or '0', *words[2:])
            seen += keys
        assert not seen
        if words[0] != 'SCAN':
            assert not lazy.ok(*words)
        assert lazy.ok('DBSIZE') == 2 - removed and expired(lazy) == removed
        assert {listener.reply()[2] for _ in range(removed)} <= {b'__keyevent@0__:expired'}
        assert harness.silent(listener)


def test_scan_leaves_the_expired_alone_while_clients_are_paused(lazy):
    lazy.ok('CLIENT', 'PAUSE', '60000', 'WRITE')
    assert lazy.ok('SCAN', '0') == [b'0', []]
    assert lazy.ok('DBSIZE') == 2 and expired(lazy) == 0
    lazy.ok('CLIENT', 'UNPAUSE')
    assert lazy.ok('EVAL', "redis.call('scan', 0) return redis.call('dbsize')", '0') == 0


@ours
def test_scan_removes_hashes_without_a_live_field(server, lazy):
    lazy.ok('HSET', 'h', 'f', 'v')
    lazy.ok('HPEXPIRE', 'h', '1', 'FIELDS', '1', 'f')
    time.sleep(0.02)
    lazy.ok('SCAN', '0')
    assert lazy.ok('DBSIZE') == 0


@pytest.mark.parametrize('command', [
    'SINTERSTORE e n1 n2', 'SUNIONSTORE e n1', 'ZUNIONSTORE e 1 n1', 'ZRANGESTORE e n 0 -1', 'SORT n STORE e',
    'GEOSEARCHSTORE e n FROMLONLAT 0 0 BYRADIUS 1 m', 'GEORADIUS n 0 0 1 m STORE e', 'BITOP AND e n'])
def test_an_empty_result_deletes_an_expired_target(server, lazy, command):
    with server.client() as listener:
        listener.ok('PSUBSCRIBE', '__keyspace@0__:*')
        assert lazy.ok(*command.split()) == 0
        assert listener.reply()[2:] == [b'__keyspace@0__:e', b'del']
        assert harness.silent(listener) and expired(lazy) == 0 and lazy.ok('DBSIZE') == 1


# ---- DEBUG OBJECT -----------------------------------------------------------------------------------------------

def described(client, key):
    return dict(word.split(':', 1) for word in client.ok('DEBUG', 'OBJECT', key).decode().split()[1:])


def test_debug_object_counts_references_and_seconds(server):
    with server.client() as c:
        for value in ('0', '9999', '10000', '-1', 'text'):
            c.ok('SET', 'k', value)
            assert described(c, 'k')['refcount'] == str(c.ok('OBJECT', 'REFCOUNT', 'k'))
        got = described(c, 'k')
        now = int(time.time())
        assert (now - int(got['lru'])) % (1 << 24) in (0, 1) and got['lru_seconds_idle'] == '0'
        c.ok('RESTORE', 'old', '0', c.ok('DUMP', 'k'), 'IDLETIME', '1000')
        got = described(c, 'old')
        assert (now - int(got['lru'])) % (1 << 24) in range(999, 1003) and got['lru_seconds_idle'] in ('1000', '1001')


@ours
def test_debug_object_takes_fast(server):
    with server.client() as c:
        c.ok('SET', 'k', 'v')
        assert described(c, 'k')['encoding'] == c.ok('DEBUG', 'OBJECT', 'k', 'fast').split()[3].split(b':')[1].decode()
        assert c.call('DEBUG', 'OBJECT', 'k', 'FAST', 'x') == wrong_call('DEBUG', 'OBJECT')
