#!/usr/bin/python3
"""Writes the package index as commands for a server: examples/packages/load.py | redis-cli -p 6379 --pipe"""

import sys

from package_index import dump, records

HASH_FIELDS = ('version', 'section', 'priority', 'installed_kb', 'download_bytes', 'maintainer', 'architecture',
               'source', 'homepage', 'description', 'depends')


def encode(*args):
    parts = [b'*%d\r\n' % len(args)]
    for arg in args:
        data = str(arg).encode()
        parts.append(b'$%d\r\n%b\r\n' % (len(data), data))
    return b''.join(parts)


def commands(packages):
    """The data model, one command at a time; README.md tells it in words."""
    for p in packages:
        name = p['name']
        fields = [part for field in HASH_FIELDS if p[field] != '' for part in (field, p[field])]
        yield encode('HSET', 'pkg:' + name, *fields)
        yield encode('RPUSH', 'packages', name)
        yield encode('SADD', 'sections', p['section'])
        yield encode('SADD', 'section:' + p['section'], name)
        yield encode('SADD', 'priority:' + p['priority'], name)
        yield encode('SADD', 'maintainer:' + p['maintainer'], name)
        yield encode('ZADD', 'names', 0, name)
        yield encode('ZADD', 'by:installed', p['installed_kb'], name)
        yield encode('ZADD', 'by:download', p['download_bytes'], name)
        yield encode('ZINCRBY', 'count:section', 1, p['section'])
        yield encode('ZINCRBY', 'count:maintainer', 1, p['maintainer'])
        if p['needs']:
            yield encode('SADD', 'needs:' + name, *sorted(p['needs']))
            yield encode('ZADD', 'count:needs', len(p['needs']), name)
        for other in sorted(p['needs']):
            yield encode('SADD', 'needed-by:' + other, name)
            yield encode('ZINCRBY', 'count:needed-by', 1, other)
        for tag in sorted(p['tags']):
            yield encode('SADD', 'tag:' + tag, name)
    yield encode('SET', 'loaded', len(packages))


def main():
    text, note = dump()
    if note:
        print(note, file=sys.stderr)
    batch = []
    for command in commands(records(text)):
        batch.append(command)
        if len(batch) == 1000:
            sys.stdout.buffer.write(b''.join(batch))
            batch.clear()
    sys.stdout.buffer.write(b''.join(batch))


if __name__ == '__main__':
    main()
