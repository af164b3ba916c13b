#!/usr/bin/python3
"""Every test of the house, one part after the other: tools/run_tests.py [--build build/release] [--part NAME]...

  unit       the GoogleTest programs, through ctest
  server     tests/run.sh --quick: transcripts, clients, abuse, the differential test
  packages   examples/packages: Debian's package index loaded and questioned
  tidy       the rules of the house, and the tools that check and generate

A part ends with a line `N passed, N failed, N skipped`; the last line here is their sum. Exit status 0: none failed.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r'^(\d+) passed, (\d+) failed, (\d+) skipped$')


def stream(command, env):
    """Runs it with its output passed on; (exit status, the counts of its last summary line or None)."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors='replace')
    counts = None
    for line in process.stdout:
        found = SUMMARY.match(line.strip())
        if found:
            counts = tuple(int(n) for n in found.groups())
        else:
            print(line, end='', flush=True)
    return process.wait(), counts


def unit(build, env):
    with tempfile.TemporaryDirectory() as results:
        status, _ = stream(['ctest', '--test-dir', str(build), '--output-on-failure', '-j', str(os.cpu_count() or 1),
                            '--no-tests=error', '--timeout', '300'], dict(env, GTEST_OUTPUT=f'json:{results}/'))
        passed = failed = skipped = 0
        for path in pathlib.Path(results).iterdir():
            report = json.loads(path.read_text())
            tests = [t for suite in report['testsuites'] for t in suite['testsuite']]
            bad = sum(1 for t in tests if t.get('failures'))
            skip = sum(1 for t in tests if t.get('result') == 'SKIPPED' or t.get('status') == 'NOTRUN')
            passed, failed, skipped = passed + len(tests) - bad - skip, failed + bad, skipped + skip
        if status and not failed:
            failed = 1          # a program that crashed leaves no report
        return passed, failed, skipped


def program(*command):
    def run(build, env):
        status, counts = stream([str(c) for c in command], env)
        if counts is None:
            print(f'{command[0]} ended with status {status} and without a summary line')
            counts = (0, 1, 0)
        if status and not counts[1]:
            counts = (counts[0], 1, counts[2])
        return counts
    return run


PARTS = {
    'unit': [unit],
    'server': [program('tests/run.sh', '--quick')],
    'packages': [program('examples/packages/test.py')],
    'tidy': [program('tools/tidy_test.py'), program('tools/command_table_test.py'), program('tools/tidy.py')],
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=pathlib.Path, default=pathlib.Path('build/release'))
    parser.add_argument('--part', action='append', choices=PARTS)
    options = parser.parse_args()
    env = dict(os.environ, VITRINE_SERVER=str((ROOT / options.build / 'vitrine-server').resolve()))
    totals, rows = [0, 0, 0], []
    for name in options.part or PARTS:
        print(f'== {name}', flush=True)
        began = time.monotonic()
        counts = [0, 0, 0]
        for part in PARTS[name]:
            try:
                found = part(ROOT / options.build, env)
            except OSError as e:
                print(f'{name}: {e}')
                found = (0, 1, 0)
            counts = [a + b for a, b in zip(counts, found)]
        totals = [a + b for a, b in zip(totals, counts)]
        rows.append(f'{name:10} {counts[0]:6} passed {counts[1]:4} failed {counts[2]:4} skipped '
                    f'{time.monotonic() - began:7.1f} s')
    print('== summary')
    print('\n'.join(rows))
    print(f'{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped')
    return 1 if totals[1] else 0


if __name__ == '__main__':
    sys.exit(main())
