"""Running steps on two servers and comparing.

A Pair holds two servers, A (the oracle) and B (the peer). `play` sends steps to both in batches and returns the
first Difference, or None."""

import socket
import time

import compare
import known
from gen import Special
from harness import Closed, Short, encode, frame, parse, python_value, show

BATCH = 400
BATCH_BYTES = 1 << 19
TRACKED = {b'MULTI', b'multi', b'EXEC', b'exec', b'DISCARD', b'discard', b'RESET', b'reset', b'mULTI', b'eXEC'}


# Redis 7.0.15 refuses the texts that SORT takes as numbers once any earlier number was out of range: it looks at an errno
# that it never clears. A system call that fails clears it.
CLEAR_ERRNO = encode([b'CONFIG', b'SET', b'dir', b'/nonexistent'])
SORTS = {b'SORT', b'SORT_RO'}


class Difference(Exception):
    def __init__(self, index, args, reason, oracle=None, peer=None, kind='reply'):
        super().__init__(reason)
        self.index, self.args_, self.reason, self.oracle, self.peer, self.kind = index, args, reason, oracle, peer, kind

    def signature(self):
        """What makes two differences the same finding: the command, the kinds of both replies, the errors' first words."""
        def brief(raw):
            if raw is None:
                return ''
            return raw[0] + (b' '.join(raw[1].split()[:6]).decode(errors='replace') if raw[0] == '-' else '')
        name = self.args_[0].upper().decode(errors='replace') if self.args_ else ''
        return f'{self.kind.split(",")[0]}:{name}:{brief(self.oracle)}:{brief(self.peer)}'

    def text(self):
        shown = ' '.join(repr(a)[1:] if a else "''" for a in self.args_)
        lines = [f'  {self.reason}', f'  command: {shown[:1500]}']
        if self.oracle is not None:
            lines.append(f'  oracle:  {show(self.oracle)}')
        if self.peer is not None:
            lines.append(f'  peer:    {show(self.peer)}')
        return '\n'.join(lines)


