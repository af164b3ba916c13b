"""Publish and subscribe beside the other parts: users, limits, clients that leave."""

import os

import pytest

from harness import peer

PEER = os.environ.get('VITRINE_PEER', 'vitrine')


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
                                (('SET', 'n', '1', 'PXAT', '1'), ['new', 'set', 'expire']),
                                (('RESTORE', 'unused', '0', dump, 'REPLACE'), ['overwritten', 'new', 'restore']),
                                (('RENAME', 'unused', 'fresh'), ['new', 'rename_from', 'rename_to', 'overwritten'])):
            c.ok(*command)
            assert [e for e, _ in events_of(listener)] == events, command
        c.ok('CONFIG', 'SET', 'notify-keyspace-events', '')
