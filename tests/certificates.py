"""Certificates for tests, made on the spot by the `openssl` command."""

import pathlib
import subprocess


def openssl(*args):
    subprocess.run(['openssl', *map(str, args)], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name='Test CA'):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.file = self.folder / 'ca.crt'
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-keyout', self.folder / 'ca.key', '-out', self.file, '-days', 30, '-subj', f'/CN={name}')

    def issue(self, name, names='DNS:localhost,IP:127.0.0.1', password=None, kind='ec'):
        """(certificate, key) for a common name; `names` are the alternative ones."""
        base = self.folder / name.replace('/', '_')
        crt, key, csr, ext = (base.with_suffix(s) for s in ('.crt', '.key', '.csr', '.ext'))
        ext.write_text(f'subjectAltName={names}\n')
        make = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] if kind == 'ec' else ['rsa:2048']
        openssl('req', '-newkey', *make, *(['-passout', 'pass:' + password] if password else ['-nodes']),
                '-keyout', key, '-out', csr, '-subj', f'/CN={name}')
        openssl('x509', '-req', '-in', csr, '-CA', self.file, '-CAkey', self.folder / 'ca.key', '-CAcreateserial',
                '-days', 30, '-out', crt, '-extfile', ext)
        return crt, key
