#!/usr/bin/python3
"""Transcripts of commands and their replies, played over TCP.

  tests/compat/run.py [FILE…] [--peer vitrine|oracle|both] [--only CONFIGURATION]
  tests/compat/run.py --record FILE      write the oracle's replies below the commands of FILE

A transcript:

    # a comment
    oracle: yes            this file also runs against Redis 7.0.15 (default: no)
    resp3: no              leave a configuration out: resp3, multi, tiny (default: all run)
    setting: hz 100        a setting of the server for this file
    == title               a section: starts with empty databases and fresh connections
    > SET key "two words"  a command on connection 0; quotes and \\x00 as in redis-cli
    OK
    1> GET key             a command on connection 1
    "two words"
    2> BLPOP l 0           no reply follows: it is not awaited
    2<                     now it is
    ["l" "v"]
    ! sleep 20             milliseconds

Replies: OK or any bare word is a status, "text" a bulk string, 12 an integer, 1.5d a double (a bulk string in RESP2),
nil, true and false (1 and 0 in RESP2), [a b] an array, {a b} a set in any order, {a: b c: d} a map in any order (flat
in RESP2), -ERR text an error, = "text" a verbatim string, _ anything at all, 90..100 an integer in that range,
"text*"~ a bulk string by pattern, ?[a b] an array in any order, ^[[a b] [c d]] pairs (flat in RESP2),
^{a: b c: d} a map (pairs in RESP2), &[a b] a push (an array in RESP2).
"""

import argparse
import fnmatch
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import harness                                                    # noqa: E402
from harness import Closed, Double, Error, Map, Push, SetReply, Status, Verbatim   # noqa: E402

TINY = [('list-max-listpack-size', '2'), ('hash-max-listpack-entries', '2'), ('hash-max-listpack-value', '4'),
        ('set-max-intset-entries', '2'), ('set-max-listpack-entries', '2'), ('set-max-listpack-value', '4'),
        ('zset-max-listpack-entries', '2'), ('zset-max-listpack-value', '4')]
CONFIGURATIONS = ['plain', 'resp3', 'tiny', 'multi']
COMMAND = re.compile(r'(\d*)> ?(.*)')
LATER = re.compile(r'(\d+)<')
ESCAPES = {'n': b'\n', 'r': b'\r', 't': b'\t', 'b': b'\b', 'a': b'\a', '\\': b'\\', '"': b'"', "'": b"'"}


class BadTranscript(Exception):
    pass


def quoted(text, at):
    """(bytes, position after the closing quote) of the double-quoted text that starts at `at`."""
    out, i = b'', at + 1
    while i < len(text) and text[i] != '"':
        if text[i] == '\\' and i + 1 < len(text):
            if text[i + 1] == 'x':
                out += bytes([int(text[i + 2:i + 4], 16)])
                i += 4
            else:
                out += ESCAPES.get(text[i + 1], text[i + 1].encode())
                i += 2
        else:
            out += text[i].encode()
            i += 1
    if i >= len(text):
        raise BadTranscript(f'no closing quote: {text}')
    return out, i + 1


def words(text):
    """A command line as a list of bytes."""
    out, i = [], 0
    while i < len(text):
        if text[i] == ' ':
            i += 1
        elif text[i] == '"':
            word, i = quoted(text, i)
            if i < len(text) and text[i] == '*':           # "ab"*1000 repeats
                end = text.find(' ', i) if ' ' in text[i:] else len(text)
                word, i = word * int(text[i + 1:end]), end
            out.append(word)
        else:
            end = text.find(' ', i) if ' ' in text[i:] else len(text)
            out.append(text[i:end].encode())
            i = end
    return out


class Expected:
    """A parsed expectation: kind and value."""

    def __init__(self, kind, value=None):
        self.kind, self.value = kind, value


TOKEN = re.compile(r'[^\s\[\]{}"]+')


def expectation(text):
    text = text.strip()
    if text.startswith('-') and not re.fullmatch(r'-(\d[\d.]*d?|\d+\.\.-?\d+|inf d?|inf)', text):
        return Expected('error', text[1:].encode())
    made, at = _expectation(text, 0)
    if text[at:].strip():
        raise BadTranscript(f'after the reply: {text[at:]}')
    return made


