"""The two servers of a comparison: started alike, pinned to one core, their CPU time read from the kernel.

The server's CPU time is its process clock (nanoseconds, all threads, also those that ended). The kernel tells user from
system by sampling at its clock tick (4 ms); so the split is only as good as a run is long, while the sum is exact.
/proc/PID/stat shows the same samples stretched to the sum of the whole life, which spoils differences: not used.
"""

import contextlib
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'tests'))
import harness  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
CHUNK = 64 << 10


class Refused(Exception):
    """A server that does not do what a row asks."""


class Cpu:
    """Seconds of CPU time: all, and what user mode had of it."""

    def __init__(self, total, user_ticks, ticks):
        self.total, self.user_ticks, self.ticks = total, user_ticks, ticks

    @property
    def user(self):
        return self.total * self.user_ticks / self.ticks if self.ticks else self.total

    @property
    def system(self):
        return self.total - self.user

    def __sub__(self, other):
        return Cpu(self.total - other.total, self.user_ticks - other.user_ticks, self.ticks - other.ticks)


def cpu_of(pid):
    # The process's clocks as clock_getcpuclockid(3) makes them: 0 user + system ticks, 1 user ticks, 2 scheduler.
    both, user, exact = (time.clock_gettime((~pid << 3) | which) for which in (0, 1, 2))
    return Cpu(exact, user, both)


class Peer:
    """One running server. `name` says which: 'vitrine' or 'redis'. `files`: a folder whose content it finds in its own;
    then load_s and load_cpu_s are what it took from the start of the process to its first ordinary answer."""

    def __init__(self, name, *settings, files=None):
        self.name = name
        kind = 'oracle' if name.startswith('redis') else 'vitrine'
        self.server = harness.peer(kind, *settings, wait=False)
        if files:
            shutil.copytree(files, self.server.dir, dirs_exist_ok=True)
        began = time.monotonic()
        # Threads inherit the core of the thread that starts them, so the pin stands before there is any.
        os.sched_setaffinity(0, {SERVER_CORE})
        try:
            self.server.start()
        finally:
            os.sched_setaffinity(0, {LOAD_CORE})
        self.port, self.pid = self.server.port, self.server.pid
        self.client = self.server.client(timeout=600)
        while isinstance(self.client.call('DBSIZE'), harness.Error):
            time.sleep(0.005)
        self.load_s, self.load_cpu_s = time.monotonic() - began, self.cpu().total

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def call(self, *args):
        return self.client.ok(*args)

    def info(self):
        lines = self.call('INFO', 'all').decode().splitlines()
        return dict(line.split(':', 1) for line in lines if ':' in line)

    def cpu(self):
        return cpu_of(self.pid)

    def rss(self):
        return int(pathlib.Path(f'/proc/{self.pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    def settle(self, seconds=20.0):
        """Waits until the server does next to nothing: freeing in the background, growth, expiry are over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = self.cpu().total
            time.sleep(0.1)
            if self.cpu().total - before < 0.003:
                return

    def load(self, commands, lines=1):
        """Sends commands (already encoded, see `encode`), each answered with so many lines, as fast as the server takes
        them; any error ends it."""
        with self.server.client(timeout=300) as c:
            batch, size = [], 0
            for command in commands:
                batch.append(command)
                size += len(command)
                if size >= CHUNK:
                    drain(c, batch, lines)
                    batch, size = [], 0
            drain(c, batch, lines)

    def stop(self):
        self.client.close()
        self.server.stop()


def in_turns(rounds, measure):
    """The medians of what measure(name) gives, column by column: for Redis, for Vitrine, who take turns."""
    rows = {name: [] for name in ('redis', 'vitrine')}
    for _ in range(rounds):
        for name, of in rows.items():
            of.append(measure(name))
    return [[statistics.median(column) for column in zip(*of)] for of in rows.values()]


@contextlib.contextmanager
def temporary_folder(what):
    folder = tempfile.mkdtemp(prefix=f'vitrine-bench-{what}-')
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def drain(client, batch, lines=1):
    """Every command of the batch answers with so many lines."""
    client.send_bytes(b''.join(batch))
    missing, last = len(batch) * lines, b'\n'
    while missing:
        data = client.sock.recv(1 << 20)
        if not data:
            raise Refused('the connection was closed while loading')
        if b'\n-' in last + data:
            raise Refused('while loading: ' + data[:100].decode(errors='replace').strip())
        missing -= data.count(b'\n')
        last = data[-1:]


def encode(*args):
    return harness.encode([harness.to_bytes(a) for a in args])


def grouped(command, key, items, per_command=100):
    """`command key item...` with so many items at a time; an item is a tuple of arguments."""
    args = []
    count = 0
    for item in items:
        args += item
        count += 1
        if count == per_command:
            yield encode(command, key, *args)
            args, count = [], 0
    if args:
        yield encode(command, key, *args)
