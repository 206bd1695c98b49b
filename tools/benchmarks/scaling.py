"""Training by 1, 2, ... processes on the cores of one machine."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from bm_plugins.errors import InputError

from .scaling_estimate import estimate
from .step import prepare
from .timed_training import Side


def scaling(
    data_root: str,
    processes: Sequence[int] = (1, 2),
    config: str = 'swav_tiny_bm',
    batch_size: int = 32,
    runs: int = 5,
    iterations: int = 5,
    start_method: str = 'spawn',
) -> dict:
    """Measure weak and strong scaling on the CPU, and estimate GPUs.

    The processes are joined by gloo, and each has one thread, which loads the
    images too, so that one process has no more of the machine than each of
    several. One process runs without DDP.

    Args:
        data_root (str): The collection, with its manifest.
        processes (Sequence[int]): Numbers of processes, 1 among them.
        config (str): Name in ``configs/``.
        batch_size (int): Images a process (weak), or of all (strong).
        runs (int): Timed turns. Defaults to 5.
        iterations (int): Steps of a turn. Defaults to 5.
        start_method (str): ``'spawn'`` or ``'fork'``. Defaults to spawn.

    Returns:
        dict: ``cores``; under ``weak`` and ``strong`` a row a number of
        processes: ``processes``, ``batch_size`` (a process), ``images_per_s``
        (median, of all processes), ``runs``, ``speedup``, ``efficiency``
        (speed-up over processes) and ``shares_cores``; and ``gpus``, which is
        :func:`estimate`.

    Raises:
        InputError: 1 is not among the numbers, or the batch cannot be shared
            out.
    """
    if 1 not in processes or any(batch_size % n for n in processes):
        raise InputError(
            f'processes={tuple(processes)}, batch_size={batch_size}: expected '
            '1 among the processes, and a batch that each number divides.'
        )
    cores = len(os.sched_getaffinity(0))
    found: dict = dict(config=config, cores=cores)
    for kind in ('weak', 'strong'):
        rows = []
        for count in sorted(processes):
            share = batch_size if kind == 'weak' else batch_size // count
            speeds = _run(
                count,
                (data_root, config, share, runs, iterations),
                start_method,
            )
            rows.append(
                dict(
                    processes=count,
                    batch_size=share,
                    images_per_s=median(speeds),
                    runs=speeds,
                    shares_cores=count > cores,
                )
            )
        for row in rows:
            row['speedup'] = row['images_per_s'] / rows[0]['images_per_s']
            row['efficiency'] = row['speedup'] / row['processes']
        found[kind] = rows
    return dict(found, gpus=estimate())


def _run(count: int, work: tuple, start_method: str) -> list[float]:
    """Images a second of all processes, a turn each."""
    hidden = os.environ.get('CUDA_VISIBLE_DEVICES')
    os.environ['CUDA_VISIBLE_DEVICES'] = ''  # for the processes
    try:
        with tempfile.TemporaryDirectory() as folder:
            mp.start_processes(
                _process,
                (count, folder, *work),
                count,
                start_method=start_method,
            )
            return json.loads(Path(folder, 'speeds.json').read_text())
    finally:
        del os.environ['CUDA_VISIBLE_DEVICES']
        if hidden is not None:
            os.environ['CUDA_VISIBLE_DEVICES'] = hidden


def _process(
    rank: int,
    count: int,
    folder: str,
    data_root: str,
    config: str,
    batch_size: int,
    runs: int,
    steps: int,
) -> None:
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count)
    )
    options: dict = {'train_dataloader.batch_size': batch_size}
    if count > 1:
        options['launcher'] = 'pytorch'
        dist.init_process_group(
            'gloo',
            init_method=f'file://{folder}/store',
            rank=rank,
            world_size=count,
            timeout=timedelta(minutes=5),
        )
    cfg = prepare(config, data_root, 0, options)
    cfg.train_cfg = dict(type='mmpretrain.HeldTrainLoop', max_epochs=1)
    side = Side(cfg, Path(folder, f'rank_{rank}'))
    speeds = []
    for _ in range(runs):
        if count > 1:
            dist.barrier()
        start = time.perf_counter()
        side.train(steps)
        if count > 1:
            dist.barrier()
        seconds = time.perf_counter() - start
        speeds.append(count * batch_size * steps / seconds)
    side.close()
    if rank == 0:
        Path(folder, 'speeds.json').write_text(json.dumps(speeds))
    if count > 1:
        dist.destroy_process_group()
