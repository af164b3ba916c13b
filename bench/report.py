"""Results as lines, as CSV, as Markdown for docs/performance.md and as a plot."""

import csv

HEADS = {
    'throughput': ('load', 'pipeline', 'ours µs (user)', 'Redis µs (user)', 'ratio (user)', 'ours op/s, p99 ms',
                   'Redis op/s, p99 ms', 'target', 'met'),
    'memory': ('data', 'ours B at 1×', 'at 1.3×', 'Redis B at 1×', 'at 1.3×', 'ratio', 'target', 'met'),
    'latency': ('what', 'ours ms', 'Redis ms', 'target', 'met'),
}


def line(cells):
    return '| ' + ' | '.join(str(c) for c in cells) + ' |'


def head(table):
    return line(HEADS[table]) + '\n' + '|---' * len(HEADS[table]) + '|'


THROUGHPUT_HEAD, MEMORY_HEAD, LATENCY_HEAD = (head(t) for t in HEADS)


def met(ok):
    return 'yes' if ok else '**no**'


def throughput_line(r):
    a, b = r['ours'], r['theirs']
    checks = r['checks']
    return line((r['row'].name, r['row'].pipeline, f"{a['total']:.2f} ({a['user']:.2f})",
                 f"{b['total']:.2f} ({b['user']:.2f})", f"{a['total'] / b['total']:.2f} ({a['user'] / b['user']:.2f})",
                 f"{a['rps'] / 1000:,.0f} k, {a['p99']:.2f}", f"{b['rps'] / 1000:,.0f} k, {b['p99']:.2f}",
                 ', '.join(c.text() for c, _, _ in checks) or '–',
                 met(all(ok for *_, ok in checks)) if checks else '–'))


def memory_line(r):
    a, b = r['ours'], r['theirs']
    return line((r['row'].name, f'{a[0]:.1f}', f'{a[1]:.1f}', f'{b[0]:.1f}', f'{b[1]:.1f}', f'{a[0] / b[0]:.2f}',
                 f"≤ {r['row'].target:g}", met(r['pass'])))


def latency_line(r):
    return line((r['name'], f"{r['ours']:.2f}", f"{r['theirs']:.2f}", '≤ Redis', met(r['pass'])))


LINES = {'throughput': throughput_line, 'memory': memory_line, 'latency': latency_line}


def flat(table, r):
    if table == 'throughput':
        row = {'load': r['row'].name, 'pipeline': r['row'].pipeline, 'requests': r['n']}
        for side in ('ours', 'theirs'):
            row.update({f'{side}_us': f"{r[side]['total']:.4f}", f'{side}_user_us': f"{r[side]['user']:.4f}",
                        f'{side}_ops': f"{r[side]['rps']:.0f}", f'{side}_p99_ms': r[side]['p99']})
        row['ratio'] = f"{r['ours']['total'] / r['theirs']['total']:.4f}"
        row['target'] = '; '.join(c.text() for c, _, _ in r['checks'])
        row['met'] = all(ok for *_, ok in r['checks']) if r['checks'] else ''
        return row
    if table == 'memory':
        row = {'data': r['row'].name}
        for i, count in enumerate(r['counts']):
            row.update({f'items_{i + 1}': count, f'ours_bytes_{i + 1}': f"{r['ours'][i]:.2f}",
                        f'theirs_bytes_{i + 1}': f"{r['theirs'][i]:.2f}"})
        return {**row, 'target': r['row'].target, 'met': r['pass']}
    return {'what': r['name'], 'ours_ms': r['ours'], 'theirs_ms': r['theirs'], 'met': r['pass']}


def plot(out, results):
    try:
        import matplotlib
    except ImportError:
        return 'no plot: package python3-matplotlib is not installed'
    matplotlib.use('Agg')
    from matplotlib import pyplot
    bars = [(f"{r['row'].name}, P{r['row'].pipeline}", r['ours']['total'] / r['theirs']['total'],
             next((c.limit for c in r['row'].checks if c.unit == 'ratio' and c.time == 'total'), None))
            for r in results['throughput']]
    bars += [(r['row'].name, r['ours'][0] / r['theirs'][0], r['row'].target / r['theirs'][0])
             for r in results['memory']]
    if not bars:
        return 'no plot: it shows throughput and memory'
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.28 * len(bars)))
    places = range(len(bars))
    axes.barh(places, [b[1] for b in bars], color='#4477aa', label='Vitrine / Redis')
    targets = [(p, b[2]) for p, b in zip(places, bars) if b[2]]
    axes.plot([t for _, t in targets], [p for p, _ in targets], '|', color='#cc3311', markersize=11, label='target')
    axes.axvline(1, color='black', linewidth=0.8)
    axes.set_yticks(list(places), [b[0] for b in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("server CPU time per operation, and bytes per item: ratio to Redis 7.0.15 (less is better)")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(out / 'ratios.png', dpi=130)
    pyplot.close(figure)
    return f'{out}/ratios.png'


def write(out, options, results):
    text = []
    for table, found in results.items():
        if not found:
            continue
        with open(out / f'{table}.csv', 'w', newline='') as f:
            flats = [flat(table, r) for r in found]
            writer = csv.DictWriter(f, flats[0].keys())
            writer.writeheader()
            writer.writerows(flats)
        text += [head(table), *(LINES[table](r) for r in found), '']
    note = f'{options.rounds} round(s) a row' + (', quick: a look, not a result' if options.quick else '')
    if options.ours != 'vitrine':
        note += f'; both sides are {options.ours}: the noise of the method'
    (out / 'results.md').write_text('\n'.join(text) + f'\n{note}\n')
    targets = [all(ok for *_, ok in r['checks']) for r in results['throughput'] if r['checks']]
    targets += [r['pass'] for table in ('memory', 'latency') for r in results[table]]
    if options.refused:
        note += f'; not measured: {", ".join(options.refused)}'
    print(f'{sum(targets)} of {len(targets)} targets met; {note}')
    print(f'tables: {out}/results.md and *.csv; {plot(out, results)}')
