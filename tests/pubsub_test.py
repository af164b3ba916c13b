"""Publish and subscribe beside the other parts: users, limits, clients that leave."""


import pytest

from harness import eventually, peer
from subject import PEER
@pytest.fixture(scope='module')
def server():
    with peer(PEER) as s:
        yield s
        assert s.alive(), s.log()


@pytest.mark.parametrize('verb,channel,rule', [
    ('SUBSCRIBE', 'news', '&news'), ('PSUBSCRIBE', 'n*', '&n*'), ('SSUBSCRIBE', 'news', '&news')])
def test_a_user_who_loses_a_channel_is_cut(server, verb, channel, rule):
    with server.client() as admin, server.client() as stays, server.client() as goes:
        admin.ok('ACL', 'SETUSER', 'u', 'reset', 'on', 'nopass', '+@all', '~*', 'resetchannels', rule, '&other')
        for listener, what in ((stays, ('SUBSCRIBE', 'other')), (goes, (verb, channel))):
            listener.ok('AUTH', 'u', 'x')
            listener.ok(*what)
        assert b'NOPERM' in stays.call(verb, 'secret')
        admin.ok('ACL', 'SETUSER', 'u', 'resetchannels', '&other', '&more')
        assert goes.at_end()
        assert admin.call('PUBLISH', 'other', 'm') == 1
        assert stays.reply() == [b'message', b'other', b'm']
        admin.ok('ACL', 'DELUSER', 'u')
        assert stays.at_end()


def test_a_crowd_gets_every_message_in_order(server):
    """More listeners than one slice serves, published to one message after the other, while some of them leave."""
    crowd = [server.client(timeout=30) for _ in range(600)]
    try:
        for listener in crowd:
            listener.ok('SUBSCRIBE', 'news')
        with server.client(timeout=30) as c:
            for i in range(40):
                assert c.ok('PUBLISH', 'news', f'{i:04}' * 50) >= len(crowd)
                if i in (10, 20):
                    for _ in range(50):
                        crowd.pop(i).close()
                    eventually(lambda: c.ok('PUBSUB', 'NUMSUB', 'news')[1] == len(crowd), 10)
            for listener in crowd:
                assert [listener.reply()[2] for _ in range(40)] == [b'%04d' % i * 50 for i in range(40)]
            assert c.ok('PING') == b'PONG'
    finally:
        for listener in crowd:
            listener.close()


def test_nothing_of_a_listener_that_left_is_kept(server):
    def figure(name):
        text = admin.ok('INFO', 'everything').decode()
        return int(next(x for x in text.splitlines() if x.startswith(name + ':')).split(':')[1])
    with server.client() as admin, server.client() as c:
        c.ok('SUBSCRIBE', 'a')
        c.ok('PSUBSCRIBE', 'p*')
        c.ok('SSUBSCRIBE', 's')
        names = ('pubsub_channels', 'pubsub_patterns', 'pubsubshard_channels') + (
            ('pubsub_clients',) if PEER != 'oracle' else ())     # 7.0 has it not
        assert [figure(x) for x in names] == [1] * len(names)
        c.ok('RESET')
        assert [figure(x) for x in names] == [0] * len(names)


def events_of(listener):
    """What the listener to __keyevent@0__:* has heard since the last time."""
    listener.send('PING', 'mark')
    events = []
    while (message := listener.reply())[0] == b'pmessage':
        _, _, channel, key = message
        events.append((channel.split(b':', 1)[1].decode(), key.decode()))
    assert message == [b'pong', b'mark']
    return events


@pytest.mark.skipif(PEER == 'oracle', reason='7.0 has not these classes')
def test_values_that_are_replaced(server):
    with server.client() as c, server.client() as listener:
        c.ok('FLUSHALL')
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'Eoc')
        assert c.ok('CONFIG', 'GET', 'notify-keyspace-events')[1] == b'ocE'
        listener.ok('PSUBSCRIBE', '__keyevent@0__:*')
        over, change = 'overwritten', 'type_changed'
        c.ok('SET', 'text', 'x')
        dump = c.ok('DUMP', 'text')
        for command, events in (
                (('SET', 'k', '1'), []), (('SET', 'k', '2'), [over]), (('SET', 'k', '2', 'NX'), []),
                (('GETSET', 'k', '3'), [over]), (('APPEND', 'k', '3'), []), (('INCR', 'k'), []),
                (('INCRBYFLOAT', 'k', '0.5'), []), (('SETRANGE', 'k', '100', 'x'), []), (('SETBIT', 'k', '1', '1'), []),
                (('RPUSH', 'l', 'x'), []), (('RPUSH', 'l', 'x'), []), (('SADD', 's', 'x', 'y'), []),
                (('SUNIONSTORE', 'k', 's'), [over, change]), (('SINTERSTORE', 'k', 's'), [over]),
                (('SDIFFSTORE', 'k', 's', 's'), []), (('SORT', 's', 'ALPHA', 'STORE', 'k'), []),
                (('SORT', 's', 'ALPHA', 'STORE', 'k'), [over]), (('ZUNIONSTORE', 'k', '1', 's'), [over, change]),
                (('MSET', 'k', '1', 'fresh', '2'), [over, change]), (('BITOP', 'NOT', 'k', 'fresh'), [over]),
                (('COPY', 'l', 'k', 'REPLACE'), [over, change]), (('COPY', 'l', 'k'), []),
                (('RESTORE', 'k', '0', dump, 'REPLACE'), [over, change]), (('RENAME', 'text', 'k'), [over]),
                (('RENAME', 'k', 'unused'), []), (('DEL', 'l'), [])):
            c.call(*command)
            assert events_of(listener) == [(e, 'k') for e in events], command
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'KEAnoc')
        for command, events in ((('SET', 'unused', '2', 'EX', '9'), ['overwritten', 'set', 'expire']),
                                (('SET', 'n', '1', 'PXAT', '1'), ['new', 'set', 'expire', 'expired']),
                                (('RESTORE', 'unused', '0', dump, 'REPLACE'), ['overwritten', 'new', 'restore']),
                                (('RENAME', 'unused', 'fresh'), ['new', 'rename_from', 'rename_to', 'overwritten'])):
            c.ok(*command)
            assert [e for e, _ in events_of(listener)] == events, command
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', '')


