"""Scripts: commands of the other families called from Lua, and values that go through its libraries and back.

A call that may raise is never what `return` itself calls: LuaJIT then knows no line (docs/differences.md).
"""

from families import bits, hashes, lists, sets, strings, zsets

# Of sorted sets, what replies no score: how it is written is compared where it is the command's own reply.
SCORELESS = (b'ZADD', b'ZREM', b'ZCARD', b'ZCOUNT', b'ZRANK', b'ZREVRANK', b'ZLEXCOUNT', b'ZREMRANGEBYSCORE')
UNORDERED = (b'HGETALL', b'HKEYS', b'HVALS', b'SMEMBERS', b'SINTER', b'SUNION', b'SDIFF', b'SPOP', b'SRANDMEMBER',
             b'HRANDFIELD', b'HSCAN', b'SSCAN', b'ZSCAN', b'SYNC')
# Blocking commands may be called from scripts since Redis 7.2.
BLOCKING = (b'BLPOP', b'BRPOP', b'BLMOVE', b'BRPOPLPUSH', b'BLMPOP', b'BZPOPMIN', b'BZPOPMAX', b'BZMPOP')


def command(g):
    """One command whose reply has no order or chance of its own."""
    rows = [row for f in (strings, lists, hashes, sets, zsets, bits) for row in f.COMMANDS if not row[3]]
    for _ in range(50):
        made = g.pick(rows)[2](g)
        if isinstance(made, list) and made and all(isinstance(word, bytes) for word in made):
            name = made[0].upper()
            if name in UNORDERED or (name == b'LPOS' and b'-9223372036854775808' in made):   # lpos-rank
                continue
            scored = name[:1] == b'Z' and name not in SCORELESS or b'INCR' in [w.upper() for w in made]
            if name in BLOCKING or len(made) >= 40 or scored:
                continue
            return made
    return [b'GET', g.key('string')]


def calls(g):
    """EVAL of one to four calls, their replies as one array; mostly pcall, sometimes an error ends it."""
    code, argv = [], []
    if g.chance(0.2):
        code.append('redis.setresp(3)')
    for i in range(g.between(1, 4)):
        words = command(g)
        how = 'call' if g.chance(0.2) else 'pcall'
        code.append(f'local r{i} = redis.{how}(unpack(ARGV, {len(argv) + 1}, {len(argv) + len(words)}))')
        argv += words
    last = len([line for line in code if line.startswith('local')])
    names = ', '.join(f'r{i}' for i in range(last))
    shape = g.pick(['{%s}', '{n = 1, %s}', '{%s, "end"}', '{{%s}, {}}'])
    code.append('return ' + (shape % names if g.chance(0.7) else 'r0'))
    name = b'EVAL_RO' if g.chance(0.05) else b'EVAL'
    text = ('#!lua\n' if g.chance(0.1) else '') + g.pick(['\n', ' ']).join(code)
    return [name, text.encode(), b'0'] + argv


def literal(g, depth=0):
    x = g.r()
    if depth < 3 and x < 0.25:
        return '{' + ', '.join(literal(g, depth + 1) for _ in range(g.upto(4))) + '}'
    if depth < 3 and x < 0.3:
        return '{%s = %s}' % (g.pick(['a', 'ok', 'err', 'double', 'map', 'set', 'big_number']), literal(g, depth + 1))
    return g.pick(['nil', 'true', 'false', '0', '1', '-1', '3.99', '-3.99', '1e15', '2^53', '0.1', '1/3', '-0.5',
                   "''", "'a'", "'a\\0b'", "'long string of some bytes'", "'12'", "'\\r\\n'", "{}", '1e300'])


def conversion(g):
    """A value to the client, by the way of what a library makes of it."""
    value = literal(g)
    library = g.pick([
        'return %s', 'return {%s}', 'return tostring(#{%s})', 'redis.setresp(3) return {%s}',
        'local ok, r = pcall(cjson.encode, {%s}) return r', 'local ok, r = pcall(cmsgpack.pack, {%s}) return r',
        'local ok, r = pcall(cmsgpack.unpack, cmsgpack.pack(%s)) return {ok, r}',
        'local ok, r = pcall(cjson.decode, cjson.encode({%s})) return {ok, r}',
        'local ok, r = pcall(table.concat, {%s}, ",") return tostring(ok) .. (ok and r or "")',
        'local r = type(%s) return r', 'local ok, r = pcall(redis.call, "set", "lua", %s) return r',
        'local r = redis.sha1hex(tostring(%s ~= nil)) return r', 'local x = {%s} return {unpack(x)}',
        'local r = redis.error_reply(tostring(type(%s))) return r', 'local r = redis.status_reply("x") return {r, %s}'])
    return [b'EVAL', (library % value).encode(), b'0']


