"""What the server says of itself, where a transcript does not reach: MONITOR and INFO's figures."""

import pathlib
import re
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402


@pytest.fixture(scope='module')
def server():
    with harness.peer('vitrine') as s:
        yield s


def info(client, *sections):
    text = client.ok('INFO', *sections).decode()
    return dict(line.split(':', 1) for line in text.split('\r\n') if ':' in line)


def test_monitor_shows_commands_as_they_end_and_hides_secrets(server):
    with server.client() as watcher, server.client() as c:
        watcher.ok('MONITOR')
        for args in (('SET', 'k', 'a"\n\x01'), ('CONFIG', 'GET', 'port'), ('NOSUCH',), ('MULTI',), ('GET', 'k'),
                     ('EXEC',), ('SELECT', '3'), ('AUTH', 'secret'), ('RESET',)):
            c.call(*args)
        seen = [watcher.reply().decode() for _ in range(7)]
    assert all(re.match(r'\d+\.\d{6} \[\d+ 127\.0\.0\.1:\d+\] "', line) for line in seen), seen
    words = [re.sub(r'^\S+ \[(\d+) \S+\] ', r'\1 ', line) for line in seen]
    assert words == ['0 "SET" "k" "a\\"\\n\\x01"', '0 "MULTI"', '0 "GET" "k"', '0 "EXEC"', '3 "SELECT" "3"',
                     '3 "AUTH" "(redacted)"', '0 "RESET"']


def test_monitor_names_a_unix_socket_by_its_path(tmp_path):
    path = str(tmp_path / 's')
    with harness.peer('vitrine', ('unixsocket', path)) as server, server.client() as watcher, \
            harness.Client(0, unix=path) as c:
        watcher.ok('MONITOR')
        c.ok('PING')
        assert re.fullmatch(r'\d+\.\d{6} \[0 unix:(.*)\] "PING"', watcher.reply().decode()).group(1) == path


