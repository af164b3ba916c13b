"""Connections, COMMAND and other commands that touch no data."""

from families import generic, hashes, lists, sets, sorting, strings, zsets


def keys_of_any(g):
    """The keys of a command as the other families make them, sometimes with arguments lost or too many."""
    rows = [row for f in (strings, lists, hashes, sets, zsets, generic, sorting) for row in f.COMMANDS]
    for _ in range(20):
        made = g.pick(rows)[2](g)
        if isinstance(made, list) and len(made) > 1 and all(isinstance(word, bytes) for word in made):
            if g.chance(0.1):
                made = made[:g.between(2, len(made))]
            elif g.chance(0.05):
                made = made + [g.value()]
            return [b'COMMAND', g.pick([b'GETKEYS', b'GETKEYSANDFLAGS'])] + made
    return [b'COMMAND', b'COUNT', b'too', b'many']


def getkeys(g):
    return [b'COMMAND', b'GETKEYS'] + g.pick([
        [b'GET', b'a'], [b'SET', b'a', b'b'], [b'MSET', b'a', b'1', b'b', b'2'], [b'SORT', b'l', b'STORE', b'd'],
        [b'ZUNIONSTORE', b'd', b'2', b'a', b'b'], [b'LMPOP', b'2', b'a', b'b', b'LEFT'], [b'PING', b'x'], [b'NOSUCH', b'x'],
        [b'BLPOP', b'a', b'b', b'0'], [b'ZINTER', b'0'], [b'GET', b'a', b'b'], [b'COPY', b'a', b'b'], [b'SORT', b'l', b'BY', b'w*'],
        [b'OBJECT', b'ENCODING', b'a'], [b'SINTERCARD', b'2', b'a', b'b'], [b'BZMPOP', b'1', b'1', b'a', b'MIN'],
        [b'ZUNION', b'abc', b'a'], [b'ZDIFFSTORE', b'd', b'1', b'a'], []])


COMMANDS = [
    (3, 'ping', lambda g: [b'PING'] + g.pick([[], [b'hello'], [g.value()]]), ()),
    (2, 'echo', lambda g: [b'ECHO', g.value()], ()),
    (1, 'nosuch', lambda g: [g.pick([b'NOSUCH', b'', b'GE T', b'foo\r\nbar', b'\x00', b'x' * 200])] +
     [g.value() for _ in range(g.upto(5))], ()),
    (1, 'command getkeys', getkeys, ('fixed',)),
    (1, 'command keys', keys_of_any, ('fixed',)),
    (0.3, 'command odd', lambda g: [b'COMMAND'] + g.pick([
        [b'NOSUCH'], [b'GETKEYSANDFLAGS'], [b'INFO', b'nosuch'], [b'INFO', b'get|get'], [b'COUNT', b'x'],
        [b'DOCS', b'nosuch'], [b'LIST', b'FILTERBY'], [b'LIST', b'FILTERBY', b'NOSUCH', b'x'], [b'LIST', b'x'],
        [b'LIST', b'FILTERBY', b'MODULE', b'x'], [b'LIST', b'FILTERBY', b'ACLCAT', b'nosuch'],
        [b'LIST', b'FILTERBY', b'PATTERN', b'GET'], [b'LIST', b'FILTERBY', b'PATTERN', b'a', b'b']]), ('fixed',)),
    (1, 'client setname', lambda g: [b'CLIENT', g.case(b'SETNAME'), g.pick([b'name', b'', b'has space', b'a\nb', b'other'])], ()),
    (1, 'client getname', lambda g: [b'CLIENT', b'GETNAME'], ()),
    (0.5, 'client id', lambda g: [b'CLIENT', b'ID'], ('fixed',)),
    (0.3, 'client no-evict', lambda g: [b'CLIENT', b'NO-EVICT', g.pick([b'ON', b'OFF', b'maybe'])], ()),
    (0.3, 'client reply', lambda g: [b'CLIENT', b'REPLY', g.pick([b'ON', b'nosuch'])], ('fixed',)),
    (0.3, 'client odd', lambda g: g.pick([[b'CLIENT'], [b'CLIENT', b'NOSUCH'], [b'CLIENT', b'SETNAME'],
                                          [b'CLIENT', b'KILL', b'NOSUCH', b'x'], [b'CLIENT', b'KILL', b'ID', b'0'],
                                          [b'CLIENT', b'KILL', b'ID', b'999999999'], [b'CLIENT', b'UNBLOCK', b'abc'],
                                          [b'CLIENT', b'UNBLOCK', b'999999999'], [b'CLIENT', b'LIST', b'TYPE', b'nosuch'],
                                          [b'CLIENT', b'LIST', b'ID', b'abc'], [b'CLIENT', b'PAUSE', b'abc'],
                                          [b'CLIENT', b'KILL', b'1.2.3.4:1'], [b'CLIENT', b'KILL', b'ADDR', b'1.2.3.4:1']]),
     ('fixed',)),
    (0.3, 'config odd', lambda g: g.pick([[b'CONFIG'], [b'CONFIG', b'GET'], [b'CONFIG', b'GET', b'nosuch'],
                                          [b'CONFIG', b'SET', b'nosuch', b'1'], [b'CONFIG', b'SET', b'maxmemory'],
                                          [b'CONFIG', b'GET', b'maxmemory'], [b'CONFIG', b'SET', b'maxmemory', b'abc'],
                                          [b'CONFIG', b'GET', b'hz', b'maxmemory'], [b'CONFIG', b'SET', b'hz', b'abc'],
                                          [b'CONFIG', b'SET', b'appendonly', b'maybe'], [b'CONFIG', b'NOSUCH'],
                                          [b'CONFIG', b'SET', b'maxmemory-policy', b'nosuch']]), ('fixed',)),
    (0.2, 'hello', lambda g: [b'HELLO'] + g.pick([[b'4'], [b'abc'], [b'1'], [b'2', b'NOSUCH'], [b'3', b'AUTH', b'x']]),
     ('fixed', 'alone')),
    (0.2, 'multi odd', lambda g: g.pick([[b'EXEC'], [b'DISCARD'], [b'UNWATCH'], [b'WATCH'], [b'WATCH', g.any_key()]]), ('alone',)),
    (0.1, 'auth', lambda g: [b'AUTH'] + g.pick([[b'x'], [b'default', b''], [b'nosuch', b'x'], [b'a', b'b', b'c']]), ('fixed',)),
    (0.3, 'wait', lambda g: g.pick([[b'LOLWUT', b'VERSION', b'5', b'1', b'1', b'1']]), ('fixed',)),
    (0.3, 'debug', lambda g: [b'DEBUG', b'STRINGMATCH-LEN'] + [b'10', b'*'], ('fixed',)),
]