def packed(g):
    options = ['<', '>', 'b', 'B', 'h', 'H', 'i', 'I', 'l', 'L', 'i3', 'I5', 'f', 'd', 's', 'c3', 'x', '!4', ' ']
    form = ''.join(g.pick(options) for _ in range(g.between(1, 5)))
    code = ("local ok, r = pcall(struct.pack, ARGV[1], 1, 2, 3, 4, 5) if not ok then return 'no' end "
            "local x = {pcall(struct.unpack, ARGV[1], r)} return {r, unpack(x, 2)}")
    return [b'EVAL', code.encode(), b'0', form.encode()]


def decoded(g):
    text = g.pick([b'[1,2,3]', b'{"a":[1,{"b":null}]}', b'"\\u00e9\\ud83d\\ude00"', b'[1,]', b'{"a"}', b'nul',
                   b'[1.5e3,-0,0x1F]', b'"a', b'"\\q"', b'[[[[]]]]', b'', b' ', b'{"a":1,"a":2}',
                   b'[true,false]', b'tru', b'1 2', b'"\\ud800x"'])
    if g.chance(0.3) and text:
        at = g.upto(len(text) - 1)
        text = text[:at] + bytes([g.pick([0x22, 0x5b, 0x7d, 0x2c, 0x3a, 0x31, 0x20])]) + text[at + 1:]
    code = (b'local ok, r = pcall(cjson.decode, ARGV[1]) if ok and type(r) == "userdata" then r = "null" end '
            b'return {ok, r}')
    return [b'EVAL', code, b'0', text]


def unpacked(g):
    # No floats: LuaJIT knows one NaN, whatever its bits were.
    heads = [0x00, 0x01, 0x7f, 0x81, 0x91, 0x93, 0xa1, 0xc0, 0xc2, 0xc3, 0xcc, 0xcd, 0xd0, 0xd9, 0xdc, 0xe0, 0x61]
    data = bytes(g.pick(heads) for _ in range(g.upto(10)))
    code = ('local function again(ok, ...) if ok then return cmsgpack.pack(ok, ...) end '
            'return tostring(...):sub(-20) end local r = again(pcall(cmsgpack.unpack, ARGV[1])) return r')
    return [b'EVAL', code.encode(), b'0', data]


SHOWN = ('local function show(...) local t = {} for i = 1, select("#", ...) do local v = select(i, ...) '
         't[i] = type(v) .. ":" .. tostring(v) end return t end ')
PATTERN_PIECES = [b'a', b'b', b'.', b'%a', b'%d', b'%s', b'%W', b'%z', b'%%', b'%.', b'[ab]', b'[^a]', b'[a-c%d]',
                  b'[]]', b'[^]-]', b'[%]]', b'[a-]', b'(', b')', b'()', b'%1', b'%2', b'%0', b'%bab', b'%f[%w]',
                  b'%f[^%z]', b'^', b'$', b'-', b'[', b'%', b'%f', b'%b', b'%bx', b'\0', b'%g', b'\xe9', b'%\xe9',
                  b'[\xe0-\xff]']
SUFFIXES = [b'', b'', b'', b'*', b'+', b'-', b'?']


def patterned(g):
    """The functions of Lua that take patterns, right and wrong ones."""
    pattern = b''.join(g.pick(PATTERN_PIECES) + g.pick(SUFFIXES) for _ in range(g.between(1, 6)))
    subject = b''.join(g.pick([b'a', b'b', b'c', b'aa', b'ab', b'1', b' ', b'.', b']', b'-', b'%', b'\0', b'\xe9'])
                       for _ in range(g.upto(12)))
    start = str(g.between(-4, 14)).encode()
    replacement = g.pick([b'', b'x', b'<%0>', b'%1', b'%1%2', b'%%', b'%', b'%x', b'a\0b'])
    made = g.pick([
        'local r = show(pcall(string.find, ARGV[1], ARGV[2], tonumber(ARGV[3])))',
        'local r = show(pcall(string.find, ARGV[1], ARGV[2], tonumber(ARGV[3]), true))',
        'local r = show(pcall(string.match, ARGV[1], ARGV[2], tonumber(ARGV[3])))',
        'local r = show(pcall(function() local t = {} for a, b in string.gmatch(ARGV[1], ARGV[2]) do '
        't[#t + 1] = tostring(a) .. "," .. tostring(b) end return table.concat(t, ";") end))',
        'local r = show(pcall(string.gsub, ARGV[1], ARGV[2], ARGV[4]))',
        'local r = show(pcall(string.gsub, ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[3])))',
        'local r = show(pcall(string.gsub, ARGV[1], ARGV[2], {a = 1, b = "bb", ab = false, aa = {}}))',
        'local r = show(pcall(string.gsub, ARGV[1], ARGV[2], function(a, b) if b then return a .. b end return a end))',
    ])
    return [b'EVAL', (SHOWN + made + ' return r').encode(), b'0', subject, pattern, start, replacement]


