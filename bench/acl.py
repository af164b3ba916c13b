#!/usr/bin/python3
"""What access control costs: instructions in user mode per GET, pipeline 16, of users with different rules. They are
counted by valgrind, so that it does not matter what else the machine does.

  bench/acl.py [--server PATH …]

Several servers stand side by side, for a comparison with a build without the check. The default is VITRINE_SERVER or
build/release/vitrine-server.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from peers import encode, harness

USERS = {
    'default': (),
    'one category, all keys': ('+@read', '~*'),
    'one category, one prefix': ('+@read', '~key:*'),
    'ten prefixes, a selector': ('+set', *(f'~p{i}:*' for i in range(10)), '(+@read ~key:*)'),
}
PIPELINE = 16
FEW, MANY = 500, 2500      # batches: what differs is theirs


def instructions(binary, rules, batches):
    """Those of a whole run of the server."""
    port = harness.free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / 'log'
        process = subprocess.Popen(
            ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', f'--log-file={log}', binary,
             '--port', str(port), '--save', '', '--dir', folder, '--hz', '1'], stdout=subprocess.DEVNULL)
        harness.eventually(lambda: harness.reachable(port), 60)
        with harness.Client(port, timeout=60) as c, harness.Client(port, timeout=60) as admin:
            for i in range(PIPELINE):
                c.ok('SET', f'key:{i}', 'x' * 8)
            if rules:
                c.ok('ACL', 'SETUSER', 'u', 'reset', 'on', 'nopass', *rules)
                c.ok('AUTH', 'u', 'x')
            batch = b''.join(encode('GET', f'key:{i}') for i in range(PIPELINE))
            for _ in range(batches):
                c.send_bytes(batch)
                for _ in range(PIPELINE):
                    c.reply()
            admin.send('SHUTDOWN', 'NOSAVE')
            process.wait(60)
        return int(re.search(r'Collected : (\d+)', log.read_text())[1])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--server', action='append')
    o = p.parse_args()
    servers = o.server or [harness.vitrine_path()]
    print('| user |' + ''.join(f' {pathlib.Path(s).name} |' for s in servers))
    print('|---' * (len(servers) + 1) + '|')
    for name, rules in USERS.items():
        gets = (MANY - FEW) * PIPELINE
        costs = [(instructions(s, rules, MANY) - instructions(s, rules, FEW)) / gets for s in servers]
        print(f'| {name} |' + ''.join(f' {cost:.1f} |' for cost in costs), flush=True)


if __name__ == '__main__':
    sys.exit(main())
