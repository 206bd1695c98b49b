"""SwAV by us and by lightly: what is learned, and how fast."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median

from bm_plugins.errors import InputError
from bm_plugins.experiments.experiment import (
    Experiment,
    read_config,
    run_child,
)
from bm_plugins.report.runs.comparison import PRIMARY, compare_runs
from bm_plugins.report.runs.results_table import results_table
from bm_plugins.report.runs.run_folder import Run, read_run
from bm_plugins.utils.files import make_folder
from bm_plugins.visualization.curves import read_curves

ROOT = Path(__file__).resolve().parents[2]
CONFIG, TEST = 'configs/swav_tiny_bm.py', 'configs/linear_tiny_bm.py'
PROCESSES = 2


def learning(
    data_root: str,
    runs: int = 3,
    epochs: int | None = None,
    options: Sequence[str] = (),
    work_dir: Path | None = None,
) -> dict:
    """Train by each side with each seed, by turns, and evaluate all alike.

    Ours is ``tools/dist_train.sh`` as a user calls it. lightly's side is
    :mod:`lightly_swav`, once with our projection, so that the network is the
    same, and once with lightly's own. All are tested by linear evaluation of
    the backbone. No side uses a GPU.

    Args:
        data_root (str): The collection, with its manifest.
        runs (int): Seeds, from 0. Defaults to 3.
        epochs (int, optional): Of each training. Defaults to the config's.
        options (Sequence[str]): ``key=value`` of all trainings.
        work_dir (Path, optional): A new folder for the runs and for
            ``results.md``, a table of them. Defaults to one in ``work_dirs``.

    Returns:
        dict: ``config``, ``epochs``, ``processes``, ``batch_size`` (of all),
        ``runs`` (the folder); ``sides``, by name ``macro_f1`` and
        ``ln_k_share`` (of the last loss), means over the seeds,
        ``images_per_s`` and ``startup_s``, medians, ``images`` seen, and
        ``by_seed``, a row a seed; and ``ours_against``, by side the
        difference ``macro_f1`` with its paired 95 % interval ``low`` to
        ``high`` over test images, in the mean of the seeds, and ``speed``,
        the ratio of images a second. These are of the training from its
        first step to its last checkpoint; the start-up before it, imports and
        the building of network and data, is the rest of the command.

    Raises:
        InputError: lightly is missing, or a run failed.
    """
    if find_spec('lightly') is None:
        raise InputError(
            'learning needs lightly: pip install --no-deps -r '
            'requirements/peers.txt'
        )
    if epochs:
        options = [*options, f'train_cfg.max_epochs={epochs}']
    cfg = read_config(ROOT / CONFIG, options)
    batch_size = PROCESSES * cfg.train_dataloader.batch_size
    if work_dir is None:
        now = f'{datetime.now():%Y%m%d_%H%M%S}'
        work_dir = ROOT / 'work_dirs' / f'learning_{now}'
    work_dir = work_dir.resolve()
    lightly = [sys.executable, 'tools/torchrun.py', str(PROCESSES)]
    lightly += ['benchmarks/lightly_swav.py', CONFIG]
    sides = {
        'ours': ['tools/dist_train.sh', CONFIG, str(PROCESSES)],
        'lightly': lightly,
        'lightly_own_head': [*lightly, '--own-head'],
    }
    env = dict(
        PYTHON=sys.executable,
        BM_DATA_ROOT=str(Path(data_root).resolve()),
        CUDA_VISIBLE_DEVICES='',
    )
    rows: dict[str, list[dict]] = {name: [] for name in sides}
    tested: dict[str, list[Run]] = {name: [] for name in sides}
    for seed in range(runs):
        own = f'randomness.seed={seed}'
        linear = Experiment(ROOT, None, TEST, PROCESSES, (), [own], env)
        for name, command in sides.items():
            folder = work_dir / f'{name}_{seed}'
            print(f'{name}, seed {seed}', flush=True)
            wall = _train(command, folder / 'train', [*options, own], env)
            row = training_figures(folder / 'train', batch_size, wall)
            run = read_run(linear.run(folder, folder / 'train'))
            f1 = run.figures[PRIMARY, 'all']
            score = dict(macro_f1=f1.value, low=f1.low, high=f1.high)
            rows[name].append(dict(seed=seed, **score, **row))
            tested[name].append(run)
    (work_dir / 'results.md').write_text(results_table(tested))
    summary = {name: _summary(made) for name, made in rows.items()}
    return dict(
        config=CONFIG,
        epochs=cfg.train_cfg.max_epochs,
        processes=PROCESSES,
        batch_size=batch_size,
        runs=work_dir.name,
        sides=summary,
        ours_against={
            name: dict(
                _difference(tested[name], tested['ours']),
                speed=summary['ours']['images_per_s']
                / summary[name]['images_per_s'],
            )
            for name in sides
            if name != 'ours'
        },
    )


def training_figures(folder: Path, batch_size: int, wall: float) -> dict:
    """What the files of a training say of it.

    Args:
        folder (Path): Its ``--work-dir``.
        batch_size (int): Images of a step, over all processes.
        wall (float): Seconds of the whole command.

    Returns:
        dict: ``images`` seen, ``images_per_s``, ``startup_s`` and
        ``ln_k_share``, of the mean loss since the log before the last, an
        epoch of up to 50 steps.
    """
    shares = read_curves(folder)['ln_k_share']
    steps = max(shares)
    record = json.loads((folder / 'run_train.json').read_text())
    started, ended = (
        datetime.fromisoformat(record[key]) for key in ('started', 'ended')
    )
    seconds = (ended - started).total_seconds()
    return dict(
        images=steps * batch_size,
        images_per_s=steps * batch_size / seconds,
        startup_s=wall - seconds,
        ln_k_share=shares[steps],
    )


def _train(
    command: Sequence[str],
    folder: Path,
    options: Sequence[str],
    env: Mapping[str, str],
) -> float:
    """Seconds that the command takes."""
    log = make_folder(folder) / 'output.log'
    where = ['--work-dir', str(folder), '--cfg-options', *options]
    start = time.monotonic()
    status = run_child([*command, *where], ROOT, env, log)
    if status:
        raise InputError(f'A training ended with status {status}: see {log}.')
    return time.monotonic() - start


def _summary(rows: Sequence[dict]) -> dict:
    def by(mean, key: str) -> float:
        return mean(row[key] for row in rows)

    return dict(
        macro_f1=by(fmean, 'macro_f1'),
        ln_k_share=by(fmean, 'ln_k_share'),
        images_per_s=by(median, 'images_per_s'),
        startup_s=by(median, 'startup_s'),
        images=rows[0]['images'],
        by_seed=list(rows),
    )


def _difference(theirs: Sequence[Run], ours: Sequence[Run]) -> dict:
    found = [d for d in compare_runs(theirs, ours) if d.score == PRIMARY][-1]
    return dict(macro_f1=found.b - found.a, low=found.low, high=found.high)
