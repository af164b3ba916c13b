#!/usr/bin/python3
"""The rules of the house, checked: tools/tidy.py [--root DIR].

  include    a room includes only itself and the rooms in its row of src/HOUSE
  reach      a source (tests apart) reaches at most 25 of the project's headers
  function   a function has at most 70 lines, its signature included
  file       a C++ or Python file has at most 600 lines
  width      a line of code has at most 120 characters
  path       no absolute path of somebody's machine, in any text file
  word       no note to oneself left behind
  readme     every room has a README.md of at most 40 lines

tools/tidy_exceptions.txt holds today's exceptions, one a line: `rule subject`, the subject as the finding names it.
The list may only shrink: an exception that is no longer needed is a finding itself.
Prints each finding, then `N passed, N failed, 0 skipped`; passed are the files without a finding.
"""

import argparse
import pathlib
import re
import subprocess
import sys

MAX_FUNCTION, MAX_FILE, MAX_REACH, MAX_WIDTH, MAX_README = 70, 600, 25, 120, 40
CODE = {'.cc', '.h', '.py', '.sh', '.cmake', '.mjs', '.js'}
SIZED = {'.cc', '.h', '.py'}
# Written so that this file does not find itself.
MACHINE_PATH = re.compile(r'(?<![\w.~$}-])/(?:wor' r'k|hom' r'e/[a-z]\w*|roo' r't|User' r's)/[\w.-]')
NOTE = re.compile(r'\b(?:TO' r'DO|FIX' r'ME|XX' r'X:|HA' r'CK:)')
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


# ---- C++ without comments and strings ---------------------------------------------------------------------------

TOKENS = re.compile(r'''//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'
                    |^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*''', re.S | re.X | re.M)


def bare(text):
    """The text with comments, literals and preprocessor lines blanked, every line where it was."""
    def blank(match):
        found = match.group(0)
        kept = '""' if found[0] in '"R' else "' '" if found[0] == "'" else ''
        return kept + '\n' * found.count('\n')
    return TOKENS.sub(blank, text)


def strip_parens(head):
    """`f(int a = 3) : b_(1)` as `f() : b_()`."""
    out, depth = [], 0
    for c in head:
        if c == ')':
            depth -= 1
        if depth == 0:
            out.append(c)
        if c == '(':
            depth += 1
    return ''.join(out)


KEYWORD = re.compile(r'^\s*(?:template\s*<[^{]*>\s*)?(?:inline\s+)?'
                     r'(?:namespace|class|struct|union|enum|extern|concept)\b')


def opens(head):
    """What the brace after this head opens at namespace or class level: 'scope', 'function', 'init' or 'other'."""
    if re.search(r'\benum\b', head) and '(' not in head:
        return 'other'
    flat = strip_parens(head)
    if KEYWORD.match(flat) and '()' not in re.sub(r'\b(?:alignas|__attribute__|requires)\s*\(\)', '', flat):
        return 'scope'
    if '()' not in flat:
        return 'other'
    if re.search(r'\)\s*(?:noexcept\s*)?:[^:]', flat) and re.search(r'[\w>]$', head):
        return 'init'
    if '=' in re.sub(r'operator\s*[^\s\w(]+', '', re.sub(r'template\s*<.*?>(?=\s)', '', flat, flags=re.S)):
        return 'other'
    return 'function'


def functions(text):
    """(name, first line, last line) of every function body outside another one."""
    text = bare(text)
    found, stack = [], []
    head_start = 0
    for match in re.finditer(r'[{};]', text):
        i, c = match.start(), match.group()
        kind = stack[-1][0] if stack else 'scope'
        if c == ';':
            if kind == 'scope' and text.count('(', head_start, i) == text.count(')', head_start, i):
                head_start = i + 1
        elif c == '{':
            opened = opens(text[head_start:i]) if kind == 'scope' else 'other'
            stack.append((opened, head_start))
            if opened == 'scope':
                head_start = i + 1
        elif stack:
            opened, start = stack.pop()
            if opened == 'function':
                head = text[start:i]
                lead = len(head) - len(head.lstrip())
                label = re.search(r'\)?\s*>?([~\w:]*operator\s*\S+?|[~\w:]+)\s*\(', head)
                first = text.count('\n', 0, start + lead) + 1
                found.append((label.group(1) if label else '?', first, text.count('\n', 0, i) + 1))
            if opened in ('function', 'scope') or (opened == 'other' and kind_below(stack) == 'scope'
                                                   and not text[i + 1:i + 2].strip(' \n')):
                head_start = i + 1
    return found


def kind_below(stack):
    return stack[-1][0] if stack else 'scope'


# ---- the rules --------------------------------------------------------------------------------------------------

