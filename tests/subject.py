"""The server that the tests are about: Vitrine, or (VITRINE_PEER=oracle) Redis, to see that a test tells the truth."""

import os

import pytest

import harness

PEER = os.environ.get('VITRINE_PEER', 'vitrine')
ORACLE = PEER == 'oracle'
ours = pytest.mark.skipif(ORACLE, reason='newer than Redis 7.0, or our own')


def start(*settings, **kw):
    return harness.peer(PEER, *settings, **kw)


def once(args, peer=PEER, **kw):
    return harness.run_once(peer, args, **kw)


def write(path, text):
    path.write_text(text)
    return str(path)
