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


def refusal(function, number, words):
    return b"ERR user_script:1: bad argument #%d to '%s' (%s)" % (number, function, words)


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


FORMATS = [
    ("'%c%c', 0, 65", b'A'), ("'%c%c%c', 65, 0, 66", b'AB'), ("'[%5c]', 0", b'[    ]'), ("'[%-5c]', 0", b'[]'),
    ("'%c', 321", b'A'), ("'%s', 'a\\0b'", b'a'), ("'%5s', 'a\\0b'", b'    a'),
    ("'%s', ('a\\0'):rep(50)", b'a\0' * 50), ("'%.3s', ('x'):rep(200)", b'xxx'),
    ("'%5s|', ('x'):rep(200)", b'x' * 200 + b'|'),
    ("'%10s|%-10s|%.2s', 'a', 1.5, 'cde'", b'         a|1.5       |cd'),
    ("'%.0f %.0f %5.1f', 2.5, 0.5, 1.25", b'2 0   1.2'), ("'%#x %+d % d %05d', 255, 1, 1, 1", b'0xff +1  1 00001'),
    ("'%d %d %i', '1.5', -1.5, 2", b'1 -1 2'), ("'%x', -1", b'f' * 16), ("'%u', -1", b'18446744073709551615'),
    ("'%x %x %x', 1e19, 1e20, -1e20", b'8ac7230489e80000 0 8000000000000000'), ("'%d', 1e20", b'-9223372036854775808'),
    ("'%d', 0/0", b'-9223372036854775808'), ("'%o %e %E %g %G', 8, 1, 1, 1e-10, 1e-10",
                                             b'10 1.000000e+00 1.000000E+00 1e-10 1E-10'),
    ("'%q', 'a\\r\\n\\0\"\\\\b\\t'", b'"a\\r\\\n\\000\\"\\\\b\t"'), ("'%10q', 1", b'"1"'), ("12", b'12'),
    ("'100%%'", b'100%'),
    ("'a\\0b%d', 1", b'a\0b1'), ("'%-+ #05d|', 1", b'+1   |'),
    ("'%s', nil", refusal(b'format', 2, b'string expected, got nil')),
    ("'%s', {}", refusal(b'format', 2, b'string expected, got table')),
    ("'%d%s', 1, true", refusal(b'format', 3, b'string expected, got boolean')),
    ("'%s', setmetatable({}, {__tostring = tostring})", refusal(b'format', 2, b'string expected, got table')),
    ("'%d', 'x'", refusal(b'format', 2, b'number expected, got string')), ("'%s'", refusal(b'format', 2, b'no value')),
    ("'%s %k', 1", refusal(b'format', 3, b'no value')), ("nil", refusal(b'format', 1, b'string expected, got nil')),
    ("'%a', 1", b"ERR user_script:1: invalid option '%a' to 'format'"),
    ("'%3.3p', 1", b"ERR user_script:1: invalid option '%p' to 'format'"),
    ("'%', 1", b"ERR user_script:1: invalid option '%' to 'format'"),
    ("'%.123f', 1", b'ERR user_script:1: invalid format (width or precision too long)'),
    ("'%123d', 1", b'ERR user_script:1: invalid format (width or precision too long)'),
    ("'%++++++d', 1", b'ERR user_script:1: invalid format (repeated flags)'),
]


@pytest.mark.parametrize('arguments,expected', FORMATS)
def test_string_format(c, arguments, expected):
    assert value(c, f'string.format({arguments})') == expected


def test_string_format_writes_what_is_long(c):
    assert value(c, "#string.format('%99.99f', -1e308)") == 410
    assert value(c, "#string.format(('x%%'):rep(1e5) .. '%s', ('y'):rep(1e5))") == 300000
    assert value(c, "#string.format('%q', ('\\0'):rep(1e5))") == 400002