def ordered(g):
    """table.sort: equal elements in Redis' order, functions that are no order, values that have none."""
    values = ' '.join(f'{g.upto(9)}.{g.upto(99)}' for _ in range(g.upto(g.pick([3, 12, 60]))))
    order = g.pick(['nil', 'function(a, b) return math.floor(a) < math.floor(b) end',
                    'function(a, b) return math.floor(b) < math.floor(a) end', 'function(a, b) return a <= b end',
                    'function(a, b) return true end', 'function(a, b) return false end',
                    'function(a, b) return math.floor(a) % 3 < math.floor(b) % 3 end',
                    'function(a, b) return a[1] < b[1] end', '5', 'tostring'])
    odd_one = g.pick(['', '', '', 't[#t + 1] = "x" ', 't[#t + 1] = true '])
    code = (SHOWN + 'local t = {} for v in string.gmatch(ARGV[1] or "", "%S+") do t[#t + 1] = tonumber(v) end ' +
            odd_one + f'local r = show(pcall(table.sort, t, {order})) r[#r + 1] = show(unpack(t)) return r')
    return [b'EVAL', code.encode(), b'0', values.encode()]


STRING_PIECES = [b'a', b'\\.', b'\\z ', b'\\x41', b'\\u{41}', b'\\\\', b'\\"', b"\\'", b'\\n', b'\\7', b'\\065',
                 b'\\25', b'\\\n', b'\\\r\n', b'\\\0', b'\0', b'\\\xe9', b'--', b'[[', b']]', b'[=[', b'\\-', b'\\[',
                 b'\\e', b'0', b'"', b"'"]
CODE_PIECES = [b' ', b'\n', b'\r\n', b'-- it\'s "\\.\n', b'--[[ \' \n]]', b'--[==[ " ]] ]==]', b'--[= "\n', b'--[\n',
               b'--=[[ \'\n', b'-- \\\n']


def literal_text(g):
    """A string as source has it; some are no strings."""
    inside = b''.join(g.pick(STRING_PIECES) for _ in range(g.upto(8)))
    x = g.r()
    if x < 0.2:
        level = b'=' * g.upto(2)
        return b'[' + level + b'[' + inside + b']' + level + b']'
    quote = g.pick([b'"', b"'"])
    return quote + (inside if x < 0.3 else inside.replace(b'"', b'').replace(b"'", b'').replace(b'\\\\', b'')) + quote


def lexed(g):
    """Source with escapes, comments and long brackets, all at once, in pieces, or of EVAL itself."""
    texts = [literal_text(g) for _ in range(g.between(1, 3))]
    gap = [g.pick(CODE_PIECES) for _ in range(4)]
    code = gap[0] + b'return ' + gap[1] + (gap[2] + b'..' + gap[3]).join(texts) + g.pick(CODE_PIECES)
    if g.chance(0.3):
        return [b'EVAL', code, b'0']
    size = g.between(1, 9)
    load = g.pick([
        'loadstring(ARGV[1])', 'load(function() local p = ARGV[1]:sub(at, at + %d) at = at + %d '
        'if p ~= "" then return p end end)' % (size - 1, size)])
    text = ('local at = 1 local f = %s if not f then return "no" end local ok, r = pcall(f) return ok and r' % load)
    return [b'EVAL', text.encode(), b'0', code]


FORMAT_FLAGS = ['', '', '', '-', '+', ' ', '#', '0', '-+', '+0', '-+ #0', '++++++']
FORMAT_VALUES = ['0', '1', '-1', '65', '255', '321', '2.5', '0.5', '-1.25', '1/3', '1e15', '1e20', '-1e20', '2^63',
                 '2^64', '1/0', "'12'", "'0x10'", "'a'", "''", "'a\\0b'", "'a\\r\\n\"\\\\'", "('x'):rep(99)",
                 "('y\\0'):rep(50)", 'nil', 'true', '{}']


def formatted(g):
    items = []
    for _ in range(g.between(1, 4)):
        width = g.pick(['', '', '', '5', '12', '99', '123'] if g.chance(0.3) else ['', '7'])
        precision = g.pick(['', '', '.', '.0', '.3', '.14', '.99', '.123'] if g.chance(0.4) else [''])
        flags = g.pick(FORMAT_FLAGS) if g.chance(0.4) else ''
        items.append('%' + flags + width + precision + g.pick(list('cdiouxXeEfgGqssss%') + ['a', 'p', 'k', '']))
    values = ', '.join(g.pick(FORMAT_VALUES) for _ in range(g.between(0, 5)))
    form = g.pick(['', 'a', '\\0']).join(items)
    code = SHOWN + f"local r = show(pcall(string.format, '{form}'{', ' if values else ''}{values})) return r"
    return [b'EVAL', code.encode(), b'0']


