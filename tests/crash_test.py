#!/usr/bin/python3
"""The server is killed at random moments under load, and what it has answered is still there when it comes back.

  tests/crash_test.py [--kills 500] [--seed 1] [--fsync always|everysec|no]    by hand: so many kills
  pytest tests/crash_test.py                                                  VITRINE_KILLS (20) for each policy

Each client has keys of its own and counts what it has sent and what was answered. After each kill:
  - its list holds 1, 2, 3 ... without a gap or a number twice, at least as far as was answered (under `everysec`: as
    far as was answered three seconds before), and no further than was sent;
  - its two counters, which a transaction moves together, are equal, and so is what a script writes;
  - nothing but these keys is there.
Meanwhile snapshots and rewrites come and go, and some starts are killed while the data is loaded.
"""

import argparse
import os
import pathlib
import random
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402

CLIENTS = 4
LATE_S = 3.0        # under everysec: a write waits for a sync at most two seconds, and a sync comes every second


class Writer:
    """One client's account: number n is in the list when command n was executed."""

    def __init__(self, server, name, rng):
        self.server, self.name, self.rng = server, name, rng
        self.sent = 0
        self.answered = []          # (number, moment)

    def commands(self, n):
        """What carries the number n, as a list of commands with one reply each."""
        own = [f'{self.name}:{what}' for what in ('list', 'a', 'b', 'hash')]
        kind = n % 3
        if kind == 0:
            return [('RPUSH', own[0], n)]
        if kind == 1:
            return [('MULTI',), ('RPUSH', own[0], n), ('INCR', own[1]), ('HINCRBY', own[3], 'f', 1), ('INCR', own[2]),
                    ('EXEC',)]
        return [('EVAL', "redis.call('RPUSH', KEYS[1], ARGV[1]) redis.call('INCR', KEYS[2]) redis.call('INCR', KEYS[3])"
                 " redis.call('HINCRBY', KEYS[4], 'f', 1)", 4, own[0], own[1], own[2], own[3], n)]

    def write(self):
        """Until the server is gone."""
        try:
            with self.server.client(timeout=20) as c:
                while True:
                    numbers = range(self.sent + 1, self.sent + 1 + self.rng.choice((1, 1, 5, 40)))
                    batch = [self.commands(n) for n in numbers]
                    self.sent = numbers[-1]
                    c.send_bytes(b''.join(harness.encode([harness.to_bytes(a) for a in command])
                                          for commands in batch for command in commands))
                    for n, commands in zip(numbers, batch):
                        for _ in commands:
                            reply = c.reply()
                            assert not isinstance(reply, harness.Error), reply
                        self.answered.append((n, time.monotonic()))
        except (harness.Closed, OSError):
            pass

    def check(self, c, killed_at, late_s):
        """After a restart; goes on from what is there."""
        found = [int(x) for x in c.ok('LRANGE', f'{self.name}:list', 0, -1)]
        assert found == list(range(1, len(found) + 1)), (self.name, 'a gap, or a number twice')
        needed = max((n for n, at in self.answered if at < killed_at - late_s), default=0)
        assert needed <= len(found) <= self.sent, (self.name, needed, len(found), self.sent)
        together = sum(1 for n in found if n % 3)
        for what in ('a', 'b'):
            assert int(c.ok('GET', f'{self.name}:{what}') or 0) == together, (self.name, what)
        assert int(c.ok('HGET', f'{self.name}:hash', 'f') or 0) == together, self.name
        lost = sum(1 for n, _ in self.answered if n > len(found))
        self.sent = len(found)
        self.answered = [(len(found), 0)]
        return lost


