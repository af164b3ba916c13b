#!/usr/bin/python3
"""Checks data/commands/*.json and writes the C++ tables of src/engine/command_table.h and command_docs.h.

    tools/command_table.py [--data data/commands] [--out FOLDER]      without --out it only checks

data/commands/README.md tells the form of the files. Every mistake is printed as `file: command: what`; the exit status
is 1 if there is any. The build runs this with --out; nothing it writes is kept in the repository.
"""

import argparse
import json
import pathlib
import re
import sys

import command_table_cpp

FLAGS = ('write', 'readonly', 'denyoom', 'admin', 'pubsub', 'noscript', 'blocking', 'loading', 'stale', 'skip_monitor',
         'skip_slowlog', 'skip_commandlog', 'asking', 'fast', 'no_auth', 'may_replicate', 'no_mandatory_keys',
         'no_async_loading', 'no_multi', 'allow_busy')
CATEGORIES = ('keyspace', 'read', 'write', 'set', 'sortedset', 'list', 'hash', 'string', 'bitmap', 'hyperloglog', 'geo',
              'stream', 'pubsub', 'admin', 'fast', 'slow', 'blocking', 'dangerous', 'connection', 'transaction',
              'scripting', 'array')
KEY_FLAGS = ('RO', 'RW', 'OW', 'RM', 'access', 'update', 'insert', 'delete', 'not_key', 'incomplete', 'variable_flags')
TYPES = ('string', 'integer', 'double', 'key', 'pattern', 'unix-time', 'token', 'oneof', 'block')
NEEDED = ('summary', 'since', 'arity')
FIELDS = NEEDED + ('complexity', 'flags', 'acl', 'tips', 'keys', 'deprecated', 'replaced_by', 'syscmd', 'history',
                   'args', 'usage', 'subcommands')
WORDS = {'complexity', 'flags', 'acl', 'deprecated', 'replaced_by', 'usage', 'summary', 'since'}
VERSION = re.compile(r'\d+\.\d+\.\d+')
NAME = re.compile(r'[a-z][a-z0-9_-]*')
HEAD = re.compile(r'(?P<name>[a-z0-9_-]+)(?P<marks>\??[*+]?) (?P<type>[a-z-]+)(?:#(?P<spec>\d+))?'
                  r'(?: (?P<token>[^@\s]\S*))?(?: @(?P<since>\S+))?')
SPEC = re.compile(r'(?P<flags>[A-Za-z_ ]+?) (?:unknown|'
                  r'(?:at (?P<at>\d+)|after (?P<keyword>[A-Z]+) from (?P<start>-?\d+))'
                  r'(?:(?P<counted> counted)|(?: through (?P<last>-?\d+))?)(?: step (?P<step>\d+))?'
                  r'(?: limit (?P<limit>\d+))?)')


class Mistakes(Exception):
    """What is wrong with the data, a line each."""


class Argument:
    """A node of the tree that COMMAND DOCS calls arguments."""

    def __init__(self, value):
        head, *children = value if isinstance(value, list) and value else [value]
        match = HEAD.fullmatch(head) if isinstance(head, str) else None
        if not match:
            raise ValueError(f'{head!r} is no argument: "name[?][*|+] type[#key] [TOKEN] [@since]"')
        self.name, self.type, self.token, self.since = match.group('name', 'type', 'token', 'since')
        self.optional, self.multiple = '?' in match['marks'], match['marks'][-1:] in ('*', '+')
        self.multiple_token = match['marks'].endswith('+')
        self.key_spec = int(match['spec']) if match['spec'] else None
        if self.token == '""':
            self.token = ''
        if self.type not in TYPES:
            raise ValueError(f'{head!r}: {self.type!r} is none of {", ".join(TYPES)}')
        if (self.type in ('oneof', 'block')) != bool(children):
            raise ValueError(f'{head!r}: oneof and block have arguments of their own, and nothing else has')
        if self.type == 'token' and self.token is None:
            raise ValueError(f'{head!r}: which token?')
        if self.since and not VERSION.fullmatch(self.since):
            raise ValueError(f'{head!r}: {self.since!r} is no version')
        self.arguments = [Argument(child) for child in children]
        names = [a.name for a in self.arguments]
        if len(names) != len(set(names)):
            raise ValueError(f'{head!r}: two of its arguments have one name')

    def usage(self):
        """As HELP shows it: `[EX <seconds>]`."""
        if self.type == 'oneof':
            inner = '|'.join(a.usage() for a in self.arguments)
            inner = inner if self.optional and not self.multiple and self.token is None else f'({inner})'
        elif self.type == 'block':
            inner = ' '.join(a.usage() for a in self.arguments)
        else:
            inner = '' if self.type == 'token' else f'<{self.name}>'
        once = f'{self.token} {inner}'.rstrip() if self.token is not None else inner
        again = once if self.multiple_token else inner
        if self.multiple and self.optional and again == once:
            return f'[{once} ...]'
        if self.multiple:
            once = f'{once} [{again} ...]'
        return f'[{once}]' if self.optional else once