@pytest.mark.skipif(PEER == 'oracle', reason='7.0 has neither these channels nor fields that expire')
def test_which_fields_of_hashes_change(server):
    def heard():
        listener.send('PING', 'mark')
        got = []
        while (message := listener.reply())[0] == b'pmessage':
            got.append((message[2].decode(), message[3].decode()))
        return got
    with server.client() as c, server.client() as listener:
        c.ok('FLUSHALL')
        listener.ok('PSUBSCRIBE', '__*@0__:*')
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'T')
        moment = 4102444800
        for command, events in (
                ('HSET h f 1 g 2', ['hset|1:f,1:g']), ('HMSET h f 1', ['hset|1:f']), ('HSETNX h f 1', []),
                ('HSETNX h x 1', ['hset|1:x']), ('HDEL h x nosuch', ['hdel|1:x']), ('HDEL h nosuch', []),
                ('HINCRBY h longer 1', ['hincrby|6:longer']), ('HINCRBYFLOAT h f 0.5', ['hincrbyfloat|1:f']),
                ('HINCRBY h f 1', []), ('HEXPIRE h 1000 FIELDS 2 f nosuch', ['hexpire|1:f']),
                ('HEXPIRE h 1 NX FIELDS 1 f', []), (f'HEXPIREAT h {moment} FIELDS 2 f g', ['hexpire|1:f,1:g']),
                ('HPERSIST h FIELDS 3 f nosuch longer', ['hpersist|1:f']), ('HPEXPIREAT h 1 FIELDS 1 g', ['hdel|1:g']),
                ('HGETEX h EX 100 FIELDS 2 f longer', ['hexpire|1:f,6:longer']), ('HGETEX h FIELDS 1 f', []),
                ('HGETEX h PERSIST FIELDS 1 f', ['hpersist|1:f']), ('HGETEX h PXAT 1 FIELDS 1 f', ['hdel|1:f']),
                ('HGETDEL h FIELDS 2 f longer', ['hdel|6:longer']), ('HSETEX h FIELDS 2 a 1 b 2', ['hset|1:a,1:b']),
                ('HSETEX h FXX FIELDS 1 nosuch 1', []), ('HSETEX h EX 9 FIELDS 1 a 1', ['hset|1:a', 'hexpire|1:a']),
                ('HSETEX h PXAT 1 FIELDS 2 a 1 b 1', ['hdel|1:a,1:b']), ('EXISTS h', []),
                ('HSET h f 1', ['hset|1:f']), ('HGETALL h', []), ('SET s v', []), ('DEL h', [])):
            c.call(*command.split())
            assert heard() == [('__subkeyevent@0__:' + event, f'1:h|{rest}') for event, _, rest in
                               (e.partition('|') for e in events)], command
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'KEASTIV')
        assert c.ok('CONFIG', 'GET', 'notify-keyspace-events')[1] == b'AKESTIV'
        c.ok('HSET', 'a|b', 'f,1', '1', 'g', '2')
        assert heard() == [
            ('__keyspace@0__:a|b', 'hset'), ('__keyevent@0__:hset', 'a|b'), ('__subkeyspace@0__:a|b', 'hset|3:f,1,1:g'),
            ('__subkeyevent@0__:hset', '3:a|b|3:f,1,1:g'), ('__subkeyspaceitem@0__:a|b\nf,1', 'hset'),
            ('__subkeyspaceitem@0__:a|b\ng', 'hset'), ('__subkeyspaceevent@0__:hset|a|b', '3:f,1,1:g')]
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'hIV')
        c.ok('HSET', 'a\nb', 'f', '1')
        assert heard() == [('__subkeyspaceevent@0__:hset|a\nb', '1:f')]
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'Eg$STIV')      # classes, but not that of hashes
        c.ok('HSET', 'a', 'f', '1')
        assert heard() == []
        # Fields whose time has come, of a small hash and of a large one: all at once.
        for fields in (['f%d' % i for i in range(3)], ['f%d' % i for i in range(1000)]):
            c.ok('CONFIG', 'SET', 'notify-keyspace-events', 'T')
            c.ok('HSET', 'h', 'stays', '1', *(x for f in fields for x in (f, '1')))
            c.ok('HPEXPIRE', 'h', '20', 'FIELDS', len(fields), *fields)
            heard()
            gone = []

            def all_gone():
                for channel, message in heard():
                    assert channel == '__subkeyevent@0__:hexpired' and message.startswith('1:h|')
                    gone.extend(x.partition(':')[2] for x in message[4:].split(','))
                return len(gone) >= len(fields)
            eventually(all_gone)
            assert sorted(gone) == sorted(fields) and c.ok('HKEYS', 'h') == [b'stays']
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', '')
