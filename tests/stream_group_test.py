"""A consumer group never loses an entry, and never gives one to two consumers: fifty producers and fifty consumers that
crash and come back, each entry accounted for. A million entries with --slow.

Producers number their entries and add them with IDMP; after a crash (half a request sent, replies never read) they send
again what they have no reply for. Consumers read, claim what others left idle, give entries back, and acknowledge;
after a crash they read their own history, or come back under another name and leave it to the others. Meanwhile
connections are killed, the data is saved and loaded, and what all have acknowledged is trimmed.

What must hold in the end:

  every entry was added once, although it may have been sent several times
  new entries (">") were delivered once each, to one consumer
  every entry was processed; none was delivered any more once its acknowledgement was confirmed, none confirmed twice
  nothing is pending, the lag is 0, and the group has read exactly as many entries as were added
"""

import array
import multiprocessing
import random
import socket
import time

import harness
import hiredis

PRODUCERS, CONSUMERS, WORKERS = 50, 50, 4
BATCH = 100
IDLE_MS = 60                # for so long an entry is left to its consumer
CRASH = 0.02                # of each step of each producer and consumer


def command(*args):
    return harness.encode([a if isinstance(a, bytes) else str(a).encode() for a in args])


def key_of(entry_id):
    """An id as one number; the server never adds a million entries in one millisecond."""
    ms, _, seq = entry_id.partition(b'-')
    return int(ms) << 20 | int(seq)


class Crash(Exception):
    """This connection is gone, by our own hand or by another's."""


class Connection:
    def __init__(self, port, rng):
        self.rng = rng
        try:
            self.sock = socket.create_connection(('127.0.0.1', port), timeout=60)
        except OSError:
            raise Crash from None
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = hiredis.Reader()

    def send(self, data):
        """Sometimes only a part of it, and that was it."""
        cut = self.rng.random() < CRASH
        try:
            self.sock.sendall(data[:self.rng.randrange(len(data) + 1)] if cut else data)
        except OSError:
            raise Crash from None
        if cut:
            self.crash()

    def reply(self):
        while (value := self.reader.gets()) is False:
            try:
                data = self.sock.recv(1 << 16)
            except socket.timeout:
                raise AssertionError('no reply within a minute') from None
            except OSError:
                raise Crash from None
            if not data:
                raise Crash
            self.reader.feed(data)
        if isinstance(value, hiredis.ReplyError):
            raise AssertionError(f'an error reply: {value}')
        return value

    def may_crash(self):
        if self.rng.random() < CRASH:
            self.crash()

    def crash(self):
        self.sock.close()
        raise Crash

    def close(self):
        self.sock.close()


class Account:
    """What one worker saw: columns of numbers, which travel well between processes."""

    def __init__(self):
        self.fresh = array.array('Q')          # ids delivered as new
        self.delivered = array.array('Q')      # ids delivered, in whatever way,
        self.asked_at = array.array('d')       # and when the request for it was sent
        self.processed = array.array('Q')      # ids,
        self.content = array.array('Q')        # and what they hold: producer and number
        self.acknowledged = array.array('Q')   # ids whose acknowledgement was confirmed,
        self.confirmed_at = array.array('d')
        self.crashes = self.claims = self.sent = 0

    def deliver(self, entries, asked_at, fresh):
        for entry in entries:
            assert entry[1] is not None, f'{entry[0]} is pending but gone'
            key = key_of(entry[0])
            self.delivered.append(key)
            self.asked_at.append(asked_at)
            if fresh and len(entry) == 2:
                self.fresh.append(key)

    def process(self, entries):
        for entry in entries:
            fields = entry[1]
            self.processed.append(key_of(entry[0]))
            self.content.append(int(fields[1]) << 32 | int(fields[3]))

    def acknowledge(self, ids, n):
        assert n <= len(ids)
        if n < len(ids):
            return                             # somebody else was faster with some of them
        now = time.monotonic()
        self.acknowledged.extend(key_of(i) for i in ids)
        self.confirmed_at.extend([now] * len(ids))


# ---- producers --------------------------------------------------------------------------------------------------

