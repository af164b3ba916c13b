#!/usr/bin/python3
"""Tests of tools/command_table.py: it reads what data/commands/README.md describes and names every mistake."""

import json
import pathlib
import tempfile
import unittest

import command_table
import command_table_cpp

GOOD = {'summary': 'Does it.', 'since': '1.0.0', 'arity': 2}


class Reading(unittest.TestCase):
    def load(self, *files):
        with tempfile.TemporaryDirectory() as folder:
            for name, entries in files:
                text = entries if isinstance(entries, str) else json.dumps(entries)
                (pathlib.Path(folder) / name).write_text(text)
            return command_table.load(folder)

    def one(self, **fields):
        return self.load(('string.json', {'x': {**GOOD, **fields}}))[0]

    def mistake(self, *files):
        with self.assertRaises(command_table.Mistakes) as caught:
            self.load(*files)
        return str(caught.exception)

    def wrong(self, **fields):
        text = self.mistake(('string.json', {'x': {**GOOD, **fields}}))
        self.assertTrue(text.startswith('string.json: x: '), text)
        return text

    def test_groups_names_and_order(self):
        commands = self.load(('sorted_set.json', {'b': GOOD}),
                             ('string.json', {'a': {**GOOD, 'subcommands': {'z': GOOD, 'y': GOOD}}}))
        self.assertEqual([(c.name, c.group) for c in commands], [('a', 'string'), ('b', 'sorted-set')])
        self.assertEqual([c.full_name for c in commands[0].subcommands], ['a|y', 'a|z'])

    def test_categories_follow_from_flags(self):
        self.assertEqual(self.one(flags='write fast', acl='string').categories, {'write', 'fast', 'string'})
        self.assertEqual(self.one(flags='admin blocking').categories, {'admin', 'dangerous', 'blocking', 'slow'})
        self.assertEqual(self.one(flags='readonly').categories, {'read', 'slow'})
        self.assertEqual(self.one(flags='readonly', acl='scripting').categories, {'scripting', 'slow'})

    def test_keys(self):
        cases = [(['RO access at 1'], (1, 1, 1), False), (['OW at 1 through -1 step 2'], (1, -1, 2), False),
                 (['OW at 1', 'RO at 2'], (1, 2, 1), False), (['OW at 1', 'RO at 2 through -1'], (1, -1, 1), False),
                 (['OW at 1', 'RO at 3'], (1, 1, 1), False), (['RO at 1 counted'], (0, 0, 0), True),
                 (['RO at 1', 'OW unknown'], (1, 1, 1), True), (['OW at 1', 'RO at 2 counted'], (1, 1, 1), True),
                 (['RO after STREAMS from 1 through -1 limit 2'], (0, 0, 0), True), ([], (0, 0, 0), False)]
        for keys, legacy, movable in cases:
            command = self.one(keys=keys)
            self.assertEqual((command.first, command.last, command.step), legacy, keys)
            self.assertEqual(command.movable, movable, keys)
        spec = self.one(keys=['RW incomplete after KEYS from -2 through -1']).keys[0]
        self.assertEqual((spec.begin, spec.keyword, spec.at, spec.find, spec.last),
                         ('keyword', 'KEYS', -2, 'range', -1))

    def test_usage(self):
        cases = [('key key#0', '<key>'), ('field* string', '<field> [<field> ...]'), ('n?* string', '[<n> ...]'),
                 ('get? token GET', '[GET]'), ('count? integer COUNT', '[COUNT <count>]'),
                 ('get?+ pattern GET', '[GET <get> ...]'), ('id?* integer ID', '[ID <id> [<id> ...]]'),
                 (['c? oneof', 'a token A', 'b token B'], '[A|B]'), (['c oneof', 'a token A', 'b token B'], '(A|B)'),
                 (['c? oneof TYPE', 'a token A', 'b token B'], '[TYPE (A|B)]'),
                 (['d* block', 'f string', 'v string'], '<f> <v> [<f> <v> ...]')]
        for argument, usage in cases:
            self.assertEqual(self.one(args=[argument], keys=['RO at 1']).usage, usage)
        self.assertEqual(self.one(args=['a string'], usage='[it]').usage, '[it]')

    def test_argument_heads(self):
        a = self.one(args=['limit?+ integer LIMIT @6.2.0', 'none token ""']).arguments
        self.assertEqual((a[0].name, a[0].token, a[0].since), ('limit', 'LIMIT', '6.2.0'))
        self.assertEqual((a[0].optional, a[0].multiple, a[0].multiple_token), (True, True, True))
        self.assertEqual(a[1].token, '')

    def test_mistakes_are_named(self):
        for fields, said in [({'arity': 0}, 'arity 0'), ({'arity': '2'}, 'arity is no int'),
                             ({'flags': 'wrte'}, "'wrte'"),
                             ({'flags': 'write write'}, 'repeated'), ({'flags': 'write readonly'}, 'readonly'),
                             ({'acl': 'strings'}, "category 'strings'"), ({'keys': ['RO somewhere']}, 'RO somewhere'),
                             ({'keys': ['RX at 1']}, "'RX'"), ({'args': ['key key#0']}, 'no key specification 0'),
                             ({'args': ['key key']}, 'names its specification'), ({'args': ['a strin']}, "'strin'"),
                             ({'args': ['a token']}, 'which token'), ({'args': [['a block']]}, 'of their own'),
                             ({'args': [['a string', 'b string']]}, 'of their own'), ({'args': [7]}, '7'),
                             ({'args': [['a block', 'b string', 'b integer']]}, 'one name'),
                             ({'args': ['a string @6']}, 'no version'), ({'since': '7'}, "'7'"),
                             ({'summary': 'No stop'}, 'summary'), ({'summary': 'x' * 130 + '.'}, 'summary'),
                             ({'history': [['x', 'y']]}, 'history'), ({'deprecated': '6.0.0'}, 'belong together'),
                             ({'sumary': 'x'}, "'sumary'"), ({'subcommands': {'y': {**GOOD, 'arity': -1}}}, 'x|y')]:
            if 'subcommands' in fields:
                self.assertIn(said, self.mistake(('string.json', {'x': {**GOOD, **fields}})))
            else:
                self.assertIn(said, self.wrong(**fields))
        self.assertIn('has no since', self.mistake(('string.json', {'x': {'summary': 'A.', 'arity': 1}})))
        self.assertIn('in another file', self.mistake(('a.json', {'x': GOOD}), ('b.json', {'x': GOOD})))
        self.assertIn('twice', self.mistake(('a.json', '{"x": {}, "x": {}}')))
        self.assertIn('a.json', self.mistake(('a.json', '{"x": ')))
        self.assertIn('no files', self.mistake())