class KeySpec:
    """Where keys stand among the arguments, and what is done with them."""

    def __init__(self, text):
        match = SPEC.fullmatch(text)
        if not match:
            raise ValueError(f'{text!r} is no key specification')
        self.flags = match['flags'].split()
        for flag in self.flags:
            if flag not in KEY_FLAGS:
                raise ValueError(f'{text!r}: {flag!r} is none of {", ".join(KEY_FLAGS)}')
        self.keyword = match['keyword']
        self.begin = 'index' if match['at'] else 'keyword' if self.keyword else 'unknown'
        self.at = int(match['at'] or match['start'] or 0)
        self.find = 'unknown' if self.begin == 'unknown' else 'counted' if match['counted'] else 'range'
        self.last, self.step, self.limit = (int(match[k] or d) for k, d in (('last', 0), ('step', 1), ('limit', 0)))

    def is_plain(self):
        return self.begin == 'index' and self.find == 'range'


def legacy_keys(specs):
    """(first, last, step) as COMMAND INFO told before there were key specifications."""
    plain = [s for s in specs if s.is_plain()]
    if not plain or not specs[0].is_plain():
        return 0, 0, 0
    first, step = plain[0].at, plain[0].step
    last = plain[0].last if plain[0].last < 0 else first + plain[0].last
    for spec in plain[1:]:
        if last < 0 or spec.at != last + 1 or spec.step != step:
            break
        last = spec.last if spec.last < 0 else spec.at + spec.last
    return first, last, step


def implied_categories(flags, given):
    """Those that follow from the flags. Scripts that only read are not of category read."""
    out = {'fast' if 'fast' in flags else 'slow'}
    out |= {c for c in ('write', 'admin', 'pubsub', 'blocking') if c in flags}
    if 'readonly' in flags and 'scripting' not in given:
        out.add('read')
    if 'admin' in flags:
        out.add('dangerous')
    return out


def chosen(text, allowed, what):
    words = text.split()
    for word in words:
        if word not in allowed:
            raise ValueError(f'{what} {word!r} is unknown')
    if len(words) != len(set(words)):
        raise ValueError(f'{what}s are repeated: {text!r}')
    return words