NUMBERS = [
    ("'0b11'", b'nil'), ("' 0b11 '", b'nil'), ("'0b11', 2", b'nil'), ("'11', 2", b'3'),
    ("'-10', 16", b'1.844674407371e+19'),
    ("'-ffffffffffffffffff', 16", b'1.844674407371e+19'), ("'0x10', 16", b'16'), ("' 10 ', 16", b'16'),
    ("'1e1', 16", b'481'),
    ("'zz', 36", b'1295'), ("'9', 8", b'nil'), ("'', 16", b'nil'), ("'-', 16", b'nil'), ("10, 16", b'16'),
    ("10.5, 16", b'nil'), ("10.5, 10", b'10.5'), ("nil", b'nil'), ("{}", b'nil'), ("'12\\0'", b'12'),
    ("'0x1p4'", b'16'),
    ("'0x'", b'nil'), ("'-0x10'", b'-16'), ("'inf'", b'inf'), ("'nan'", b'nan'), ("'1e'", b'nil'), ("'1LL'", b'nil'),
    ("' 12\\n'", b'12'), ("'1 2'", b'nil'), ("''", b'nil'), ("'1', nil", b'1'), ("'12', '16'", b'18'),
    ("", refusal(b'tonumber', 1, b'value expected')), ("'1', 1", refusal(b'tonumber', 2, b'base out of range')),
    ("'1', 37", refusal(b'tonumber', 2, b'base out of range')),
    ("nil, 16", refusal(b'tonumber', 1, b'string expected, got nil')),
    ("'1', 'x'", refusal(b'tonumber', 2, b'number expected, got string')),
]


@pytest.mark.parametrize('arguments,expected', NUMBERS)
def test_tonumber(c, arguments, expected):
    assert value(c, f'tostring(tonumber({arguments}))') == expected


@pytest.mark.parametrize('expression,expected', [
    ('math.log(8, 2) * 1000', 2079), ('math.max(1, 0/0)', 1), ('math.max(1, 0/0, 2)', 2), ('math.min(1, 0/0, 2)', 1),
    ('tostring(math.max(0/0, 1))', b'nan'), ('tostring(math.min(0/0, 1))', b'nan'), ("math.max(1, '2')", 2),
    ('math.log()', refusal(b'log', 1, b'number expected, got no value')),
    ('math.max()', refusal(b'max', 1, b'number expected, got no value')),
    ('math.min(1, nil)', refusal(b'min', 2, b'number expected, got nil')),
])
def test_math(c, expression, expected):
    assert value(c, expression) == expected


def test_pcall_and_xpcall(c):
    assert c.call('EVAL', 'return pcall()', '0') is None
    assert c.call('EVAL', 'local x = pcall() return 1', '0') == 1
    for call, words in (('pcall()', b'attempt to call a boolean value'), ('pcall(nil)', b'attempt to call a nil value'),
                        ('xpcall(1, 2)', b'error in error handling'),
                        ('xpcall(1, function(e) return e .. "!" end)', b'attempt to call a number value!')):
        code = 'local r = {%s} return {#r, tostring(r[1]), r[2]}' % call
        assert c.call('EVAL', code, '0') == [2, b'false', words], call
    for arguments in ('', '1', 'nil'):
        assert value(c, f'xpcall({arguments})') == refusal(b'xpcall', 2, b'value expected')
    # What stands behind the handler is not handed on.
    code = 'local ok, n = xpcall(function(...) return select("#", ...) end, tostring, 1, 2) return n'
    assert c.call('EVAL', code, '0') == 0


@pytest.mark.parametrize('raised,expected', [
    ('true', b'ERR true'), ('false', b'ERR false'), ('nil', b'ERR nil'), ('', b'ERR nil'),
    ('12', b'ERR user_script:1: 12'),
    ('"x"', b'ERR user_script:1: x'), ('"x", 0', b'ERR x'), ('{err = "My word"}', b'My word'),
])
def test_errors_that_are_no_texts(c, raised, expected):
    reply = c.call('EVAL', f'error({raised})', '0')
    assert reply.startswith(expected + b' script: ') and reply.endswith(b', on @user_script:1.')


def test_setresp_takes_the_whole_part(c):
    for version in ('3.5', '2.9', '"3"', '2'):
        assert c.call('EVAL', f'redis.setresp({version}) return 1', '0') == 1
    assert c.call('EVAL', 'redis.setresp(3.5) redis.call("hset", "h", "a", "1") local h = redis.call("hgetall", "h") '
                          'redis.call("del", "h") return h.map.a', '0') == b'1'
    for version in ('1.9', '4', '0/0', 'nil', '"x"', '-3'):
        reply = c.call('EVAL', f'redis.setresp({version}) return 1', '0')
        assert reply.startswith(b'ERR RESP version must be 2 or 3.'), version


def test_struct_names_the_argument_behind(c):
    for arguments, number in (('"c5", "abc"', 3), ('"c", ""', 3), ('"ic5", 1, "abc"', 4),
                              ('"bc5c3", 1, "abcde", "ab"', 5)):
        assert value(c, f'struct.pack({arguments})') == refusal(b'pack', number, b'string too short')
    assert value(c, 'struct.pack("c5")') == refusal(b'pack', 2, b'string expected, got nil')