class Harness:
    def __init__(self, fsync, seed):
        self.rng = random.Random(f'{seed} {fsync}')
        self.fsync, self.late_s = fsync, 0 if fsync == 'always' else LATE_S
        self.server = harness.peer('vitrine', ('appendonly', 'yes'), ('appendfsync', fsync), ('loglevel', 'warning'),
                                   ('auto-aof-rewrite-percentage', '50'), ('auto-aof-rewrite-min-size', '20kb'),
                                   ('aof-use-rdb-preamble', self.rng.choice(('yes', 'no'))))
        self.writers = [Writer(self.server, f'client{i}', self.rng) for i in range(CLIENTS)]
        self.lost = self.kills = 0

    def run(self, kills):
        while self.kills < kills:
            self.round()

    def disturb(self):
        """What may be under way when it is killed."""
        try:
            with self.server.client(timeout=20) as c:
                for _ in range(self.rng.randrange(3)):
                    time.sleep(self.rng.random() * 0.05)
                    c.call(self.rng.choice(('BGSAVE', 'BGREWRITEAOF', 'BGREWRITEAOF')))
        except (harness.Closed, OSError):
            pass

    def round(self):
        threads = [threading.Thread(target=w.write) for w in self.writers] + [threading.Thread(target=self.disturb)]
        for thread in threads:
            thread.start()
        time.sleep(self.rng.choice((0.02, 0.1, 0.3)) * self.rng.random())
        killed_at = self.kill()
        for thread in threads:
            thread.join()
        while self.rng.randrange(4) == 0:
            self.kill_while_it_starts()
        self.server.start()
        self.check(killed_at)

    def kill(self):
        killed_at = time.monotonic()
        self.server.process.kill()
        self.server.process.wait()
        self.kills += 1
        return killed_at

    def kill_while_it_starts(self):
        self.slow_down(self.rng.choice((0, 20, 500)))
        self.server.port = harness.free_port()
        self.server._spawn()
        time.sleep(self.rng.random() * 0.06)
        assert self.server.alive(), self.server.log()
        self.kill()
        self.slow_down(0)

    def slow_down(self, delay_us):
        others = [setting for setting in self.server.settings if setting[0] != 'key-load-delay']
        self.server.settings = others + [('key-load-delay', str(delay_us))]

    def check(self, killed_at):
        with self.server.client(timeout=60) as c:
            harness.eventually(lambda: harness.info(c, 'loading', 'persistence') == '0', 60)
            for writer in self.writers:
                self.lost += writer.check(c, killed_at, self.late_s)
            assert c.ok('DBSIZE') <= 4 * CLIENTS
            assert len(self.untold()) <= 2, self.untold()
            leftovers = [n for n in os.listdir(self.server.dir) if n.startswith('temp-rewriteaof')]
            assert len(leftovers) <= 1, leftovers
        assert 'CRITICAL' not in self.server.log(1 << 20)
        if sum(w.sent for w in self.writers) > 50_000:
            self.begin_anew()

    def untold(self):
        """Files of the log that its manifest does not name: one in the making, and the temporary manifest."""
        folder = pathlib.Path(self.server.dir, 'appendonlydir')
        manifest = folder / 'appendonly.aof.manifest'
        told = {line.split()[1] for line in manifest.read_text().splitlines()} | {manifest.name}
        return sorted(set(os.listdir(folder)) - told)

    def begin_anew(self):
        with self.server.client(timeout=60) as c:
            c.ok('FLUSHALL')
            c.ok('DEBUG', 'LOADAOF')      # which syncs what there is first
        for writer in self.writers:
            writer.sent, writer.answered = 0, []

    def close(self):
        self.server.stop()


@pytest.mark.parametrize('fsync', ['always', 'everysec'])
def test_what_was_answered_survives_kills(fsync):
    run = Harness(fsync, int(os.environ.get('VITRINE_SEED', 1)))
    try:
        run.run(int(os.environ.get('VITRINE_KILLS', 20)))
    finally:
        run.close()