class Writing(unittest.TestCase):
    def test_equal_arrays_are_one(self):
        arrays = command_table_cpp.Arrays('A')
        self.assertEqual(arrays.add('Bytes', ['"a"']), arrays.add('Bytes', ['"a"']))
        self.assertNotEqual(arrays.add('Bytes', ['"a"']), arrays.add('Bytes', ['"b"']))
        self.assertEqual((arrays.add('Bytes', []), len(arrays.lines)), ('{}', 2))

    def test_literals(self):
        self.assertEqual(command_table_cpp.literal('a "b" \\'), '"a \\"b\\" \\\\"')
        self.assertEqual(command_table_cpp.mask('key_flag', ['RW', 'not_key']), 'key_flag::kRW | key_flag::kNotKey')

    def test_the_data_of_the_house_is_right(self):
        folder = pathlib.Path(__file__).resolve().parent.parent / 'data/commands'
        commands = command_table.load(folder)
        files = command_table_cpp.tables(commands)
        for command in commands:
            for text in files.values():
                self.assertTrue(command_table_cpp.literal(command.name) in text or command.summary in text)


if __name__ == '__main__':
    result = unittest.main(exit=False, verbosity=0).result
    bad = len(result.failures) + len(result.errors)
    print(f'{result.testsRun - bad} passed, {bad} failed, 0 skipped')
    raise SystemExit(bool(bad))