def _expectation(text, at):
    while at < len(text) and text[at].isspace():
        at += 1
    if at >= len(text):
        raise BadTranscript(f'a reply is missing: {text}')
    if text.startswith(('?[', '^[', '^{', '&['), at):
        kind = {'?[': 'any-order', '^[': 'pairs', '^{': 'paired-map', '&[': 'push'}[text[at:at + 2]]
        made, at = _expectation(text, at + 1)
        return Expected(kind, made.value), at
    if text[at] == '=':
        made, at = _expectation(text, at + 1)
        return Expected('verbatim', made.value), at
    if text[at] in '[{':
        close = ']' if text[at] == '[' else '}'
        items, keyed, at = [], False, at + 1
        while True:
            while at < len(text) and text[at].isspace():
                at += 1
            if at >= len(text):
                raise BadTranscript(f'no {close}: {text}')
            if text[at] == close:
                break
            if text[at] == ':' and close == '}':
                keyed, at = True, at + 1
                continue
            item, at = _expectation(text, at)
            items.append(item)
        return Expected('array' if close == ']' else 'map' if keyed else 'set', items), at + 1
    if text[at] == '"':
        value, at = quoted(text, at)
        if at < len(text) and text[at] == '*':
            number = re.match(r'\*(\d+)', text[at:])
            value, at = value * int(number[1]), at + number.end()
        if at < len(text) and text[at] == '~':
            return Expected('pattern', value), at + 1
        return Expected('bulk', value), at
    if text.startswith('-"', at):
        value, at = quoted(text, at + 1)
        return Expected('error', value), at
    token = TOKEN.match(text, at)
    word, at = token[0], token.end()
    if word.endswith(':') and len(word) > 1:
        word, at = word[:-1], at - 1
    return _word(word), at


def _word(word):
    if word == 'nil':
        return Expected('nil')
    if word == '_':
        return Expected('any')
    if word in ('true', 'false'):
        return Expected('bool', word == 'true')
    if re.fullmatch(r'-?\d+', word):
        return Expected('int', int(word))
    if re.fullmatch(r'-?\d+\.\.-?\d+', word):
        low, high = word.split('..')
        return Expected('range', (int(low), int(high)))
    if re.fullmatch(r'-?(\d[\d.e+-]*|inf|nan)d', word):
        return Expected('double', word[:-1].encode())
    if word.startswith('-'):
        return Expected('error', word[1:].encode())
    return Expected('status', word.encode())


def matches(e, got, resp3):
    kind = e.kind
    if kind == 'any':
        return True
    if kind == 'nil':
        return got is None
    if kind == 'error':
        return isinstance(got, Error) and fnmatch.fnmatchcase(got.decode('latin1').rstrip(),
                                                              escape(e.value.decode('latin1')))
    if isinstance(got, Error):
        return False
    if kind == 'status':
        return isinstance(got, Status) and got == e.value
    if kind == 'bulk':
        return isinstance(got, bytes) and not isinstance(got, Status) and got == e.value
    if kind == 'pattern':
        return isinstance(got, bytes) and fnmatch.fnmatchcase(got.decode('latin1'), e.value.decode('latin1'))
    if kind == 'verbatim':
        return isinstance(got, Verbatim if resp3 else bytes) and bytes(got) == e.value
    if kind == 'int':
        return isinstance(got, int) and not isinstance(got, bool) and got == e.value
    if kind == 'range':
        return isinstance(got, int) and not isinstance(got, bool) and e.value[0] <= got <= e.value[1]
    if kind == 'bool':
        return got is e.value if resp3 else (isinstance(got, int) and got == int(e.value))
    if kind == 'double':
        return matches_double(e.value, got, resp3)
    return matches_aggregate(e, got, resp3)


def escape(pattern):
    return pattern.replace('[', '[[]').replace('?', '[?]')


def matches_double(text, got, resp3):
    if resp3:
        return isinstance(got, Double) and got.text == text
    return isinstance(got, bytes) and not isinstance(got, Status) and got == text