def producer(port, rng, account, number, total):
    """Yields between its steps."""
    confirmed = 0
    while confirmed < total:
        try:
            connection = Connection(port, rng)
            while confirmed < total:
                last = min(total, confirmed + rng.randint(1, BATCH))
                account.sent += last - confirmed
                connection.send(b''.join(command('XADD', 's', 'IDMP', f'producer-{number}', n, '*', 'producer', number,
                                                 'number', n) for n in range(confirmed, last)))
                yield
                connection.may_crash()
                for _ in range(confirmed, last):
                    connection.reply()
                    confirmed += 1
                yield
            connection.close()
        except Crash:
            account.crashes += 1
            yield


# ---- consumers --------------------------------------------------------------------------------------------------

class Consumer:
    def __init__(self, port, rng, account, number):
        self.port, self.rng, self.account, self.number = port, rng, account, number
        self.life = 0

    def run(self):
        """Yields between its steps, for ever."""
        while True:
            try:
                yield from self.live()
            except Crash:
                self.account.crashes += 1
                # Under the same name, to take up where it was, or under another.
                self.life += self.rng.random() < 0.3
                yield

    def live(self):
        self.name = f'consumer-{self.number}-{self.life}'
        self.connection = Connection(self.port, self.rng)
        last = b'0'
        while entries := (yield from self.read(last, 'COUNT', BATCH)):
            last = entries[-1][0]
            yield from self.finish(entries)
        while True:
            x = self.rng.random()
            if x < 0.1:
                entries = yield from self.auto_claim()
            elif x < 0.2:
                entries = yield from self.read(b'>', 'COUNT', self.rng.randint(1, BATCH), 'CLAIM', IDLE_MS)
            elif x < 0.3:
                entries = yield from self.read(b'>', 'COUNT', self.rng.randint(1, BATCH), 'BLOCK', 3)
            else:
                entries = yield from self.read(b'>', 'COUNT', self.rng.randint(1, 2 * BATCH))
            yield from self.finish(entries)

    def ask(self, *args):
        self.asked_at = time.monotonic()
        self.connection.send(command(*args))
        yield
        self.connection.may_crash()
        return self.connection.reply()

    def read(self, last, *options):
        reply = yield from self.ask('XREADGROUP', 'GROUP', 'g', self.name, *options, 'STREAMS', 's', last)
        entries = reply[0][1] if reply else []
        self.account.deliver(entries, self.asked_at, last == b'>')
        self.account.claims += sum(len(e) == 4 for e in entries)
        return entries

    def auto_claim(self):
        _, entries, gone = yield from self.ask('XAUTOCLAIM', 's', 'g', self.name, IDLE_MS, '0', 'COUNT', BATCH)
        assert gone == [], f'{gone} were pending but gone'
        self.account.deliver(entries, self.asked_at, False)
        self.account.claims += len(entries)
        return entries

    def finish(self, entries):
        """Works on the entries and acknowledges them, not always to the end."""
        if not entries:
            return
        self.connection.may_crash()
        if self.rng.random() < 0.05:
            back = [e[0] for e in entries[len(entries) // 2:]]
            entries = entries[:len(entries) // 2]
            yield from self.ask('XNACK', 's', 'g', 'SILENT', 'IDS', len(back), *back)
        self.account.process(entries)
        self.connection.may_crash()
        if ids := [e[0] for e in entries]:
            self.account.acknowledge(ids, (yield from self.ask('XACK', 's', 'g', *ids)))


# ---- workers ----------------------------------------------------------------------------------------------------

def work(port, seed, producers, consumers, each, still_adding, done, results):
    rng = random.Random(seed)
    account = Account()
    try:
        adding = [producer(port, rng, account, i, each) for i in producers]
        reading = [Consumer(port, rng, account, i).run() for i in consumers]
        while not done.is_set():
            for steps in rng.sample(adding, len(adding)):
                if next(steps, 'ended') == 'ended':
                    adding.remove(steps)
                    with still_adding.get_lock():
                        still_adding.value -= 1
            for steps in rng.sample(reading, len(reading)):
                next(steps)
        results.put(account)
    except BaseException as e:
        results.put(f'{type(e).__name__}: {e}')
        raise


def run_workers(port, seed, each, meddle):
    """Accounts of all workers, when nothing is left to do. `meddle()` is called now and then."""
    spawn = multiprocessing.get_context('fork')
    still_adding, done, results = spawn.Value('i', PRODUCERS), spawn.Event(), spawn.Queue()
    workers = [spawn.Process(target=work, args=(port, seed + w, range(w, PRODUCERS, WORKERS),
                                                range(w, CONSUMERS, WORKERS), each, still_adding, done, results))
               for w in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        while (still_adding.value > 0 or not meddle()) and all(w.is_alive() for w in workers):
            time.sleep(0.02)
            if still_adding.value > 0:
                meddle()
        done.set()
        accounts = [results.get(timeout=120) for _ in workers]
    finally:
        for worker in workers:
            worker.kill() if worker.exitcode is None and not done.is_set() else worker.join(30)
    return accounts


class Meddler:
    """Kills connections, saves and loads the data, trims; says whether all is read and acknowledged."""

    def __init__(self, server, rng):
        self.client, self.rng = server.client(timeout=60), rng
        self.reloads = self.trimmed = self.killed = 0

    def __call__(self):
        c, x = self.client, self.rng.random()
        if x < 0.1:
            self.killed += c.ok('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        elif x < 0.15:
            c.ok('DEBUG', 'RELOAD')
            self.reloads += 1
        self.trimmed += c.ok('XTRIM', 's', 'MAXLEN', '~', 1000, 'LIMIT', 0, 'ACKED')
        facts = self.facts()
        return facts['pending'] == 0 and facts['lag'] == 0

    def facts(self):
        group = self.client.ok('XINFO', 'GROUPS', 's')[0]
        return {group[i].decode(): group[i + 1] for i in range(0, len(group), 2)}


def test_each_entry_of_a_group_is_accounted_for(request):
    total = 1_000_000 if request.config.getoption('--slow') else 200_000
    seed = random.randrange(1 << 30)
    print(f'seed {seed}')
    with harness.peer('vitrine') as server:
        meddle = Meddler(server, random.Random(seed))
        meddle.client.ok('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
        meddle.client.ok('XCFGSET', 's', 'IDMP-DURATION', 3600, 'IDMP-MAXSIZE', 2 * BATCH)
        accounts = run_workers(server.port, seed, total // PRODUCERS, meddle)
        errors = [a for a in accounts if isinstance(a, str)]
        assert not errors, errors
        facts = meddle.facts()
        added = meddle.client.ok('XINFO', 'STREAM', 's')
    assert facts['pending'] == 0 and facts['lag'] == 0 and facts['entries-read'] == total
    assert added[added.index(b'entries-added') + 1] == total
    print(f'{total} entries, {sum(a.sent for a in accounts) - total} sent again, {sum(a.crashes for a in accounts)} '
          f'crashes, {meddle.killed} connections killed, {sum(a.claims for a in accounts)} claims, {meddle.reloads} '
          f'reloads, {meddle.trimmed} trimmed, {facts["consumers"]} names')
    check_accounts(accounts, total)


def check_accounts(accounts, total):
    fresh = [key for a in accounts for key in a.fresh]
    assert len(fresh) == len(set(fresh)), 'an entry was new twice'
    content = {}
    for a in accounts:
        for key, what in zip(a.processed, a.content):
            assert content.setdefault(key, what) == what, 'an entry has changed'
    assert len(content) == total, f'{total - len(content)} entries were lost'
    assert set(content.values()) == {p << 32 | n for p in range(PRODUCERS) for n in range(total // PRODUCERS)}, \
        'an entry was added twice'
    confirmed = {}
    for a in accounts:
        for key, at in zip(a.acknowledged, a.confirmed_at):
            assert key not in confirmed, 'an entry was acknowledged twice'
            confirmed[key] = at
    for a in accounts:
        for key, at in zip(a.delivered, a.asked_at):
            assert at <= confirmed.get(key, at), 'an entry came again after it was acknowledged'
