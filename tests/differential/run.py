#!/usr/bin/python3
"""Differential test: the same random commands to Redis 7.0.15 and to Vitrine, every reply and the final data compared.

  tests/differential/run.py --seed 1 --commands 2000000 [--family zset] [--jobs 2] [--peer oracle]

A run is a row of episodes; episode E of seed S is `--seed S --only E`. On a difference it prints the episode, the
command, both replies and a short reproduction. Exit status 0: no unexplained difference.
"""

import argparse
import multiprocessing
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness                                                                      # noqa: E402
import shrink                                                                       # noqa: E402
from families import bits, generic, geo, hashes, hll, lists, scripts, server, sets   # noqa: E402
from families import sorting, streams, strings, zsets                               # noqa: E402
from gen import Special, Stream                                                     # noqa: E402
from steps import Pair                                                              # noqa: E402

FAMILIES = {'string': strings, 'bits': bits, 'hll': hll, 'geo': geo, 'list': lists, 'hash': hashes, 'set': sets,
            'zset': zsets, 'generic': generic, 'stream': streams, 'sort': sorting, 'script': scripts,
            'server': server}
WEIGHTS = {'string': 1, 'bits': 0.5, 'hll': 0.3, 'geo': 0.4, 'list': 1, 'hash': 1, 'set': 1, 'zset': 1.2,
           'stream': 1.2, 'generic': 0.8, 'sort': 1.5, 'script': 0.7, 'server': 0.3}
LIMITS = [(b'list-max-listpack-size', [b'-2', b'4', b'1', b'-1', b'128']),
          (b'list-compress-depth', [b'0', b'1']),
          (b'hash-max-listpack-entries', [b'512', b'8', b'0', b'64']),
          (b'hash-max-listpack-value', [b'64', b'8', b'20']),
          (b'set-max-intset-entries', [b'512', b'8', b'0']),
          (b'zset-max-listpack-entries', [b'128', b'8', b'0']),
          (b'zset-max-listpack-value', [b'64', b'8', b'20']),
          (b'stream-node-max-entries', [b'100', b'5', b'1', b'0', b'20']),
          (b'stream-node-max-bytes', [b'4096', b'100', b'0', b'1000']),
          (b'hll-sparse-max-bytes', [b'3000', b'0', b'20', b'60', b'300', b'16000']),
          (b'proto-max-bulk-len', [b'536870912', b'1048576'])]
FAR_NOW = 4102444800     # absolute deadlines start here, in the year 2100, so that a seed means the same every day
EPISODE = 8000


def episode_stream(seed, episode, family):
    if family:
        chosen = [(FAMILIES[f], 1.0 if f in family else 0.15) for f in sorted(set(family) | {'generic'})]
    else:
        chosen = [(module, WEIGHTS[name]) for name, module in FAMILIES.items()]
    return Stream(f'{seed}/{episode}/{family}', FAR_NOW, chosen, LIMITS)


def repr_step(step):
    if isinstance(step, Special):
        return f"[{step.kind}] {' '.join(repr(a)[1:] for a in step.args)}"
    return ' '.join(repr(a)[1:] for a in step)


def report(options, episode, stream, steps, difference):
    lines = [f'DIFFERENCE seed {options.seed} episode {episode} (again: --seed {options.seed} --only {episode}'
             + ''.join(f' --family {f}' for f in options.family or []) + f') [{difference.kind}]', difference.text()]
    if steps is None:
        lines.append('  did not happen again when replayed: timing or chance')
    else:
        setup = [s for s in stream.setup if s[0] == b'HELLO' or s[1:] not in DEFAULT_SETUP]
        lines.append(f'  reproduction ({len(steps)} steps):')
        lines += [f'    {repr_step(s)[:600]}' for s in setup + list(steps)[-60:]]
    return '\n'.join(lines)


DEFAULT_SETUP = [[b'SET', name, values[0]] for name, values in LIMITS]


class Outcome:
    def __init__(self):
        self.commands, self.episodes, self.differences, self.again, self.explained = 0, 0, [], 0, {}
        self.signatures = {}


def run_job(options, job, budget):
    out = Outcome()
    oracle = harness.Oracle()
    try:
        other = harness.peer(options.peer)
        pair = Pair(oracle, other, PLANTS[options.plant] if options.plant else None)
        present = commands_of(other) if options.present else None
        episode = options.only if options.only is not None else job
        began = time.monotonic()
        while True:
            stream = episode_stream(options.seed, episode, options.family)
            size = options.episode if options.only is not None else min(options.episode, budget - out.commands)
            before = pair.commands
            steps = list(stream.steps(size))
            if present is not None:
                steps = [s for s in steps if shrink.step_args(s)[0].upper() in present]
            pair.soft = []
            difference = pair.play(steps, stream.setup)
            soft, pair.soft = pair.soft, None
            out.commands += max(1, pair.commands - before)
            out.episodes += 1
            for found in soft + ([difference] if difference is not None else []):
                handle(options, out, pair, episode, stream, steps, found)
            if options.only is not None or out.commands >= budget or len(out.signatures) >= options.max_differences:
                break
            if options.seconds and time.monotonic() - began > options.seconds:
                break
            episode += options.jobs
        out.explained = pair.explained
        other.stop()
    finally:
        oracle.stop()
    return out