def matches_aggregate(e, got, resp3):
    if not isinstance(got, list):
        return False
    if e.kind == 'map' and e.value:
        if resp3 and not isinstance(got, Map):
            return False
        flat = [x for pair in got for x in pair] if isinstance(got, Map) else list(got)
        pairs = list(zip(flat[::2], flat[1::2]))
        wanted = list(zip(e.value[::2], e.value[1::2]))
        return len(flat) == len(e.value) and any_order(wanted, pairs, lambda want, have: matches(
            want[0], have[0], resp3) and matches(want[1], have[1], resp3))
    if e.kind in ('set', 'map') and not e.value:
        return got == [] and (isinstance(got, (Map, SetReply)) or not resp3)
    if e.kind == 'paired-map':
        if not resp3:
            pairs = [Expected('array', list(pair)) for pair in zip(e.value[::2], e.value[1::2])]
            return matches_aggregate(Expected('array', pairs), got, resp3)
        return matches_aggregate(Expected('map', e.value), got, resp3)
    if e.kind == 'push':
        return isinstance(got, Push) == resp3 and len(got) == len(e.value) and all(
            matches(x, y, resp3) for x, y in zip(e.value, got))
    if e.kind == 'pairs':
        wanted = e.value if resp3 else [x for pair in e.value for x in pair.value]
        e = Expected('array', wanted)
    if isinstance(got, (Map, Push)) or (e.kind == 'set') != isinstance(got, SetReply) and resp3:
        return False
    if len(got) != len(e.value):
        return False
    if e.kind == 'array':
        return all(matches(x, y, resp3) for x, y in zip(e.value, got))
    return any_order(e.value, got, lambda want, have: matches(want, have, resp3))


def any_order(wanted, got, same):
    left = list(got)
    for want in wanted:
        for i, have in enumerate(left):
            if same(want, have):
                del left[i]
                break
        else:
            return False
    return not left


def shown(value, top=True):
    """A reply in the notation of a transcript."""
    if value is None:
        return 'nil'
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, Double):
        return value.text.decode() + 'd'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Error):
        return '-' + value.decode('latin1') if top else '-' + shown(bytes(value))
    if isinstance(value, Status):
        return value.decode('latin1')
    if isinstance(value, bytes):
        text = ''.join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f'\\x{c:02x}' for c in value)
        return ('= ' if isinstance(value, Verbatim) else '') + f'"{text}"'
    if isinstance(value, Map):
        return '{' + ' '.join(f'{shown(k)}: {shown(v, False)}' for k, v in value) + '}'
    body = ' '.join(shown(v, False) for v in value)
    if isinstance(value, Push):
        return '&[' + body + ']'
    if top and value and all(isinstance(v, list) and len(v) == 2 and isinstance(v[0], bytes) for v in value):
        return '^[' + body + ']'
    return '{' + body + '}' if isinstance(value, SetReply) else '[' + body + ']'


class Transcript:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.options = {'oracle': 'no', 'resp3': 'yes', 'multi': 'yes', 'tiny': 'yes'}
        self.settings, self.steps = [], []
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            self._line(number, line)

    def _line(self, number, line):
        if not line.strip() or line.startswith('#'):
            return
        header = re.fullmatch(r'(oracle|resp3|multi|tiny|setting): *(.*)', line)
        if header and not self.steps:
            if header[1] == 'setting':
                self.settings.append(tuple(header[2].split(' ', 1)))
            else:
                self.options[header[1]] = header[2].strip()
            return
        if line.startswith('== '):
            self.steps.append(['section', number, line[3:]])
        elif line.startswith('! sleep '):
            self.steps.append(['sleep', number, int(line[8:])])
        elif COMMAND.fullmatch(line):
            m = COMMAND.fullmatch(line)
            self.steps.append(['command', number, int(m[1] or 0), words(m[2]), None])
        elif LATER.fullmatch(line.strip()):
            self.steps.append(['later', number, int(line.strip()[:-1]), None])
        else:
            if not self.steps or self.steps[-1][0] not in ('command', 'later') or self.steps[-1][-1] is not None:
                raise BadTranscript(f'{self.path}:{number}: a reply without a command: {line}')
            try:
                self.steps[-1][-1] = expectation(line)
            except (BadTranscript, TypeError) as e:
                raise BadTranscript(f'{self.path}:{number}: {e}') from None