class Line:
    """One connection to one server."""

    def __init__(self, server, timeout=20):
        self.sock = socket.create_connection(('127.0.0.1', server.port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf, self.pos = b'', 0

    def more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise Closed('end of stream')
        self.buf = self.buf[self.pos:] + data
        self.pos = 0

    def raw(self, args):
        self.sock.sendall(encode(args))
        return self.reply()

    def reply(self):
        while True:
            try:
                if self.pos < len(self.buf):
                    raw, self.pos = parse(self.buf, self.pos)
                    return raw
            except Short:
                pass
            self.more()

    def span(self):
        """The bytes of the next reply."""
        while True:
            try:
                if self.pos < len(self.buf):
                    end = frame(self.buf, self.pos)
                    span = self.buf[self.pos:end]
                    self.pos = end
                    return span
            except Short:
                pass
            self.more()

    def close(self):
        self.sock.close()


class Dead(Exception):
    """A server did not answer; `side` is its index."""

    def __init__(self, side, what):
        super().__init__(what)
        self.side = side


class Pair:
    def __init__(self, oracle, peer, plant=None):
        self.servers = [oracle, peer]
        self.plant = plant                 # a function that falsifies commands to the peer, to test the tester
        self.lines = []
        self.explained = {}
        self.commands = 0
        self.soft = None                   # a list: differences between two errors go here, and the episode goes on

    # -- an episode's connections
    def reset(self, setup):
        for line in self.lines:
            line.close()
        for server in self.servers:
            if not server.alive():
                server.restart()
        self.lines = [Line(s) for s in self.servers]
        self.others = [Line(s) for s in self.servers]
        self.in_multi, self.queue, self.resp3 = False, [], False
        for side, line in enumerate(self.lines):
            self.guard(side, line.raw, [b'FLUSHALL'])
        for args in setup:
            for side, line in enumerate(self.lines):
                reply = self.guard(side, line.raw, args)
                if reply[0] == '-' and side == 0:
                    raise RuntimeError(f'{args}: {reply}')
                if reply[0] == '-' and args[0] == b'HELLO':
                    self.guard(0, self.lines[0].raw, [b'HELLO', b'2'])

    def guard(self, side, function, *args):
        try:
            return function(*args)
        except socket.timeout:
            raise Dead(side, 'no reply within the time limit') from None
        except (Closed, ConnectionError) as e:
            raise Dead(side, f'connection closed ({e})') from None

    # -- playing
    def play(self, steps, setup):
        """The first unexplained Difference, or None. The servers start empty."""
        batch, size, index = [], 0, 0
        try:
            self.reset(setup)
            for index, step in enumerate(steps):
                if isinstance(step, Special):
                    self.flush(batch, index)
                    batch, size = [], 0
                    self.special(step, index)
                    continue
                batch.append(step)
                size += 30
                for arg in step:
                    size += len(arg)
                if len(batch) >= BATCH or size > BATCH_BYTES:
                    self.flush(batch, index + 1)
                    batch, size = [], 0
            self.flush(batch, index + 1)
            batch = []
            self.check_data(index)
        except Difference as d:
            return d
        except Dead as d:
            server = self.servers[d.side]
            time.sleep(0.05)
            state = 'still running' if server.alive() else f'ended with {server.process.poll()}'
            diff = Difference(index, batch[-1] if batch else [], f'{server.name}: {d}; process {state}\n{server.log(3000)}',
                              kind='dead')
            server.restart()
            return diff
        return None

    def flush(self, batch, end_index):
        if not batch:
            return
        self.commands += len(batch)
        a, b = self.lines
        cleared = self.places_to_clear_errno(batch)
        for side, line in enumerate(self.lines):
            encoded = [encode(self.plant(args) if self.plant and side else args) for args in batch]
            if self.is_oracle(side):
                for i in cleared:
                    encoded[i] = CLEAR_ERRNO + encoded[i]
            self.guard(side, line.sock.sendall, b''.join(encoded))
        first = end_index - len(batch)
        for i, args in enumerate(batch):
            if i in cleared:
                for side, line in enumerate(self.lines):
                    if self.is_oracle(side):
                        self.guard(side, line.span)
            span_a = self.guard(0, a.span)
            n = len(span_a)
            if b.buf.startswith(span_a, b.pos):
                b.pos += n
                if args and args[0] in TRACKED or self.in_multi:
                    self.track(args, span_a)
                continue
            span_b = self.guard(1, b.span)
            if span_a != span_b:
                self.judge(first + i, args, parse(span_a)[0], parse(span_b)[0])
            self.track(args, span_a)

    def is_oracle(self, side):
        return isinstance(self.servers[side], type(self.servers[0]))

    def places_to_clear_errno(self, batch):
        """Before which commands the oracle gets one more: SORT outside MULTI, and MULTI itself."""
        places, open_ = set(), self.in_multi
        for i, args in enumerate(batch):
            name = args[0].upper() if args else b''
            if not open_ and (name == b'MULTI' or name in SORTS):
                places.add(i)
            if name in (b'MULTI', b'EXEC', b'DISCARD', b'RESET'):
                open_ = name == b'MULTI'
        return places

    def track(self, args, span):
        """Follow MULTI so that EXEC's replies can be told apart."""
        name = args[0].upper() if args else b''
        if self.in_multi:
            if name in (b'EXEC', b'DISCARD', b'RESET'):
                if not span.startswith(b'-') or b'EXECABORT' in span:
                    self.in_multi, self.queue = False, []
            elif span == b'+QUEUED\r\n':
                self.queue.append(args)
        elif name == b'MULTI' and span == b'+OK\r\n':
            self.in_multi, self.queue = True, []

    def judge(self, index, args, ra, rb, kind='reply'):
        try:
            self.judge_strictly(index, args, ra, rb, kind)
        except Difference as d:
            both_errors = d.oracle is not None and d.peer is not None and d.oracle[0] == d.peer[0] == '-'
            if self.soft is None or not both_errors:
                raise
            self.soft.append(d)

    def judge_strictly(self, index, args, ra, rb, kind):
        name = args[0].upper() if args else b''
        if name == b'EXEC' and self.in_multi:
            found = compare.exec_difference(self.queue, ra, rb)
            if not found:
                return
            i, reason = found
            if i >= 0:
                row = known.explain(self.queue[i], ra[1][i], rb[1][i])
                if row:
                    self.explained[row.name] = self.explained.get(row.name, 0) + 1
                    return
                raise Difference(index, self.queue[i], f'in EXEC: {reason}', ra[1][i], rb[1][i], kind)
            raise Difference(index, args, reason, ra, rb, kind)
        reason = compare.difference(args, ra, rb)
        if reason is None:
            return
        row = known.explain(args, ra, rb)
        if row:
            self.explained[row.name] = self.explained.get(row.name, 0) + 1
            return
        raise Difference(index, args, reason, ra, rb, kind)

    # -- special steps
    def both(self, args, lines=None):
        lines = lines or self.lines
        self.commands += 1
        sent = [args, self.plant(args) if self.plant else args]
        for side, line in enumerate(lines):
            self.guard(side, line.sock.sendall, encode(sent[side]))
        return [self.guard(side, line.reply) for side, line in enumerate(lines)]

    def special(self, step, index):
        if self.in_multi and step.kind not in ('other', 'check'):
            return                         # only a shrunk stream comes here: its EXEC is gone
        getattr(self, 'do_' + step.kind)(step, index)

    def do_other(self, step, index):
        ra, rb = self.both(step.args, self.others)
        self.judge(index, step.args, ra, rb)

    def do_sleep(self, step, index):
        ra, rb = self.both(step.args)
        time.sleep(0.11)  # by then both servers have reclaimed it, the oracle ten times a second
        self.judge(index, step.args, ra, rb)

    def do_spop(self, step, index):
        args = step.args
        ra, rb = self.both(args)
        if ra == rb:
            return
        if ra[0] != rb[0] or ra[0] == '-' or ra[1] is None or rb[1] is None:
            self.judge(index, args, ra, rb)
            return
        popped = [set(python_value(r)) if isinstance(r[1], list) else {r[1]} for r in (ra, rb)]
        if len(popped[0]) != len(popped[1]):
            raise Difference(index, args, 'numbers of members differ', ra, rb)
        # Each member must have been in the set: the other server still has it, and loses it now.
        for side, line in enumerate(self.lines):
            lost = sorted(popped[1 - side] - popped[side])
            if lost:
                reply = self.guard(side, line.raw, [b'SREM', args[1]] + lost)
                if reply != (':', len(lost)):
                    raise Difference(index, args, 'a popped member was not in the set', ra, rb)

    def scan_all(self, side, args):
        """All elements of a whole scan loop: ('error', reply) or (type, set of elements)."""
        line = self.lines[side]
        at = 1 if args[0] == b'SCAN' else 2
        cursor, found, rounds = b'0', [], 0
        while True:
            reply = self.guard(side, line.raw, args[:at] + [cursor] + args[at:])
            if reply[0] == '-':
                return 'error', reply
            if reply[0] != '*' or len(reply[1]) != 2:
                return 'error', ('-', b'not the shape of a scan: ' + repr(reply).encode())
            cursor = reply[1][0][1]
            found += reply[1][1][1]
            rounds += 1
            if cursor == b'0':
                break
            if rounds > 100000:
                return 'error', ('-', b'the scan does not end')
        if args[0] in (b'HSCAN', b'ZSCAN') and b'NOVALUES' not in args:
            pairs = dict(zip((k[1] for k in found[::2]), (v[1] for v in found[1::2])))
            if args[0] == b'ZSCAN':
                pairs = {k: float(v) for k, v in pairs.items()}
            return 'pairs', pairs
        return 'names', {k[1] for k in found}

    def do_scan(self, step, index):
        self.commands += 1
        a, b = (self.scan_all(side, step.args) for side in (0, 1))
        if a != b:
            to_raw = [('$', repr(x[1]).encode()) if x[0] != 'error' else x[1] for x in (a, b)]
            row = known.explain(step.args, *to_raw)
            if row:
                self.explained[row.name] = self.explained.get(row.name, 0) + 1
                return
            raise Difference(index, step.args, 'complete scans differ', *to_raw)

    def do_check(self, step, index):
        self.check_data(index)

    # -- the whole data
    def check_data(self, index):
        in_multi, self.in_multi = self.in_multi, False
        others = self.others
        for db in range(16):
            if self.both([b'SELECT', b'%d' % db], others)[1][0] == '-':
                break                      # a peer without SELECT
            ra, rb = self.both([b'KEYS', b'*'], others)
            self.judge(index, [b'KEYS', b'*'], ra, rb, f'data, db {db}')
            if not ra[1]:
                continue
            keys = sorted(k[1] for k in ra[1])
            queries = [q for k in keys for q in ([b'TYPE', k], [b'PEXPIRETIME', k], [b'OBJECT', b'ENCODING', k])]
            types = self.ask(queries, index, db)[::3]
            read = {b'string': lambda k: [b'GET', k], b'list': lambda k: [b'LRANGE', k, b'0', b'-1'],
                    b'hash': lambda k: [b'HGETALL', k], b'set': lambda k: [b'SMEMBERS', k],
                    b'zset': lambda k: [b'ZRANGE', k, b'0', b'-1', b'WITHSCORES'],
                    b'stream': lambda k: [b'XINFO', b'STREAM', k, b'FULL', b'COUNT', b'0']}
            self.ask([read[t[1]](k) for t, k in zip(types, keys) if t[1] in read], index, db)
            self.check_sizes([(t[1], k) for t, k in zip(types, keys)], index, db)
        self.both([b'SELECT', b'0'], others)
        self.in_multi = in_multi

    def check_sizes(self, keys, index, db):
        """The peer's own count of sizes (INFO keysizes, which Redis 7.0 has not) against the sizes."""
        rows = {b'string': (b'STRLEN', b'strings_sizes'), b'list': (b'LLEN', b'lists_items'),
                b'set': (b'SCARD', b'sets_items'), b'zset': (b'ZCARD', b'zsets_items'),
                b'hash': (b'HLEN', b'hashes_items')}
        keys = [(kind, k) for kind, k in keys if kind in rows]
        counted = {}
        for (kind, _), size in zip(keys, self.ask([[rows[kind][0], k] for kind, k in keys], index, db)):
            least = 1 << size[1].bit_length() - 1 if size[1] else 0
            label = b'%dM' % (least >> 20) if least >> 20 else b'%dK' % (least >> 10) if least >> 10 else b'%d' % least
            bins = counted.setdefault(rows[kind][1], {})
            bins[label] = bins.get(label, 0) + 1
        held = self.guard(1, self.others[1].raw, [b'DBSIZE'])
        told = self.guard(1, self.others[1].raw, [b'INFO', b'keysizes'])[1]
        if held != self.guard(0, self.others[0].raw, [b'DBSIZE']) or b'# Keysizes' not in told:
            return                         # what has expired, but is still held, counts
        start = b'db%d_distrib_' % db
        found = {}
        for line in told.split():
            if line.startswith(start):
                name, bins = line[len(start):].split(b':')
                found[name] = {label: int(n) for label, n in (part.split(b'=') for part in bins.split(b','))}
        if found != counted:
            raise Difference(index, [b'INFO', b'keysizes'], f'sizes, db {db}', ('$', repr(counted).encode()),
                             ('$', repr(found).encode()))

    def ask(self, queries, index, db):
        """The same queries on both second connections, compared; the oracle's replies."""
        data = b''.join(encode(q) for q in queries)
        for side, line in enumerate(self.others):
            self.guard(side, line.sock.sendall, data)
        replies = []
        for q in queries:
            ra, rb = (self.guard(side, line.reply) for side, line in enumerate(self.others))
            if ra != rb:
                self.judge(index, q, ra, rb, f'data, db {db}')
            replies.append(ra)
        return replies
