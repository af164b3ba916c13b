#!/usr/bin/python3
"""Speed and memory of Vitrine beside Debian's Redis 7.0.15, in the same run: bench/run.py [options].

  --only PART      rows whose name or table contains PART (zadd, memory, latency, throughput, strings ...); repeatable
  --rounds N       rounds a row (5; the median counts), the two servers taking turns
  --quick          1 round, short runs, a tenth of the items: a look, not a result
  --ours NAME      what stands in our place: vitrine, or redis to see the noise of the method
  --out DIR        where results go (bench/results/DATE)

The figure that counts is the server's own CPU time per operation and its ratio to Redis'. docs/performance.md tells
the method and keeps the table.
"""

import argparse
import csv
import io
import pathlib
import statistics
import subprocess
import sys
import time

import report
from peers import Peer, Refused
from workloads import GROUPS, KEYS, VALUE, encode, holdings, rows

BENCHMARK = 'redis-benchmark'
CLIENTS = 50


def redis_benchmark(peer, n, clients, pipeline, args, wait=True):
    command = [BENCHMARK, '-p', str(peer.port), '-c', str(clients), '-n', str(n), '-P', str(pipeline), '--csv', *args]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return finish(process) if wait else process


def finish(process):
    """(operations a second, p99 in ms)"""
    out, err = process.communicate(timeout=600)
    if process.returncode or 'ERR' in out or 'WRONGTYPE' in out:
        raise Refused(f'{" ".join(process.args[9:])}: {err.strip()[-100:] or out.strip()[-100:]}')
    row = list(csv.DictReader(io.StringIO(out)))[-1]
    return float(row['rps']), float(row['p99_latency_ms'])


# ---- throughput -------------------------------------------------------------------------------------------------

def measure(peer, row, n):
    if row.before:
        row.before(peer, n)
    before = peer.cpu()
    args = row.stand_in if row.stand_in and peer.name == 'redis' else row.args
    rps, p99 = redis_benchmark(peer, n, CLIENTS, row.pipeline, args)
    spent = peer.cpu() - before
    return {'total': spent.total / n * 1e6, 'user': spent.user / n * 1e6, 'rps': rps, 'p99': p99}


