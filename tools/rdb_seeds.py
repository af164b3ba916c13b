#!/usr/bin/env -S /usr/bin/python3
"""Makes the seeds of the snapshot fuzzer in fuzz/corpus/rdb: each small value of the fixtures under each form that the
server writes, the old encodings by hand, and small files; and those of the stream fuzzer in fuzz/corpus/stream.
usage: rdb_seeds.py SERVER FIXTURES_FOLDER"""

import hashlib
import os
import pathlib
import shutil
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tests'))

import harness                                                    # noqa: E402

LONGEST = 400


def ziplist(*entries):
    body, before, last = b'', 0, 10
    for entry in entries:
        last = 10 + len(body)
        body += bytes([before]) + entry
        before = len(entry) + 1
    return struct.pack('<IIH', 10 + len(body) + 1, last, len(entries)) + body + b'\xff'


def string(data):
    assert len(data) < 64
    return bytes([len(data)]) + data


def old_forms():
    text = b'\x03abc'
    numbers = [b'\xf1', b'\xfd', b'\xfe\x80', b'\xc0\x00\x80', b'\xf0\x00\x00\x80', b'\xd0\x00\x00\x00\x80',
               b'\xe0' + b'\x00' * 7 + b'\x80']
    yield b'\x01' + b'\x02' + string(b'a') + b'\xc0\x05'
    yield b'\x03' + b'\x03' + string(b'a') + b'\x031.5' + string(b'b') + b'\xff' + string(b'c') + b'\xfe'
    yield b'\x09' + string(b'\x02\x01a\x01\x00b\x01c\x01\x02dxx\xff')
    yield b'\x0a' + string(ziplist(text, *numbers[:4]))
    yield b'\x0a' + string(ziplist(*numbers[4:]))
    yield b'\x0c' + string(ziplist(text, b'\xf3', b'\x01x', b'\x031.5'))
    yield b'\x0d' + string(ziplist(text, b'\xf3', b'\x01x', b'\x031.5'))
    yield b'\x0e' + b'\x02' + string(ziplist(text)) + string(ziplist(b'\xf3', text))
    yield b'\x0f' + b'\x00' + b'\x00\x05\x06' + b'\x01' + string(b'g') + b'\x05\x06\x00\x00'


def write_seeds(name, seeds):
    folder = ROOT / 'fuzz/corpus' / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('seed-*'):
        old.unlink()
    for seed in seeds:
        (folder / f'seed-{hashlib.sha1(seed).hexdigest()[:12]}').write_bytes(seed)
    print(name, len(seeds), 'seeds', sum(map(len, seeds)), 'bytes')


STREAM_TYPES = [15, 19, 21, 200]          # as fuzz/stream_fuzz.cc counts them


def stream_seeds():
    """A stream of every kind in every form, with some changes behind it."""
    yield b'\x00\x00' + b'\x00' + b'\x00\x05\x06' + b'\x01' + string(b'g') + b'\x05\x06\x00\x00'
    yield b'\xff\x04' + bytes(range(1, 250)) * 2
    with harness.peer('vitrine', ('stream-node-max-entries', 4)) as server, server.client() as c:
        for i in range(1, 10):
            c.ok('XADD', 's', f'{i * 300}-{i % 3}', 'name', i * 1000, *(['other', 'x' * i] if i % 4 == 0 else []))
        c.ok('XDEL', 's', '600-2')
        c.ok('XGROUP', 'CREATE', 's', 'g', '0')
        c.ok('XREADGROUP', 'GROUP', 'g', 'alice', 'COUNT', 5, 'STREAMS', 's', '>')
        c.ok('XNACK', 's', 'g', 'FAIL', 'IDS', 1, '300-1')
        for producers in (False, True):
            if producers:
                c.ok('XADD', 's', 'IDMP', 'p', 'one', '*', 'f', 'v')
            for version in (10, 11, 12)[2 * producers:]:
                c.ok('CONFIG', 'SET', 'rdb-version', version)
                payload = c.ok('DUMP', 's')[:-10]
                yield bytes([STREAM_TYPES.index(payload[0]), 8]) + payload[1:] + bytes(range(8))


def main():
    binary, fixtures = sys.argv[1], pathlib.Path(sys.argv[2])
    os.environ['VITRINE_SERVER'] = binary
    write_seeds('stream', set(stream_seeds()))
    seeds = set(old_forms())
    kinds = {}
    with harness.peer('vitrine') as server:
        for name in ('redis-7.0.15', 'redis-8.0.6', 'valkey-9.1.2'):
            server.process.kill()
            server.process.wait()
            shutil.copyfile(fixtures / f'{name}.rdb', f'{server.dir}/dump.rdb')
            server.start()
            with server.client() as c:
                for version in (0, 12, 80):
                    c.ok('CONFIG', 'SET', 'rdb-version', version)
                    for key in sorted(c.ok('KEYS', 'd0:*')):
                        payload = c.ok('DUMP', key)[:-10]
                        if len(payload) > LONGEST:
                            continue
                        shift = 0x20 if version == 80 else 0
                        seed = bytes([payload[0] + shift]) + payload[1:]
                        if kinds.setdefault(seed[0], 0) < 6:
                            kinds[seed[0]] += 1
                            seeds.add(seed)
                c.ok('CONFIG', 'SET', 'rdb-version', 0)
                for key in c.ok('KEYS', '*'):
                    if c.ok('MEMORY', 'USAGE', key) > 300 or key.startswith(b'd0:many'):
                        c.ok('DEL', key)
                c.ok('SELECT', 3)
                c.ok('FLUSHDB')
                c.ok('SAVE')
                seeds.add(open(f'{server.dir}/dump.rdb', 'rb').read())
    write_seeds('rdb', seeds)


main()