def commands_of(server):
    """The commands of the streams that the server knows, found by asking."""
    names = set()
    for seed in range(20):
        stream = episode_stream(f'names {seed}', 0, None)
        names |= {shrink.step_args(s)[0].upper() for s in stream.steps(2000)}
    known_names = set()
    for name in names:
        with server.client() as c:
            reply = c.call(name)
            if not (isinstance(reply, harness.Error) and b'unknown command' in reply):
                known_names.add(name)
    return known_names


def handle(options, out, pair, episode, stream, steps, difference):
    signature = difference.signature()
    seen = out.signatures.get(signature, 0)
    out.signatures[signature] = seen + 1
    if seen >= options.repeats:
        out.again += 1
        return
    found = None
    if options.shrink:
        def again(candidate):
            pair.soft = []
            first = pair.play(candidate, stream.setup)
            soft, pair.soft = pair.soft, None
            return next((d for d in soft if d.signature() == signature), first)
        found, difference = shrink.shrink(again, steps, difference, options.shrink)
        if found is None and difference.kind != 'dead':
            out.signatures[signature] -= 1
    text = report(options, episode, stream, found, difference)
    out.differences.append((signature, text, found is not None or difference.kind == 'dead'))
    print(text, flush=True)


def plant_gt(args):
    """ZADD … GT reaches the peer as ZADD … LT."""
    if args and args[0].upper() == b'ZADD' and b'GT' in args and b'LT' not in args:
        return [b'LT' if a == b'GT' else a for a in args]
    return args


def plant_lrem(args):
    """LREM with a negative count removes from the wrong end."""
    if len(args) == 4 and args[0].upper() == b'LREM' and args[2].startswith(b'-') and args[2][1:].isdigit():
        return [args[0], args[1], args[2][1:], args[3]]
    return args


def plant_silent(args):
    """SET … KEEPTTL forgets KEEPTTL: no reply shows it, only the data or a later TTL."""
    if args and args[0].upper() == b'SET' and b'KEEPTTL' in args[3:]:
        return [a for i, a in enumerate(args) if i < 3 or a != b'KEEPTTL']
    return args


PLANTS = {'gt': plant_gt, 'lrem': plant_lrem, 'silent': plant_silent}


def options_from(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--commands', type=int, default=2_000_000)
    p.add_argument('--seconds', type=float, default=0, help='stop after so many seconds, whatever is left')
    p.add_argument('--family', action='append', choices=sorted(FAMILIES), help='only this family (may be repeated)')
    p.add_argument('--jobs', type=int, default=1)
    p.add_argument('--peer', default='vitrine', choices=['vitrine', 'oracle'])
    p.add_argument('--only', type=int, help='only this episode')
    p.add_argument('--episode', type=int, default=EPISODE, help='commands in an episode')
    p.add_argument('--shrink', type=float, default=15.0, help='seconds to spend on a reproduction, 0: none')
    p.add_argument('--repeats', type=int, default=1, help='how often one kind of difference is reported')
    p.add_argument('--max-differences', type=int, default=30, help='kinds of difference after which to stop')
    p.add_argument('--present', action='store_true', help='leave out commands that the peer does not have yet')
    p.add_argument('--plant', choices=sorted(PLANTS), help='falsify commands to the peer, to test the tester')
    return p.parse_args(argv)


def run(options):
    """The outcomes of all jobs."""
    share = max(1, options.commands // options.jobs)
    if options.jobs == 1:
        return [run_job(options, 0, share)]
    with multiprocessing.Pool(options.jobs) as pool:
        return pool.starmap(run_job, [(options, job, share) for job in range(options.jobs)])


def main(argv=None):
    options = options_from(argv)
    began = time.monotonic()
    outcomes = run(options)
    seconds = time.monotonic() - began
    commands = sum(o.commands for o in outcomes)
    real = [d for o in outcomes for d in o.differences if d[2]]
    chance = [d for o in outcomes for d in o.differences if not d[2]]
    explained = {}
    for o in outcomes:
        for name, n in o.explained.items():
            explained[name] = explained.get(name, 0) + n
    print(f"differential: {commands} commands, {sum(o.episodes for o in outcomes)} episodes, seed {options.seed}, "
          f"{seconds:.1f} s ({commands / seconds:,.0f}/s): {len(real)} unexplained differences"
          + (f' (and {sum(o.again for o in outcomes)} more of the same kinds)' if any(o.again for o in outcomes) else '')
          + (f', {len(chance)} that did not happen again' if chance else '')
          + (f"; explained: {', '.join(f'{k} {v}' for k, v in sorted(explained.items()))}" if explained else ''))
    return 1 if real else 0


if __name__ == '__main__':
    os.environ.setdefault('PYTHONHASHSEED', '0')
    sys.exit(main())
