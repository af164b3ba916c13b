#!/usr/bin/python3
"""Asks the loaded package index real questions, through redis-cli.

  examples/packages/questions.py [-p PORT] [NAME...]
"""

import argparse
import subprocess

# name: (the question, the commands; the last one's reply is the answer)
QUESTIONS = {
    'count': ('How many packages are there?', ['GET loaded']),
    'sections': ('Which sections hold the most packages?', ['ZRANGE count:section 0 4 REV WITHSCORES']),
    'largest_games': ('Which ten games take the most disk, in kilobytes?',
                      ['ZINTERSTORE answer:games 2 by:installed section:games WEIGHTS 1 0', 'EXPIRE answer:games 60',
                       'ZRANGE answer:games 0 9 REV WITHSCORES']),
    'largest_database': ('Which five packages of the section database are the largest, by SORT over the hashes?',
                         ['SORT section:database BY pkg:*->installed_kb DESC LIMIT 0 5 '
                          'GET # GET pkg:*->installed_kb']),
    'huge': ('Which packages take more than a gigabyte?', ['ZRANGE by:installed (1048576 +inf BYSCORE']),
    'tiny': ('How many downloads are under 4 kB?', ['ZCOUNT by:download -inf (4096']),
    'smallest': ('Which downloads come right after the first hundred, by size?',
                 ['ZRANGE by:download 0 +inf BYSCORE LIMIT 100 5']),
    'needed': ('What do most packages need?', ['ZREVRANGE count:needed-by 0 4 WITHSCORES']),
    'needs_libc6': ('How many need libc6?', ['SCARD needed-by:libc6']),
    'ssl_and_systemd': ('What needs both libssl3 and libsystemd0?',
                        ['SINTER needed-by:libssl3 needed-by:libsystemd0']),
    'python_databases': ('What of the section database is written against python3?',
                         ['SINTER section:database needed-by:python3']),
    'net_without_libc6': ('How much of the section net does without libc6?',
                          ['SDIFFSTORE answer:net section:net needed-by:libc6', 'EXPIRE answer:net 60',
                           'SCARD answer:net']),
    'required_shells': ('What is required or important, and a shell?',
                        ['SUNIONSTORE answer:base priority:required priority:important', 'EXPIRE answer:base 60',
                         'SINTER answer:base section:shells']),
    'games_with_sdl': ('How many games are tagged both SDL and arcade?',
                       ['SINTERCARD 3 section:games tag:uitoolkit::sdl tag:game::arcade']),
    'maintainers': ('Who looks after the most packages?', ['ZRANGE count:maintainer 0 2 REV WITHSCORES']),
    'begins_with': ('Which names begin with redis?', ['ZRANGE names [redis (redit BYLEX']),
    'redis_tools': ('What is redis-tools?',
                    ['HMGET pkg:redis-tools section priority installed_kb nothing description']),
    'rank_of_bash': ('How many packages are larger than bash?', ['ZREVRANK by:installed bash']),
    'is_needed': ('Do these need zlib1g: git, vim, bash?', ['SMISMEMBER needed-by:zlib1g git vim bash']),
    'position': ('Where in the index is bash?', ['LPOS packages bash']),
}


def ask(port, command):
    """The lines redis-cli prints for one command."""
    done = subprocess.run(['redis-cli', '-p', str(port), *command.split(' ')], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode(errors='replace')[:-1].split('\n')


def answer(port, name):
    lines = []
    for command in QUESTIONS[name][1]:
        lines = ask(port, command)
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-p', '--port', type=int, default=6379)
    parser.add_argument('names', nargs='*', metavar='NAME', help=f'of {", ".join(QUESTIONS)}')
    options = parser.parse_args()
    for name in options.names or QUESTIONS:
        question, commands = QUESTIONS[name]
        print(f'\n{question}')
        for command in commands:
            print(f'  > {command}')
        lines = answer(options.port, name)
        for line in lines[:12]:
            print(f'    {line}')
        if len(lines) > 12:
            print(f'    … {len(lines)} lines in all')


if __name__ == '__main__':
    main()