def requests_for(peer, row, cpu_s):
    """As many requests as keep the peer busy for cpu_s seconds of CPU, so that ticks of 10 ms hardly count."""
    probe = 1000 * max(4, row.pipeline)
    cost_us = measure(peer, row, probe)['total']
    return max(probe, int(cpu_s * 1e6 / cost_us) // 1000 * 1000)


def medians(samples):
    return {key: statistics.median(s[key] for s in samples) for key in samples[0]}


def verdict(row, ours, theirs):
    results = []
    for check in row.checks:
        value = ours[check.time] if check.unit == 'us' else ours[check.time] / theirs[check.time]
        results.append((check, value, value <= check.limit))
    return results


def compared(options, row, ours, theirs):
    n = requests_for(theirs, row, options.cpu_s)
    samples = {ours: [], theirs: []}
    for turn in range(options.rounds):
        for peer in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
            samples[peer].append(measure(peer, row, n))
    a, b = medians(samples[ours]), medians(samples[theirs])
    return {'row': row, 'n': n, 'ours': a, 'theirs': b, 'checks': verdict(row, a, b)}


def refused(options, what, error):
    options.refused.append(what)
    print(f'not measured: {what}: {error}', flush=True)


def throughput(options, selected):
    done = []
    for group in dict.fromkeys(row.group for row in selected):
        ours, theirs = Peer(options.ours), Peer('redis')
        try:
            for peer in (theirs, ours):
                GROUPS[group](peer)
                peer.settle()
            for row in (r for r in selected if r.group == group):
                try:
                    done.append(compared(options, row, ours, theirs))
                    print(report.throughput_line(done[-1]), flush=True)
                except Refused as e:
                    refused(options, f'{row.name} P{row.pipeline}', e)
        except Refused as e:
            refused(options, group, e)
        finally:
            ours.stop()
            theirs.stop()
    return done


# ---- memory -----------------------------------------------------------------------------------------------------

def held(name, holding, counts):
    """Resident bytes per item at each of the counts, one after the other in one server."""
    peer = Peer(name)
    items = holding.stand_in if holding.stand_in and name == 'redis' else holding.items
    try:
        peer.settle()
        empty, first, found = peer.rss(), 0, []
        for count in counts:
            peer.load(items(first, count), holding.lines)
            first = count
            time.sleep(0.3)
            peer.settle()
            found.append((peer.rss() - empty) / count)
        return found
    finally:
        peer.stop()


def memory(options, selected):
    counts = (100_000, 130_000) if options.quick else (1_000_000, 1_300_000)
    done = []
    for holding in selected:
        try:
            ours = held(options.ours, holding, counts)
            theirs = held('redis', holding, counts)
        except Refused as e:
            refused(options, holding.name, e)
            continue
        done.append({'row': holding, 'counts': counts, 'ours': ours, 'theirs': theirs,
                     'pass': round(max(ours), 1) <= holding.target})
        print(report.memory_line(done[-1]), flush=True)
    return done


# ---- latency ----------------------------------------------------------------------------------------------------

def mixed(peer, n):
    """p99 in ms of 40 clients that read and 10 that write at the same time, one request at a time each."""
    reads = redis_benchmark(peer, n * 4 // 5, 40, 1, ['-r', str(KEYS), '-t', 'get'], wait=False)
    writes = redis_benchmark(peer, n // 5, 10, 1, ['-r', str(KEYS), '-d', '32', '-t', 'set'], wait=False)
    return {'GET': finish(reads)[1], 'SET': finish(writes)[1]}


def latency(options):
    n = 50_000 if options.quick else 300_000
    ours, theirs = Peer(options.ours), Peer('redis')
    try:
        for peer in (ours, theirs):
            peer.load(encode('SET', f'key:{i:012}', VALUE) for i in range(KEYS))
            peer.settle()
        samples = {ours: [], theirs: []}
        for turn in range(options.rounds):
            for peer in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
                samples[peer].append(mixed(peer, n))
        a, b = medians(samples[ours]), medians(samples[theirs])
    finally:
        ours.stop()
        theirs.stop()
    done = [{'name': f'p99 of {op}, 80 % GET 20 % SET, 1 M keys, no pipeline', 'ours': a[op], 'theirs': b[op],
             'pass': a[op] <= b[op]} for op in ('GET', 'SET')]
    for row in done:
        print(report.latency_line(row), flush=True)
    return done


# ---- all of it --------------------------------------------------------------------------------------------------

def chosen(only, table, group, name):
    """Whether a row is asked for: by its table, its group, or a part of its name."""
    return not only or any(part.lower() in (table, group) or part.lower().replace('_', ' ') in name.lower()
                           for part in only)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', action='append')
    parser.add_argument('--rounds', type=int)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--ours', default='vitrine', choices=['vitrine', 'redis'])
    parser.add_argument('--out', type=pathlib.Path)
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.refused = []
    options.cpu_s = 0.25 if options.quick else 1.2
    out = options.out or pathlib.Path(__file__).resolve().parent / 'results' / time.strftime('%Y%m%d-%H%M%S')
    out.mkdir(parents=True, exist_ok=True)

    pipelined = [r for r in rows() if chosen(options.only, 'throughput', r.group, f'{r.name} P{r.pipeline}')]
    holding = [h for h in holdings() if chosen(options.only, 'memory', '', h.name)]
    results = {'throughput': [], 'memory': [], 'latency': []}
    if pipelined:
        print(report.THROUGHPUT_HEAD, flush=True)
        results['throughput'] = throughput(options, pipelined)
    if holding:
        print(report.MEMORY_HEAD, flush=True)
        results['memory'] = memory(options, holding)
    if chosen(options.only, 'latency', 'mixed', ''):
        print(report.LATENCY_HEAD, flush=True)
        results['latency'] = latency(options)
    report.write(out, options, results)
    return 1 if options.refused else 0


if __name__ == '__main__':
    sys.exit(main())
