"""The Lua of scripts: what LuaJIT does otherwise by itself and Lua 5.1 (so Redis 7.0.15) does so."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from harness import Client, Error                                 # noqa: E402


@pytest.fixture(scope='module')
def server():
    with harness.peer('vitrine') as peer:
        yield peer


@pytest.fixture
def c(server):
    client = Client(server.port)
    for command in (['SCRIPT', 'FLUSH'], ['FUNCTION', 'FLUSH']):
        client.call(*command)
    yield client
    client.close()


def value(c, expression, *arguments):
    """What an expression is; an error is its text, without the place of the script."""
    reply = c.call('EVAL', f'local r = {expression} return r', '0', *arguments)
    return reply.split(b' script: ')[0] if isinstance(reply, Error) else reply


ESCAPES = [
    (rb'"a\.b\%\-\/\d\$\(\_\e"', b'a.b%-/d$(_e'), (rb'"\z x"', b'z x'), (rb'"\u{41}"', b'u{41}'), (rb'"\x41"', b'x41'),
    (rb'"\\.\"\.\'" .. ' + rb"'\'\.\"'", b'\\."' + b".''" + b'."'),
    (rb'"\a\b\f\n\r\t\v\065\6\0"', b'\a\b\f\n\r\t\vA\6\0'),
    (b'"a\\\n\\.b"', b'a\n.b'), (b'"a\\\r\n\\.b"', b'a\n.b'), (b'"\\\0\0"', b'\0\0'), (b'"\\\xc3\xa9"', b'\xc3\xa9'),
    (rb'[[\.]] .. [==[\z]]]=]==]', rb'\.\z]]]='), (b"'x' -- it's \\.\n .. '\\.'", b'x.'),
    (b"'x' --[=[ ' \\. ]] ]=] .. '\\.'", b'x.'), (rb"({['\y'] = '\.'})['\y']", b'.'), (rb"#'\.\.\.'", 3),
]


@pytest.mark.parametrize('source,expected', ESCAPES)
def test_escapes_in_strings(c, source, expected):
    """By every way by which source comes."""
    code = b'return ' + source
    sha = c.call('SCRIPT', 'LOAD', code)
    assert c.call('EVALSHA', sha, '0') == expected
    assert c.call('EVAL', code, '0') == expected
    library = b'#!lua name=lib\nredis.register_function("f", function() ' + code + b'\nend)'
    assert c.call('FUNCTION', 'LOAD', library) == b'lib'
    assert c.call('FCALL', 'f', '0') == expected
    assert value(c, 'loadstring(ARGV[1])()', code) == expected
    assert value(c, 'load(ARGV[1])()', code) == expected
    pieces = 'local at = 0 local f = load(function() at = at + %d local piece = ARGV[1]:sub(at - %d, at - 1) ' \
             'if piece ~= "" then return piece end end) return f()'
    for size in (1, 2, 7):
        text = (pieces % (size, size)).replace('local at = 0', 'local at = 1')
        assert c.call('EVAL', text, '0', code) == expected, size


def test_what_is_kept_is_the_original(c):
    code = rb'return "\.\x41"'
    sha = c.call('SCRIPT', 'LOAD', code)
    assert sha == value(c, 'redis.sha1hex(ARGV[1])', code)
    library = b'#!lua name=lib\nredis.register_function("f", function() ' + code + b' end)'
    c.call('FUNCTION', 'LOAD', library)
    assert c.call('FUNCTION', 'LIST', 'WITHCODE')[0][-1] == library
    dump = c.call('FUNCTION', 'DUMP')
    assert library in dump
    c.call('FUNCTION', 'RESTORE', dump, 'FLUSH')
    assert c.call('FUNCTION', 'LIST', 'WITHCODE')[0][-1] == library
    assert c.call('FCALL', 'f', '0') == b'.x41'


def test_lines_keep_their_numbers(c):
    reply = c.call('EVAL', 'local a = "\\.\\\n\\\r\n\\z" --[[ \\. \n ]]\nlocal x = nil + 1', '0')
    assert b'user_script:5: attempt to perform arithmetic' in reply
    assert b'user_script:2:' in c.call('EVAL', 'local a = "\\."\nlocal = 1', '0')


def test_source_that_is_wrong_stays_wrong(c):
    for code in (b'return "\\', b'return "\\.', b"return '\\300'", b'return "a\n\\."', b'return \\.', b'return [[\\.',
                 b'# "\nreturn "\\."', b'#\nreturn 1'):
        assert c.call('EVAL', code, '0').startswith(b'ERR Error compiling script (new function): user_script:1: '), code
        assert value(c, 'tostring(loadstring(ARGV[1]))', code) == b'nil', code
    for head in (b'', b'\\', b'#\n'):
        assert value(c, 'tostring(loadstring(ARGV[1]))', head + b'\x1bLJ\x02') == b'nil'
