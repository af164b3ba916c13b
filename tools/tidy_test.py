#!/usr/bin/python3
"""Tests of tools/tidy.py: every rule finds what it must, and nothing else."""

import os
import pathlib
import tempfile
import unittest

import tidy

BODY = '  int x;\n' * 69


class Functions(unittest.TestCase):
    def names(self, text):
        return [(name, last - first + 1) for name, first, last in tidy.functions(text)]

    def test_kinds(self):
        self.assertEqual(self.names('namespace a {\nint f(int x = 3) {\n  return x;\n}\n}\n'), [('f', 3)])
        self.assertEqual(self.names('struct S {\n  S() : a_{1}, b_(2) {\n    g();\n  }\n  int a_ = {3};\n};\n'),
                         [('S', 3)])
        self.assertEqual(self.names('constexpr Row kRows[] = {\n  {"a", f(1)},\n};\nvoid h() {\n}\n'), [('h', 2)])
        self.assertEqual(self.names('A& A::operator=(const A& o) {\n  return *this;\n}\n'), [('A::operator=', 3)])
        self.assertEqual(self.names('enum class E { a, b };\ntemplate <int N = 3>\nint g() {\n}\n'), [('g', 3)])

    def test_nested_and_literals(self):
        self.assertEqual(self.names('void f() {\n  auto g = [](int) {\n  };\n  puts("}{");  // {\n}\n'), [('f', 5)])
        self.assertEqual(self.names("int digits = 1'000'000;\nchar c = '{';\nint f() {\n}\n"), [('f', 2)])


class Rules(unittest.TestCase):
    def check(self, files, exceptions=''):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            base = {'src/HOUSE': 'base :\nds : base\n', 'tools/tidy_exceptions.txt': exceptions,
                    'src/base/README.md': 'base\n', 'src/base/a.h': '#pragma once\n'}
            for name, text in {**base, **files}.items():
                os.makedirs((root / name).parent, exist_ok=True)
                (root / name).write_text(text)
            house = tidy.House(root)
            house.check()
            house.apply_exceptions()
            return [(rule, subject) for rule, subject, _ in house.findings]

    def test_clean(self):
        self.assertEqual(self.check({'src/base/a.cc': '#include "base/a.h"\nvoid f() {\n' + BODY[:-9] + '}\n'}), [])

    def test_each_rule(self):
        self.assertEqual(self.check({'src/base/a.cc': '#include "ds/a.h"\n'}), [('include', 'src/base/a.cc')])
        long = 'void f() {\n' + BODY + '}\n'
        self.assertEqual(self.check({'src/base/a.cc': long}), [('function', 'src/base/a.cc:f')])
        self.assertEqual(self.check({'src/base/a.cc': '\n' * 601}), [('file', 'src/base/a.cc')])
        self.assertEqual(self.check({'src/base/a.cc': '/' * 121 + '\n'}), [('width', 'src/base/a.cc')])
        self.assertEqual(self.check({'notes.md': 'see /' + 'work/x\n'}), [('path', 'notes.md')])
        self.assertEqual(self.check({'src/base/a.cc': '// TO' + 'DO\n'}), [('word', 'src/base/a.cc')])
        self.assertEqual(self.check({'src/base/README.md': '\n' * 41}), [('readme', 'src/base/README.md')])
        self.assertEqual(self.check({'src/ds/a.h': ''}), [('readme', 'src/ds/README.md')])
        headers = {f'src/base/h{i}.h': f'#include "base/h{i + 1}.h"\n' for i in range(26)}
        headers['src/base/h26.h'] = ''
        headers['src/base/a.cc'] = '#include "base/h0.h"\n'
        self.assertEqual(self.check(headers), [('reach', 'src/base/a.cc')])

    def test_exceptions_only_shrink(self):
        wide = {'src/base/a.cc': '/' * 121 + '\n'}
        self.assertEqual(self.check(wide, 'width src/base/a.cc\n'), [])
        self.assertEqual(self.check({}, 'width src/base/a.cc\n'), [('exception', 'width src/base/a.cc')])


if __name__ == '__main__':
    result = unittest.main(exit=False, verbosity=0).result
    bad = len(result.failures) + len(result.errors)
    print(f'{result.testsRun - bad} passed, {bad} failed, 0 skipped')
    raise SystemExit(bool(bad))
