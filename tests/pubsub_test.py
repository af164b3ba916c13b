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
