"""Shrinking a failing episode to a short reproduction (delta debugging)."""

import time

from gen import Special


def step_args(step):
    return step.args if isinstance(step, Special) else step


def shrink(play, steps, difference, seconds=20.0):
    """(steps, difference) of the shortest sequence found whose difference has the same signature.
    `play(steps)` returns a Difference or None."""
    deadline = time.monotonic() + seconds
    signature = difference.signature()
    best = difference

    def fails(candidate):
        nonlocal best
        d = play(candidate)
        if d is not None and d.signature() == signature:
            best = d
            return True
        return False

    if difference.kind == 'reply':
        cut = steps[:difference.index + 1]
        if fails(cut):
            steps = cut
    if not fails(steps):
        return None, difference               # did not happen again: a matter of time or of chance
    for last in (1, 2, 8, 64, 512):
        if last < len(steps) and time.monotonic() < deadline and fails(steps[-last:]):
            steps = steps[-last:]
            break
    for wanted in related(steps, difference):
        if len(wanted) < len(steps) and time.monotonic() < deadline and fails(wanted):
            steps = wanted
            break
    chunk = max(1, len(steps) // 2)
    while time.monotonic() < deadline:
        i, removed = 0, False
        while i < len(steps) and time.monotonic() < deadline:
            candidate = steps[:i] + steps[i + chunk:]
            if candidate and fails(candidate):
                steps, removed = candidate, True
            else:
                i += chunk
        if chunk == 1 and not removed:
            break
        chunk = max(1, chunk // 2) if chunk > 1 or not removed else 1
    return shorten(fails, steps, deadline), best


def related(steps, difference):
    """Smaller candidates: the steps that mention the failing command's arguments, directly or at one remove."""
    def mentions(names):
        return [s for s in steps if names & set(step_args(s)[1:4]) or step_args(s)[0].upper() in
                (b'SELECT', b'MULTI', b'EXEC', b'SWAPDB', b'FLUSHDB', b'FLUSHALL', b'DISCARD', b'WATCH')]
    args = difference.args_
    keyish = {a for a in args[1:] if 0 < len(a) <= 3}
    direct = mentions(keyish)
    yield direct
    wider = set(keyish)
    for s in direct:
        wider |= {a for a in step_args(s)[1:3] if 0 < len(a) <= 3 and not a.isdigit()}
    yield mentions(wider)


def shorten(fails, steps, deadline):
    """Drop single arguments of the commands that remain."""
    steps = list(steps)
    for i in range(len(steps)):
        if isinstance(steps[i], Special):
            continue
        j = len(steps[i]) - 1
        while j >= 2 and time.monotonic() < deadline and len(steps) * len(steps[i]) < 400:
            shorter = steps[i][:j] + steps[i][j + 1:]
            if fails(steps[:i] + [shorter] + steps[i + 1:]):
                steps[i] = shorter
            j -= 1
    return steps