class House:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.findings = []
        self.files = [f for f in self._listed() if (self.root / f).is_file()]
        self.texts = {}
        for f in self.files:
            data = (self.root / f).read_bytes()
            if b'\0' not in data[:8000]:
                self.texts[f] = data.decode('utf-8', errors='replace')
        self.rooms = {}
        for line in (self.root / 'src/HOUSE').read_text().splitlines():
            if line and not line.startswith('#'):
                room, _, below = line.partition(':')
                self.rooms[room.strip()] = set(below.split())

    def _listed(self):
        found = subprocess.run(['git', '-C', self.root, 'ls-files', '-co', '--exclude-standard'],
                               capture_output=True, text=True)
        if found.returncode == 0:
            return sorted(set(found.stdout.splitlines()))
        return sorted(str(f.relative_to(self.root)) for f in self.root.rglob('*')
                      if not {'build', '.git', 'node_modules'} & set(f.relative_to(self.root).parts))

    def find(self, rule, subject, text):
        self.findings.append((rule, subject, text))

    def check(self):
        for f, text in self.texts.items():
            suffix = pathlib.PurePath(f).suffix
            if f.startswith('src/') and suffix in ('.cc', '.h'):
                self.includes(f, text)
            if suffix in ('.cc', '.h'):
                self.lengths(f, text)
            if suffix in SIZED and text.count('\n') > MAX_FILE:
                self.find('file', f, f'{text.count(chr(10))} lines, more than {MAX_FILE}')
            if suffix in CODE or f == 'CMakeLists.txt' or f == 'Makefile':
                self.widths(f, text)
            self.words(f, text)
        self.reaches()
        self.readmes()

    def includes(self, f, text):
        parts = f.split('/')
        room = parts[1] if len(parts) > 2 else None
        for name in INCLUDE.findall(text):
            target = name.split('/')[0]
            if room not in self.rooms:
                self.find('include', f, f'its folder is no room of src/HOUSE')
                return
            if '/' in name and target in self.rooms and target != room and target not in self.rooms[room]:
                self.find('include', f, f'includes "{name}", but {room} may not know {target}')
            elif not (self.root / 'src' / name).exists() and 'generated' not in name:
                self.find('include', f, f'includes "{name}", which is not there (name it from src/)')

    def lengths(self, f, text):
        for name, first, last in functions(text):
            if last - first + 1 > MAX_FUNCTION:
                self.find('function', f'{f}:{name}', f'{last - first + 1} lines from line {first}, '
                          f'more than {MAX_FUNCTION}')

    def widths(self, f, text):
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > MAX_WIDTH:
                self.find('width', f, f'line {number} has {len(line)} characters, more than {MAX_WIDTH}')

    def words(self, f, text):
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line):
                self.find('path', f, f'line {number} names a path of one machine: {line.strip()[:80]}')
            if pathlib.PurePath(f).suffix in CODE and NOTE.search(line):
                self.find('word', f, f'line {number} is a note to oneself: do it, or say it in docs/')

    def reaches(self):
        direct = {f[4:]: [n for n in INCLUDE.findall(t) if 'src/' + n in self.texts]
                  for f, t in self.texts.items() if f.startswith('src/') and f.endswith(('.cc', '.h'))}
        for name in direct:
            if not name.endswith('.cc') or name.endswith(('_test.cc', '_bench.cc')):
                continue
            seen, todo = set(), [name]
            while todo:
                for header in direct.get(todo.pop(), ()):
                    if header not in seen:
                        seen.add(header)
                        todo.append(header)
            if len(seen) > MAX_REACH:
                self.find('reach', 'src/' + name, f'reaches {len(seen)} project headers, more than {MAX_REACH}')

    def readmes(self):
        for room in self.rooms:
            if not any(f.startswith(f'src/{room}/') for f in self.texts):
                continue
            readme = f'src/{room}/README.md'
            if readme not in self.texts:
                self.find('readme', readme, 'is missing')
            elif self.texts[readme].count('\n') > MAX_README:
                self.find('readme', readme, f'{self.texts[readme].count(chr(10))} lines, more than {MAX_README}')

    def apply_exceptions(self):
        path = self.root / 'tools/tidy_exceptions.txt'
        lines = path.read_text().splitlines() if path.exists() else []
        allowed = {tuple(line.split(None, 1)) for line in lines if line.strip() and not line.startswith('#')}
        used = {(rule, subject) for rule, subject, _ in self.findings}
        self.findings = [f for f in self.findings if f[:2] not in allowed]
        for entry in sorted(allowed - used):
            self.find('exception', ' '.join(entry), 'is no longer needed: remove it from tools/tidy_exceptions.txt')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--root', default=pathlib.Path(__file__).resolve().parent.parent)
    house = House(parser.parse_args().root)
    house.check()
    house.apply_exceptions()
    for rule, subject, text in house.findings:
        print(f'{rule}: {subject}: {text}')
    bad = {subject.split(':')[0] for _, subject, _ in house.findings}
    print(f'{len(house.texts) - len(bad & set(house.texts))} passed, {len(house.findings)} failed, 0 skipped')
    return 1 if house.findings else 0


if __name__ == '__main__':
    sys.exit(main())