class Command:
    def __init__(self, name, entry, group, parent=None):
        self.name, self.parent, self.group = name, parent, group
        self.full_name = f'{parent.full_name}|{name}' if parent else name
        check_fields(entry)
        self.summary, self.since, self.arity = entry['summary'], entry['since'], entry['arity']
        self.complexity = entry.get('complexity', '')
        self.flags = chosen(entry.get('flags', ''), FLAGS, 'flag')
        given = chosen(entry.get('acl', ''), CATEGORIES, 'category')
        self.categories = set(given) | implied_categories(self.flags, given)
        self.tips = entry.get('tips', [])
        self.keys = [KeySpec(text) for text in entry.get('keys', [])]
        self.first, self.last, self.step = legacy_keys(self.keys)
        self.movable = not all(spec.is_plain() for spec in self.keys)
        self.deprecated, self.replaced_by = entry.get('deprecated', ''), entry.get('replaced_by', '')
        self.syscmd = entry.get('syscmd', False)
        self.history = entry.get('history', [])
        self.arguments = [Argument(value) for value in entry.get('args', [])]
        self.usage = entry.get('usage') or ' '.join(a.usage() for a in self.arguments)
        self.subcommands = []
        self.check()

    def check(self):
        if not NAME.fullmatch(self.name):
            raise ValueError('a name has lower-case letters, digits, - and _')
        if not VERSION.fullmatch(self.since):
            raise ValueError(f'since {self.since!r} is no version')
        if self.arity == 0 or (self.parent and abs(self.arity) < 2):
            raise ValueError(f'arity {self.arity} cannot be: it counts the name itself, and is negative for a minimum')
        if not self.summary.endswith('.') or len(self.summary) > 120:
            raise ValueError('the summary is one sentence of at most 120 characters, with its full stop')
        if {'write', 'readonly'} <= set(self.flags):
            raise ValueError('writes and is readonly')
        if bool(self.deprecated) != bool(self.replaced_by):
            raise ValueError('deprecated and replaced_by belong together')
        for note in self.history:
            if len(note) != 2 or not VERSION.fullmatch(note[0]):
                raise ValueError(f'history: {note} is not [version, what changed]')
        for argument in self.all_arguments():
            if argument.key_spec is not None and argument.key_spec >= len(self.keys):
                raise ValueError(f'argument {argument.name}: there is no key specification {argument.key_spec}')
            if argument.type == 'key' and argument.key_spec is None:
                raise ValueError(f'argument {argument.name}: a key names its specification: key#0')

    def all_arguments(self):
        todo = list(self.arguments)
        while todo:
            argument = todo.pop()
            yield argument
            todo += argument.arguments


def check_fields(entry):
    if not isinstance(entry, dict):
        raise ValueError('is no object')
    for field in NEEDED:
        if field not in entry:
            raise ValueError(f'has no {field}')
    for field, value in entry.items():
        if field not in FIELDS:
            raise ValueError(f'what is {field!r}?')
        wanted = str if field in WORDS else int if field == 'arity' else bool if field == 'syscmd' else \
            dict if field == 'subcommands' else list
        if not isinstance(value, wanted):
            raise ValueError(f'{field} is no {wanted.__name__}')


def unique(pairs):
    out = {}
    for key, value in pairs:
        if key in out:
            raise ValueError(f'{key!r} is there twice')
        out[key] = value
    return out


def read_file(path, commands, mistakes):
    def take(name, entry, parent, into):
        shown = f'{parent.full_name}|{name}' if parent else name
        try:
            command = Command(name, entry, path.stem.replace('_', '-'), parent)
        except ValueError as e:
            mistakes.append(f'{path.name}: {shown}: {e}')
            return
        if name in into:
            mistakes.append(f'{path.name}: {shown}: is in another file too')
        into[name] = command
        subcommands = {}
        for sub, value in entry.get('subcommands', {}).items():
            take(sub, value, command, subcommands)
        command.subcommands = [subcommands[k] for k in sorted(subcommands)]

    try:
        entries = json.loads(path.read_text(), object_pairs_hook=unique)
    except ValueError as e:
        mistakes.append(f'{path.name}: {e}')
        return
    for name, entry in entries.items():
        take(name, entry, None, commands)


def load(folder):
    """All commands by name, in order. Raises Mistakes."""
    commands, mistakes = {}, []
    files = sorted(pathlib.Path(folder).glob('*.json'))
    if not files:
        mistakes.append(f'{folder}: no files')
    for path in files:
        read_file(path, commands, mistakes)
    if mistakes:
        raise Mistakes('\n'.join(mistakes))
    return [commands[name] for name in sorted(commands)]


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', type=pathlib.Path, default=here / 'data/commands')
    parser.add_argument('--out', type=pathlib.Path)
    options = parser.parse_args()
    try:
        commands = load(options.data)
    except Mistakes as e:
        print(e, file=sys.stderr)
        return 1
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, text in command_table_cpp.tables(commands).items():
            (options.out / name).write_text(text)
    else:
        print(f'{len(commands)} commands, {sum(len(c.subcommands) for c in commands)} subcommands')
    return 0


if __name__ == '__main__':
    sys.exit(main())