NUMBER_PIECES = [b'0', b'1', b'9', b'f', b'z', b'-', b'+', b' ', b'.', b'x', b'0x', b'0b', b'e', b'E', b'p', b'inf',
                 b'\0', b'\n', b'ffffffffffffffff', b'_', b'L']


def numbered(g):
    """Numbers in texts; NaN has a sign in Redis."""
    text = b''.join(g.pick(NUMBER_PIECES) for _ in range(g.upto(4)))
    base = g.pick(['2', '8', '10', '16', '36', '37', '1', 'nil'])
    made = g.pick([
        'pcall(tonumber, ARGV[1])', f'pcall(tonumber, ARGV[1], {base})',
        'pcall(math.max, 1, 0/0, tonumber(ARGV[1]))', 'pcall(math.min, 1, 0/0, tonumber(ARGV[1]) or 5)',
        'pcall(math.max, tonumber(ARGV[1]) or 2, 7, 0/0)', 'pcall(math.log, math.abs(tonumber(ARGV[1]) or 3), 2)'])
    return [b'EVAL', (SHOWN + f'local r = show({made}) return r').encode(), b'0', text]


FUNCTION = b'redis.register_function("f", function(k, a) return {k, a} end)'


def odd(g):
    return g.pick([
        [b'EVAL', b'return 1', b'-1'], [b'EVAL', b'return 1', b'x'], [b'EVAL', b'return 1', b'1'],
        [b'EVAL', b'return 1'],
        [b'EVALSHA', b'00e1f9fabfc9d4800c877a703b823ac0578ff8db', b'0'], [b'EVALSHA', b'x', b'0'],
        [b'SCRIPT', b'LOAD', b'return 1'], [b'SCRIPT', b'EXISTS', b'00e1f9fabfc9d4800c877a703b823ac0578ff8db', b'x'],
        [b'SCRIPT', b'FLUSH', g.pick([b'SYNC', b'ASYNC', b'NOW'])], [b'SCRIPT', b'KILL'], [b'FUNCTION', b'KILL'],
        [b'SCRIPT', b'NOSUCH'], [b'EVAL', b'return x', b'0'], [b'EVAL', b'x = 1', b'0'],
        [b'EVAL', b'error("boom")', b'0'], [b'EVAL', b'local x = redis.call("nosuch")', b'0'],
        [b'EVAL', b'#!lua flags=nosuch\nreturn 1', b'0'], [b'EVAL', b'#!nosuch\nreturn 1', b'0'],
        [b'EVAL_RO', b'local x = redis.call("set", "a", "b")', b'0'], [b'EVAL_RO', b'#!lua\nreturn 1', b'0'],
        [b'EVAL', b'return {KEYS, ARGV}', b'2', b'a', b'b', b'c'], [b'FCALL', b'nosuch', b'0'],
        [b'FUNCTION', b'LOAD', b'REPLACE', b'#!lua name=lib\n' + FUNCTION],
        [b'FUNCTION', b'LOAD', b'#!lua name=lib\n' + FUNCTION], [b'FUNCTION', b'LOAD', b'#!lua name=lib2\n' + FUNCTION],
        [b'FUNCTION', b'LOAD', b'#!lua name=bad-name\nreturn 1'], [b'FUNCTION', b'DELETE', b'lib'],
        [b'FUNCTION', b'FLUSH'], [b'FUNCTION', b'LIST'], [b'FUNCTION', b'LIST', b'LIBRARYNAME', b'l*', b'WITHCODE'],
        [b'FUNCTION', b'STATS'], [b'FUNCTION', b'RESTORE', b'bad'], [b'FUNCTION', b'DUMP'],
        [b'FCALL', b'f', b'1', b'k', b'v'], [b'FCALL_RO', b'f', b'0']])


COMMANDS = [
    (4, 'eval calls', calls, ()),
    (2, 'eval conversion', conversion, ()),
    (0.7, 'eval struct', packed, ()),
    (0.7, 'eval json', decoded, ()),
    (0.7, 'eval msgpack', unpacked, ()),
    (1.5, 'eval patterns', patterned, ()),
    (0.5, 'eval sort', ordered, ()),
    (1, 'eval lexed', lexed, ()),
    (1, 'eval format', formatted, ()),
    (0.7, 'eval number', numbered, ()),
    (1, 'eval odd', odd, ()),
]