def test_a_shorter_log_forgets_at_once(server):
    with server.client() as c:
        c.ok('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
        for _ in range(8):
            c.ok('PING')
        c.ok('CONFIG', 'SET', 'slowlog-log-slower-than', '10000', 'slowlog-max-len', '2')
        assert c.ok('SLOWLOG', 'LEN') == 2
        c.ok('CONFIG', 'SET', 'slowlog-max-len', '128')


def test_the_slow_log_shows_what_scripts_call(server):
    with server.client() as c:
        c.ok('CLIENT', 'SETNAME', 'me')
        c.ok('CONFIG', 'SET', 'slowlog-log-slower-than', '0', 'commandlog-request-larger-than', '0')
        try:
            c.ok('SLOWLOG', 'RESET'), c.ok('COMMANDLOG', 'RESET', 'large-request')
            script = "return redis.call('getrange', KEYS[1], 0, 1)"
            c.ok('EVAL', script, 1, 'key')
            got = [entry[3:] for entry in c.ok('SLOWLOG', 'GET', '2')]
            large = [entry[3][0] for entry in c.ok('COMMANDLOG', 'GET', '-1', 'large-request')]
        finally:
            c.ok('CONFIG', 'SET', 'slowlog-log-slower-than', '10000', 'commandlog-request-larger-than', '1048576')
            c.ok('COMMANDLOG', 'RESET', 'large-request'), c.ok('CLIENT', 'SETNAME', '')
    assert got[0][0][:2] == [b'EVAL', script.encode()] and got[0][2] == b'me'
    assert got[1] == [[b'getrange', b'key', b'0', b'1'], b'?:0', b'']
    assert b'EVAL' in large and b'getrange' not in large


CHANGES = [
    ('SET a 1', 'RENAME a b', 1), ('SET a 1', 'RENAMENX a b', 1), ('SET a 1', 'MOVE a 3', 1),
    ('SADD a 1 2', 'SPOP a 2', 2), ('RPUSH a 1', 'LPOP a', 1), ('HSET a f 1 g 2', 'HDEL a f g', 2),
    ('RPUSH a 1', 'LTRIM a 0 0', 0), ('RPUSH a 1 2 3', 'LTRIM a 1 1', 2), ('RPUSH a 1 2', 'SORT a STORE b', 2),
    ('SET a xx', 'BITFIELD a SET u8 0 1 SET u8 8 2', 2), ('SET a x', 'BITFIELD a SET u8 0 120 SET u8 0 1', 1),
    ('PING', 'PFADD a x', 2), ('PFADD a x', 'PFADD a x y z', 2), ('XADD a 1-1 f v', 'XADD a MAXLEN 1 * f v', 1),
    ('GEOADD a 1 2 x 1 2 y', 'GEORADIUS a 1 2 9 km STORE b', 2)]


def test_changes_since_the_last_save_are_counted_as_in_redis(server):
    with server.client() as c:
        def changes():
            return int(info(c, 'persistence')['rdb_changes_since_last_save'])
        for first, then, wanted in CHANGES:
            c.ok('FLUSHALL'), c.ok(*first.split())
            before = changes()
            c.ok(*then.split())
            assert changes() - before == wanted, then
        c.ok('FLUSHALL')


def test_debug_object_tells_how_a_list_lies_in_nodes(server):
    with server.client() as c:
        for size, depth, items, wanted in (
                (10, 0, range(1000), 'nodes:100 ql_avg_node:10.00 ql_listpack_max:10 ql_compressed:0 '
                                     'ql_uncompressed_size:3572'),
                (-1, 1, ['x' * 2000] * 5, 'nodes:3 ql_avg_node:1.67 ql_listpack_max:-1 ql_compressed:1 '
                                          'ql_uncompressed_size:10041')):
            c.ok('CONFIG', 'SET', 'list-max-listpack-size', size, 'list-compress-depth', depth)
            c.ok('RPUSH', 'l', *items)
            assert f' ql_{wanted} ' in c.ok('DEBUG', 'OBJECT', 'l').decode()
            c.ok('DEL', 'l')
        c.ok('CONFIG', 'SET', 'list-max-listpack-size', -2, 'list-compress-depth', 0)
        c.ok('RPUSH', 'l', 1)
        assert 'ql_' not in c.ok('DEBUG', 'OBJECT', 'l').decode()
        c.ok('DEL', 'l')


def test_errors_and_refusals_are_counted_once(server):
    with server.client() as c:
        c.ok('HSET', 'h', 'a', 1)
        c.ok('CONFIG', 'RESETSTAT')
        c.ok('MULTI'), c.ok('INCR', 'h')
        assert c.call('EXEC')[0].startswith(b'WRONGTYPE')
        c.call('NOSUCH'), c.call('GET'), c.call('CONFIG', 'NOSUCH')
        got = info(c, 'everything')
        assert got['errorstat_WRONGTYPE'] == 'count=1' and got['total_error_replies'] == '4'
        assert 'failed_calls=0' in got['cmdstat_exec'] and 'failed_calls=1' in got['cmdstat_incr']
        assert got['total_commands_processed'] == '4', 'RESETSTAT, MULTI, INCR, EXEC, without INFO and what was refused'
        assert 'cmdstat_config' not in got


def failing(c, *errors):
    for error in errors:
        c.call('EVAL', 'return {err=ARGV[1]}', 0, error)


def test_names_of_errors_that_scripts_make_up(server):
    with server.client() as c:
        c.ok('CONFIG', 'RESETSTAT')
        failing(c, 'a:b#c x', 'NOSPACE', 'x-y z')
        got = [line for line in c.ok('INFO', 'errorstats').decode().split() if line.startswith('errorstat_')]
        assert got == ['errorstat_ERR:count=1', 'errorstat_a_b_c:count=1', 'errorstat_x-y:count=1']


def test_errors_without_room_of_their_own_count_together():
    with harness.peer('vitrine') as s, s.client() as c:
        c.ok('HSET', 'h', 'a', 1)
        failing(c, *(f'E{i} x' for i in range(200)))
        c.call('INCR', 'h')
        got = info(c, 'errorstats')
        assert len(got) == 129 and got['errorstat_ERRORSTATS_OVERFLOW'] == 'count=73'
        assert s.log().count('different error codes') == 1
        c.ok('CONFIG', 'RESETSTAT'), c.call('INCR', 'h')
        assert info(c, 'errorstats') == {'errorstat_WRONGTYPE': 'count=1'}


def test_latencies_are_shown_while_they_are_tracked(server):
    with server.client() as c:
        c.ok('SET', 'a', 1)
        assert 'latency_percentiles_usec_set' in info(c, 'latencystats')
        c.ok('CONFIG', 'SET', 'latency-tracking', 'no')
        assert info(c, 'latencystats') == {}
        c.ok('CONFIG', 'SET', 'latency-tracking', 'yes')


def test_scripts_are_no_data():
    with harness.peer('vitrine') as s, s.client() as c:
        def grown(by):
            before = info(c, 'memory')
            by()
            after = info(c, 'memory')
            return [int(after[f'used_memory_{name}']) - int(before[f'used_memory_{name}'])
                    for name in ('overhead', 'dataset')]

        def load_scripts():
            for i in range(50):
                c.ok('SCRIPT', 'LOAD', f'return "{i}{"x" * 20000}"')
        overhead, dataset = grown(load_scripts)
        assert overhead > 1_000_000 and dataset < overhead / 10
        text = f'local a = "{"y" * 500000}" redis.register_function("f", redis.sha1hex)'
        overhead, _ = grown(lambda: c.ok('FUNCTION', 'LOAD', '#!lua name=big\n' + text))
        assert overhead > 1_000_000, 'its text, and the string within the interpreter'


def test_info_counts_what_happened(server):
    with server.client() as c:
        c.ok('FLUSHALL')
        c.ok('CONFIG', 'RESETSTAT')
        for i in range(10):
            c.ok('SET', f'k{i}', 'v', 'PX', 100000)
        c.call('GET', 'k1'), c.call('GET', 'nosuch'), c.call('INCR', 'k1')
        got = info(c, 'everything')
        assert got['keyspace_hits'] == '1' and got['keyspace_misses'] == '1'
        assert got['errorstat_ERR'] == 'count=1' and got['total_error_replies'] == '1'
        assert got['cmdstat_set'].startswith('calls=10,')
        assert got['cmdstat_incr'].endswith('failed_calls=1')
        keys = dict(p.split('=') for p in got['db0'].split(','))
        assert keys['keys'] == '10' and keys['expires'] == '10' and 0 < int(keys['avg_ttl']) <= 100000
        assert int(got['used_memory']) <= int(got['used_memory_peak'])
        assert int(got['used_memory_dataset']) + int(got['used_memory_overhead']) == int(got['used_memory'])


def test_the_longest_stall_names_its_command(server):
    with server.client() as c:
        c.ok('CONFIG', 'RESETSTAT')
        c.ok('DEBUG', 'SLEEP', '0.3')
        got = info(c, 'stats')
        assert int(got['longest_stall_us']) >= 300000 and got['longest_stall_cause'] == 'clients:debug'


def test_memory_is_counted_exactly(server):
    with server.client() as c:
        c.ok('FLUSHALL')
        before = int(info(c, 'memory')['used_memory'])
        c.ok('DEBUG', 'POPULATE', '20000', 'key', '500')
        grown = int(info(c, 'memory')['used_memory']) - before
        usage = c.ok('MEMORY', 'USAGE', 'key:10000')
        assert 500 <= usage < 700
        assert abs(grown / 20000 - usage) < 8
        c.ok('FLUSHALL')
        deadline = time.time() + 5                       # large databases are freed in the background
        while abs(int(info(c, 'memory')['used_memory']) - before) > 100000 or \
                info(c, 'memory')['lazyfree_pending_objects'] != '0':
            assert time.time() < deadline
            time.sleep(0.01)


def hot_keys(client):
    got = client.ok('HOTKEYS', 'GET')
    return {k.decode(): v for k, v in zip(got[::2], got[1::2])}


def test_hot_keys_are_found_among_many_and_tracking_ends_in_time(server):
    with server.client() as c:
        c.ok('HOTKEYS', 'START', 'METRICS', 2, 'CPU', 'NET', 'COUNT', 5, 'DURATION', 2)
        started = time.time()
        for round_ in range(20):
            c.pipeline([('SET', f'cold:{round_}:{i}', 'v') for i in range(500)] +
                       [('SET', f'warm:{i % 3}', 'v' * 100) for i in range(100)] + [('MULTI',)] +
                       [('SET', 'hot', 'v' * 2000)] * 50 + [('EXEC',)])
        c.ok('LPUSH', 'slow', *['x' * 20] * 20000)
        got = hot_keys(c)
        assert got['tracking-active'] == (time.time() - started < 2.0) or time.time() - started > 1.9
        by_bytes = dict(zip(got['by-net-bytes'][::2], got['by-net-bytes'][1::2]))
        assert len(by_bytes) == 5 and got['by-net-bytes'][0] == b'hot' and got['by-net-bytes'][2] == b'slow'
        assert set(by_bytes) >= {b'warm:0', b'warm:1', b'warm:2'}
        once = b'*3\r\n$3\r\nSET\r\n$3\r\nhot\r\n$2000\r\n' + b'v' * 2000 + b'\r\n+OK\r\n'
        assert by_bytes[b'hot'] == 1000 * len(once)
        assert sum(by_bytes.values()) <= got['net-bytes-all-commands-all-slots']
        times = got['by-cpu-time-us'][1::2]
        assert b'slow' in got['by-cpu-time-us'][::2] and times == sorted(times, reverse=True)
        assert sum(times) <= got['all-commands-all-slots-us'] + 5
        time.sleep(max(0.0, started + 2.3 - time.time()))
        after = hot_keys(c)
        assert after['tracking-active'] == 0 and 2000 <= after['collection-duration-ms'] <= 2300
        assert c.call('HOTKEYS', 'STOP').startswith(b'ERR')
        before = after['net-bytes-all-commands-all-slots']
        c.ok('GET', 'hot')
        assert hot_keys(c)['net-bytes-all-commands-all-slots'] == before
        c.ok('HOTKEYS', 'RESET')
        assert c.ok('HOTKEYS', 'GET') is None


def test_sampled_hot_keys_are_a_part(server):
    with server.client() as c:
        c.ok('HOTKEYS', 'START', 'METRICS', 1, 'NET', 'SAMPLE', 10)
        c.pipeline([('GET', 'k')] * 2000)
        c.ok('HOTKEYS', 'STOP')
        got = hot_keys(c)
        whole = got['net-bytes-all-commands-all-slots']
        assert got['by-net-bytes'][0] == b'k' and whole / 20 < got['by-net-bytes'][1] < whole / 5
        c.ok('HOTKEYS', 'RESET')


def test_the_size_of_a_request_is_what_was_sent(server):
    def logged():
        return [(entry[2], entry[3][0]) for entry in c.ok('COMMANDLOG', 'GET', '-1', 'large-request')]

    def request(*words):
        return harness.encode([harness.to_bytes(w) for w in words])
    with server.client() as c, server.client() as other:
        c.ok('CONFIG', 'SET', 'commandlog-request-larger-than', '1000')
        try:
            set_it = request('SET', 'k', 'x' * 1000)
            fits = request('SET', 'k', 'x' * (1000 - len(request('SET', 'k', 'x' * 900)) + 899))
            assert len(fits) == 999
            for prefix, suffix, replies in ((b'', b'', 1), (request('MULTI'), request('EXEC'), 3)):
                c.ok('COMMANDLOG', 'RESET', 'large-request')
                c.send_bytes(prefix + fits + set_it + suffix)
                for _ in range(replies + 1):
                    c.reply()
                assert logged() == [(len(set_it), b'SET')]
            # A command that waited runs with arguments of its own.
            c.ok('COMMANDLOG', 'RESET', 'large-request')
            wait = request('BLPOP', 'list' * 300, 'other', '0')
            other.send_bytes(wait)
            harness.eventually(lambda: b'cmd=blpop' in c.ok('CLIENT', 'LIST'))
            c.ok('RPUSH', 'other', 'v')
            assert other.reply() == [b'other', b'v']
            assert logged() and set(logged()) == {(len(wait), b'BLPOP')}
        finally:
            c.ok('CONFIG', 'SET', 'commandlog-request-larger-than', '1048576')
            c.ok('COMMANDLOG', 'RESET', 'large-request')


def test_sizes_of_values_are_counted_with_every_change(server):
    """Random commands are compared in tests/differential; here is what those do not do."""
    with server.client() as c:
        c.ok('FLUSHALL')
        assert info(c, 'keysizes') == {}
        c.ok('SET', 'empty', '')
        c.ok('SET', 'n', '9')
        c.ok('INCR', 'n')
        c.ok('SETRANGE', 'long', 1499, 'x')
        c.ok('RPUSH', 'l', *range(1000))
        c.ok('SADD', 's', 'a', 'b', 'c')
        c.ok('ZADD', 'z', 1, 'm')
        c.ok('HSET', 'h', 'f', 1, 'g', 2)
        c.ok('SELECT', 3)
        c.ok('SET', 'other', 'abcd')
        c.ok('SELECT', 0)
        first = {'db0_distrib_strings_sizes': '0=1,2=1,1K=1', 'db0_distrib_lists_items': '512=1',
                 'db0_distrib_sets_items': '2=1', 'db0_distrib_zsets_items': '1=1', 'db0_distrib_hashes_items': '2=1',
                 'db3_distrib_strings_sizes': '4=1'}
        assert info(c, 'keysizes') == first
        assert 'Keysizes' in c.ok('INFO', 'all').decode() and 'Keysizes' not in c.ok('INFO').decode()
        c.ok('SAVE')
        c.ok('DEBUG', 'RELOAD')
        assert info(c, 'keysizes') == first
        c.ok('SWAPDB', 0, 3)
        assert info(c, 'keysizes')['db3_distrib_lists_items'] == '512=1'
        c.ok('SWAPDB', 0, 3)
        c.ok('HPEXPIRE', 'h', 20, 'FIELDS', 1, 'f')
        c.ok('PEXPIRE', 's', 20)
        c.ok('RENAME', 'empty', 'n')
        c.ok('COPY', 'z', 'z2')
        c.ok('MOVE', 'long', 3)
        harness.eventually(lambda: info(c, 'keysizes') == {
            'db0_distrib_strings_sizes': '0=1', 'db0_distrib_lists_items': '512=1', 'db0_distrib_zsets_items': '1=2',
            'db0_distrib_hashes_items': '1=1', 'db3_distrib_strings_sizes': '4=1,1K=1'})
        c.ok('FLUSHALL')
        assert info(c, 'keysizes') == {}
