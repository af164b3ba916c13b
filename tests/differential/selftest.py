#!/usr/bin/python3
"""Does the differential test see what it should? Falsified commands must be found and shrunk; the table of known
differences and docs/differences.md must say the same."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import compare                                                                      # noqa: E402
import harness                                                                      # noqa: E402
import known                                                                        # noqa: E402
import run                                                                          # noqa: E402

needs_oracle = pytest.mark.skipif(not harness.Oracle.present(), reason='redis-tools is not installed')


@needs_oracle
@pytest.mark.parametrize('plant', sorted(run.PLANTS))
def test_planted_differences_are_found(plant, capsys):
    options = run.options_from(['--peer', 'oracle', '--commands', '200000', '--plant', plant, '--max-differences', '1'])
    outcome = run.run(options)[0]
    assert outcome.differences, f'{plant}: not found in {outcome.commands} commands'
    text = outcome.differences[0][1]
    steps = int(text.split('reproduction (')[1].split()[0])
    assert steps <= 8, text
    capsys.readouterr()


@needs_oracle
def test_two_oracles_agree():
    options = run.options_from(['--peer', 'oracle', '--commands', '60000', '--seed', '77'])
    assert not run.run(options)[0].differences


@pytest.mark.parametrize('theirs, ours, same', [
    (b'0.10000000000000001', b'0.1', True), (b'1.4411518807585587e+17', b'144115188075855870', True),
    (b'10000000000000000', b'1e+16', False), (b'81067744968633648', b'81067744968633650', False)])
def test_whole_scores_are_written_exactly(theirs, ours, same):
    found = compare.difference([b'ZSCORE', b'z', b'm'], ('$', theirs), ('$', ours))
    assert (found is None) == same


def test_known_differences_are_documented():
    text = (HERE.parent.parent / 'docs/differences.md').read_text()
    for row in known.KNOWN:
        assert f'`{row.name}`' in text, f'docs/differences.md lacks {row.name}'
        assert row.reason in text, f'docs/differences.md gives another reason for {row.name}'
    section = text.split('## Replies that the differential test accepts')[1].split('\n## ')[0]
    listed = [line.split('`')[1] for line in section.splitlines() if line.startswith('| `')]
    assert set(listed) == {row.name for row in known.KNOWN}, 'docs/differences.md lists rows that the table lacks'


if __name__ == '__main__':
    sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', __file__]))
