"""Debian's package index as records: what `apt-cache dumpavail` prints, or, where there are no package lists, what dpkg
knows of the installed packages (the same form, far fewer)."""

import pathlib
import re
import subprocess

WANTED = {'Package', 'Version', 'Section', 'Priority', 'Installed-Size', 'Size', 'Maintainer', 'Architecture', 'Source',
          'Homepage', 'Description', 'Depends', 'Pre-Depends', 'Tag'}
NO_LISTS = ('This machine has no package lists, so only the installed packages are loaded. '
            'For all of Debian: apt-get update (as root), then again.')
MANY = 10_000


def dump():
    """(text of the index, a note for people or None)"""
    try:
        text = subprocess.run(['apt-cache', 'dumpavail'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True).stdout.decode('utf-8', errors='replace')
    except (OSError, subprocess.CalledProcessError):
        text = ''
    if text.count('\nPackage: ') >= MANY:
        return text, None
    return pathlib.Path('/var/lib/dpkg/status').read_text(errors='replace'), NO_LISTS


def stanzas(text):
    """One dictionary per stanza; continued lines belong to their field."""
    for stanza in text.split('\n\n'):
        fields, name = {}, None
        for line in stanza.split('\n'):
            if line[:1] in (' ', '\t'):
                if name in WANTED and name != 'Description':
                    fields[name] += line
            else:
                name, _, value = line.partition(':')
                if name in WANTED:
                    fields[name] = value.strip()
        if 'Package' in fields and 'Version' in fields:
            yield fields


def relations(field):
    """The names in `a (>= 1), b | c:any`: every alternative counts."""
    return {re.split(r'[\s(:\[<]', one.strip(), maxsplit=1)[0] for one in re.split(r'[,|]', field) if one.strip()}


def tags(field):
    """The names in `a::b, c::{d, e}`, written out."""
    found = set()
    for facet, several, one in re.findall(r'([\w+-]+)::(?:\{([^}]*)\}|([^,{\s]+))', field):
        found |= {f'{facet}::{tag.strip()}' for tag in (several.split(',') if several else [one]) if tag.strip()}
    return found


def records(text):
    """One record per package name, the first that is listed."""
    seen = {}
    for fields in stanzas(text):
        seen.setdefault(fields['Package'], {
            'name': fields['Package'],
            'version': fields['Version'],
            'section': fields.get('Section', 'unknown'),
            'priority': fields.get('Priority', 'unknown'),
            'installed_kb': int(fields.get('Installed-Size') or 0),
            'download_bytes': int(fields.get('Size') or 0),
            'maintainer': fields.get('Maintainer', 'unknown'),
            'architecture': fields.get('Architecture', ''),
            'source': fields.get('Source', fields['Package']).split()[0],
            'homepage': fields.get('Homepage', ''),
            'description': fields.get('Description', ''),
            'depends': fields.get('Depends', ''),
            'needs': relations(fields.get('Depends', '')) | relations(fields.get('Pre-Depends', '')),
            'tags': tags(fields.get('Tag', '')),
        })
    return list(seen.values())