class Player:
    """One transcript on one server in one configuration."""

    def __init__(self, transcript, server, configuration):
        self.t, self.server, self.configuration = transcript, server, configuration
        self.resp3 = configuration == 'resp3'
        self.clients, self.failures, self.count = {}, [], 0

    def client(self, number):
        if number not in self.clients:
            self.clients[number] = self.server.client(resp3=self.resp3, timeout=5)
        return self.clients[number]

    def fresh(self):
        for c in self.clients.values():
            c.close()
        self.clients = {}
        self.client(0).call('FLUSHALL')

    def play(self):
        admin = self.server.client()
        settings = self.t.settings + (TINY if self.configuration == 'tiny' else [])
        before = {}
        for name, value in settings:
            old = admin.call('CONFIG', 'GET', name)
            if len(old) == 2:
                before[name] = old[1]
                admin.call('CONFIG', 'SET', name, value)
        try:
            self.fresh()
            for step in self.t.steps:
                if not self.step(step):
                    break
        finally:
            for name, value in before.items():
                admin.call('CONFIG', 'SET', name, value)
            for c in self.clients.values():
                c.close()
            admin.close()
        return self.failures

    def step(self, step):
        kind, number = step[:2]
        if kind == 'section':
            self.fresh()
        elif kind == 'sleep':
            time.sleep(step[2] / 1000)
        else:
            self.count += 1
            try:
                self.exchange(kind, number, step)
            except (Closed, OSError) as e:
                self.fail(number, step, f'no reply: {e!r}\n{self.server.log(2000) if not self.server.alive() else ""}')
                return False
        return True

    def exchange(self, kind, number, step):
        client = self.client(step[2])
        if kind == 'later':
            got = client.reply()
        elif step[4] is None:
            client.send(*step[3])
            time.sleep(0.02)               # let it park before the next connection speaks
            return
        elif self.configuration == 'multi':
            got = self.in_multi(client, step[3])
        else:
            got = client.call(*step[3])
        if not matches(step[-1], got, self.resp3):
            self.fail(number, step, f'got {shown(got)[:1500]}')

    def in_multi(self, client, args):
        if args[0].upper() in (b'MULTI', b'EXEC', b'DISCARD', b'WATCH', b'UNWATCH', b'HELLO', b'RESET', b'QUIT'):
            return client.call(*args)
        client.call('MULTI')
        queued = client.call(*args)
        if isinstance(queued, Error):
            client.call('DISCARD')
            return queued
        replies = client.call('EXEC')
        return replies[0] if isinstance(replies, list) and len(replies) == 1 else replies

    def fail(self, number, step, what):
        line = self.t.path.read_text().splitlines()[number - 1]
        self.failures.append(f'{self.t.path.name}:{number} [{self.configuration}] {line[:300]}\n    {what}')


def configurations(transcript, only):
    return [c for c in CONFIGURATIONS if transcript.options.get(c, 'yes') != 'no' and only in (None, c)]


def run_files(paths, peers, only=None, out=print):
    """(checks, failures) over all files, servers and configurations."""
    checks, failures = 0, []
    for name in peers:
        with harness.peer(name) as server:
            for path in paths:
                t = Transcript(path)
                if name == 'oracle' and t.options['oracle'] != 'yes':
                    continue
                for configuration in configurations(t, only):
                    player = Player(t, server, configuration)
                    found = player.play()
                    checks += player.count
                    failures += [f'{name}: {f}' for f in found]
                    for f in found[:20]:
                        out(f'{name}: {f}')
                    if not server.alive():
                        server.restart()
    return checks, failures


def record(path):
    """Rewrite a transcript with the oracle's RESP3 replies."""
    path = pathlib.Path(path)
    out = []
    with harness.Oracle() as server:
        client = None
        for line in path.read_text().splitlines():
            m = COMMAND.fullmatch(line)
            if line.startswith('== '):
                client = None
            if m:
                if client is None:
                    client = server.client(resp3=True)
                    client.call('FLUSHALL')
                args = words(m[2])
                reply = shown(client.call(*args))
                name = args[0].upper()
                if name in (b'HKEYS', b'HVALS', b'KEYS') and reply.startswith('['):
                    reply = '?' + reply
                out += [line, '_' if name == b'RANDOMKEY' and reply != 'nil' else reply]
            elif not line.strip() or re.match(r'#|==|!|(oracle|resp3|multi|tiny|setting):', line):
                out.append(line)
    path.write_text('\n'.join(out) + '\n')


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('files', nargs='*')
    p.add_argument('--peer', default='both', choices=['vitrine', 'oracle', 'both'])
    p.add_argument('--only', choices=CONFIGURATIONS)
    p.add_argument('--record')
    options = p.parse_args(argv)
    if options.record:
        record(options.record)
        return 0
    peers = ['vitrine', 'oracle'] if options.peer == 'both' else [options.peer]
    if not harness.Oracle.present():
        peers = [x for x in peers if x != 'oracle']
    files = options.files or sorted(HERE.glob('*.txt'))
    began = time.monotonic()
    checks, failures = run_files(files, peers, options.only)
    print(f'compat: {len(files)} transcripts, {checks} replies on {", ".join(peers)}, '
          f'{time.monotonic() - began:.1f} s: {len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