class Numbers:
    """One client that pushes 1, 2, 3 ... onto a list until the server is gone, and knows what was promised to stay."""

    def __init__(self, server):
        self.server = server
        self.sent = self.answered = self.promised = 0

    def push(self, c):
        self.sent += 1
        c.ok('RPUSH', 'list', self.sent)
        self.answered = self.sent

    def push_until_killed(self):
        """What was answered counts when the log holds the data."""
        try:
            with self.server.client(timeout=20) as c:
                while True:
                    on = log_counts(c)
                    for _ in range(5):
                        self.push(c)
                    if on:
                        self.promised = self.answered
        except (harness.Closed, OSError):
            pass

    def check(self):
        with self.server.client(timeout=60) as c:
            found = [int(x) for x in c.ok('LRANGE', 'list', 0, -1)]
        assert found == list(range(1, len(found) + 1))
        assert self.promised <= len(found) <= self.sent, (self.promised, len(found), self.sent)
        self.sent = self.answered = self.promised = len(found)


def log_counts(c):
    """It is on, and its first rewrite is done."""
    return [harness.info(c, f'aof_{name}', 'persistence') for name in
            ('enabled', 'rewrite_in_progress', 'rewrite_scheduled', 'last_bgrewrite_status')] == ['1', '0', '0', 'ok']


def kills():
    return max(4, int(os.environ.get('VITRINE_KILLS', 20)) // 2)


@pytest.mark.parametrize('before', ['a snapshot', 'a log'])
def test_kills_while_the_log_is_turned_on(before):
    rng = random.Random(before)
    with harness.peer('vitrine', ('appendonly', 'no'), ('appendfsync', 'always')) as server:
        for _ in range(kills()):
            numbers = Numbers(server)
            with server.client() as c:
                c.ok('DEBUG', 'POPULATE', 400)
                for _ in range(20):
                    numbers.push(c)
                c.ok('SAVE')
                if before == 'a log':
                    c.ok('CONFIG', 'SET', 'appendonly', 'yes')
                    harness.eventually(lambda: log_counts(c), 20)
                    numbers.push(c)
                    c.ok('CONFIG', 'SET', 'appendonly', 'no')
                numbers.promised = numbers.answered
                numbers.push(c)
                c.ok('CONFIG', 'SET', 'rdb-key-save-delay', rng.choice((0, 50, 200)))
                c.ok('CONFIG', 'SET', 'appendonly', 'yes')
            thread = threading.Thread(target=numbers.push_until_killed)
            thread.start()
            time.sleep(rng.random() * 0.12)
            server.process.kill()
            server.process.wait()
            thread.join()
            server.settings.append(('appendonly', 'yes'))
            server.start()
            numbers.check()
            server.stop()
            server.settings.pop()
            server.restart()


def test_kills_while_a_log_of_one_file_is_taken_over():
    rng = random.Random(1)
    with harness.peer('vitrine', ('appendonly', 'yes'), ('appendfsync', 'always'), wait=False) as server:
        for _ in range(kills()):
            content = b''.join(harness.encode([b'RPUSH', b'list', str(n).encode()]) for n in range(1, 301))
            pathlib.Path(server.dir, 'appendonly.aof').write_bytes(content)
            for _ in range(rng.randrange(1, 3)):
                server.settings.append(('key-load-delay', rng.choice((0, 20, 100))))
                server.port = harness.free_port()
                server._spawn()
                time.sleep(rng.random() * 0.06)
                assert server.alive(), server.log()
                server.process.kill()
                server.process.wait()
                server.settings.pop()
            server.start()
            with server.client(timeout=60) as c:
                harness.eventually(lambda: harness.info(c, 'loading', 'persistence') == '0', 60)
                assert [int(x) for x in c.ok('LRANGE', 'list', 0, -1)] == list(range(1, 301))
            server.stop()
            os.makedirs(server.dir)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--kills', type=int, default=500)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--fsync', default='always', choices=('always', 'everysec', 'no'))
    options = parser.parse_args()
    run = Harness(options.fsync, options.seed)
    began = time.monotonic()
    try:
        run.run(options.kills)
    except AssertionError:
        print(run.server.log(20000))
        print(f'kept: {run.server.dir}')
        run.server.process.kill()
        raise
    run.close()
    print(f'{run.kills} kills under {options.fsync} in {time.monotonic() - began:.0f} s: what was answered was there'
          f'{f", but for {run.lost} commands of the last seconds" if run.lost else ""}')


if __name__ == '__main__':
    main()
