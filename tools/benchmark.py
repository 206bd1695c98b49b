#!/usr/bin/env python3
"""Ours and the stock route side by side: what `make bench` runs.

  tools/benchmark.py input --data ../shared/data/bm_tcia_dev
  tools/benchmark.py step          # on a GPU the paper's configs
  tools/benchmark.py all --json work_dirs/bench.json
  tools/benchmark.py coverage      # intervals of a differential, simulated
  tools/benchmark.py startup --against ../other-clone
  tools/benchmark.py suggest --features f.h5  # against cells by chance
  tools/benchmark.py learning --epochs 40     # SwAV, ours and lightly's

Each other part times both sides by turns in this one run, and prints the
medians, their ratio and the limit. Timings of two runs, or two machines, do
not compare.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
RELEASE = 171_374  # images of the collection
PARTS = ('input', 'reading', 'dataset', 'sampler', 'metric', 'solver')
PARTS += ('probe', 'step', 'scaling')
# Asked for by name alone.
NO_DATA = ('coverage', 'startup', 'suggest')
ALONE = (*NO_DATA, 'learning')


def run_part(name: str, args: argparse.Namespace) -> dict:
    """What a part found."""
    from benchmarks import (
        coverage,
        dataset,
        input_speed,
        learning,
        metric,
        probe,
        reading,
        sampler,
        scaling,
        solver,
        startup,
        step,
        suggestions,
    )

    parts = dict(
        input=lambda: input_speed.input_speed(
            args.data, **given(args, 'images', 'runs'), profile=args.profile
        ),
        reading=lambda: reading.reading(
            args.data, **given(args, 'images', 'runs')
        ),
        dataset=lambda: dict(
            start_up=dataset.start_up(args.entries, **given(args, 'runs')),
            worker_memory=dataset.worker_memory(args.entries),
        ),
        sampler=lambda: sampler.sampler(args.entries, **given(args, 'runs')),
        metric=lambda: metric.metric(args.entries, **given(args, 'runs')),
        solver=lambda: solver.solver(**given(args, 'runs')),
        # Two minutes on two cores with a ResNet-50.
        probe=lambda: probe.probe(
            args.data, **dict(images=200) | given(args, 'images', 'runs')
        ),
        step=lambda: step.step(
            args.data,
            configs=args.configs,
            variants=variants(args),
            iterations=args.steps,
            **given(args, 'runs', 'workers'),
            top=10 if args.profile else 0,
        ),
        scaling=lambda: scaling.scaling(args.data, **given(args, 'runs')),
        # No timing; ten minutes on one core.
        coverage=lambda: coverage.coverage(args.runs or 40),
        startup=lambda: startup.startup(args.against, **given(args, 'runs')),
        suggest=lambda: suggestions.suggestions(
            args.features, **given(args, 'runs')
        ),
        learning=lambda: learning.learning(
            args.data, **given(args, 'runs', 'epochs')
        ),
    )
    return parts[name]()


def given(args: argparse.Namespace, *names: str) -> dict:
    """The options that were given."""
    return {n: getattr(args, n) for n in names if getattr(args, n) is not None}


def variants(args: argparse.Namespace) -> dict | None:
    """Those of ours in the step; None for all that fit."""
    if not args.no_compile:
        return None
    from benchmarks.step import variants_here

    chosen = variants_here()
    return {name: own for name, own in chosen.items() if 'compile' not in own}


def drawn_cells() -> str:
    """The demo's synthetic collection, drawn if it is not there."""
    data = ROOT / 'data/synthetic'
    if not (data / 'split.csv').exists():
        for command in (
            ['make_synthetic_marrow.py', data],
            ['prepare_matek.py', data],
        ):
            tool, folder = command
            subprocess.run(
                [sys.executable, ROOT / 'tools' / tool, folder], check=True
            )
    return str(data)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the parts and print what they found."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/benchmark.py input --data data/synthetic',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('part', choices=[*PARTS, *ALONE, 'all'])
    parser.add_argument(
        '--data',
        default=os.environ.get('BM_DATA_ROOT'),
        help='a collection; default BM_DATA_ROOT, else drawn cells',
    )
    parser.add_argument('--json', type=Path, help='write the results here too')
    parser.add_argument(
        '--runs',
        type=int,
        help='turns of each side; draws of coverage; seeds of learning',
    )
    parser.add_argument(
        '--images', type=int, help='of input, reading and probe'
    )
    parser.add_argument(
        '--entries',
        type=int,
        default=RELEASE,
        help='of dataset, sampler and metric (default: %(default)s)',
    )
    parser.add_argument(
        '--configs', nargs='+', metavar='NAME', help='of step, as swav_bm'
    )
    parser.add_argument(
        '--epochs', type=int, help="of learning (default: the config's)"
    )
    parser.add_argument('--steps', type=int, help='of a turn, of step')
    parser.add_argument(
        '--workers', type=int, help='of each data loader, of step'
    )
    parser.add_argument(
        '--no-compile',
        action='store_true',
        help='of step: leave out the compiled variant, minutes a config',
    )
    parser.add_argument(
        '--against',
        metavar='CHECKOUT',
        help='of startup: a clone of another version, timed by turns',
    )
    parser.add_argument(
        '--features',
        metavar='F.h5',
        help='of suggest: by tools/extract_features.py --split train test',
    )
    parser.add_argument(
        '--profile',
        action='store_true',
        help='of input and step: name what takes the time',
    )
    args = parser.parse_args(argv)
    for name in ('runs', 'images', 'entries', 'steps', 'workers', 'epochs'):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise InputError(f'--{name} {value}: expected 1 or more.')
    from benchmarks.text import lines

    from bm_plugins.utils.environment import machine
    from bm_plugins.utils.files import atomic_write

    # Upstream's, in every turn and process.
    warnings.simplefilter('ignore', UserWarning)
    os.environ['PYTHONWARNINGS'] = 'ignore::UserWarning'
    result = dict(machine=machine())
    if args.part == 'startup' and not args.against:
        raise InputError('startup needs --against CHECKOUT.')
    if args.part == 'suggest' and not args.features:
        raise InputError('suggest needs --features F.h5.')
    if args.part not in NO_DATA:
        args.data = args.data or drawn_cells()
        if not Path(args.data).is_dir():
            raise InputError(f'--data {args.data} is no folder.')
        result['data'] = Path(args.data).name
    print('\n'.join(lines(result)), flush=True)
    for name in PARTS if args.part == 'all' else [args.part]:
        start = time.monotonic()
        result[name] = run_part(name, args)
        seconds = time.monotonic() - start
        print(f'\n== {name} ({seconds:.0f} s)')
        print('\n'.join(lines(result[name])), flush=True)
        if args.json:  # after each part: a stop loses none
            with atomic_write(args.json) as partial:
                partial.write_text(json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    cli.run(main)
