"""Start-up of a data set, and what its index takes in each worker."""

import gc
import multiprocessing
import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
from mmpretrain.datasets import CustomDataset

from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets import Matek
from bm_plugins.datasets.manifest import write_manifest, write_stamp
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.datasets.splits.stratified_split import stratified_split

from .memory import process_mb
from .sampler import Labels
from .timing import compare

_PARTS = ('train', 'val', 'test')


def write_tree(root: str | Path, entries: int) -> None:
    """A collection of empty files, in the release's folders and shares.

    Args:
        root (str or Path): A new folder.
        entries (int): Number of files.
    """
    paths, codes = [], []
    counts = np.bincount(Labels(entries).labels, minlength=len(CLASSES))
    for code, count in zip(CLASSES, counts, strict=True):
        for i in range(1, count + 1):
            low = (i - 1) // 1000 * 1000
            folder = f'{low + 1:04}-{low + 1000}/' if count >= 1000 else ''
            paths.append(f'{code}/{folder}{code}_{i:05}.jpg')
        codes += [code] * count
    for folder in {path.rpartition('/')[0] for path in paths}:
        Path(root, folder).mkdir(parents=True)
    for path in paths:
        open(Path(root, path), 'w').close()
    manifest = Path(root, 'split.csv')
    write_manifest(manifest, paths, codes, *stratified_split(paths, codes))
    write_stamp(manifest, dict(images=len(paths)))


def start_up(entries: int, runs: int = 5) -> dict:
    """Load a collection's index, with all of its files checked.

    Stock is mmpretrain's CustomDataset, which lists the class folders: it
    has no parts, folds or checks. Beside it ours with the cache of files,
    which also looks at each file's size and time of change.

    Args:
        entries (int): Images N, empty files in a temporary folder.
        runs (int): Timed starts of each. Defaults to 5.

    Returns:
        dict: As :func:`compare`.
    """
    with tempfile.TemporaryDirectory() as root, warnings_only():
        write_tree(root, entries)
        sides = {
            'ours': lambda: Matek(root, split=_PARTS),
            'ours, jpeg cache': lambda: Matek(
                root, split=_PARTS, cache='jpeg'
            ),
            'stock': lambda: CustomDataset(root),
        }
        what = f'the index of {entries:,} images'
        return compare(what, sides, entries, runs)


def worker_memory(entries: int, workers: tuple = (0, 1, 2, 4)) -> dict:
    """Memory that workers add when they have touched every entry.

    Each worker, a fork as a data loader's, reads the information of all
    entries. ``ours`` is the index as it is; ``python objects`` the same as a
    list of dicts, whose reference counts make each worker copy it.

    Args:
        entries (int): Images N, empty files in a temporary folder.
        workers (tuple): Numbers of workers. Defaults to (0, 1, 2, 4).

    Returns:
        dict: ``what``; by kind of index and number of workers, the MB that
        are private to each worker (``private_mb``, the mean of its growth)
        and those of all processes together (``total_pss_mb``).
    """
    result: dict = {'what': f'the index of {entries:,} images in each worker'}
    with tempfile.TemporaryDirectory() as root, warnings_only():
        write_tree(root, entries)
        for name, packed in (('ours', True), ('python objects', False)):
            cells = Matek(root, split=_PARTS, serialize_data=packed)
            result[name] = {
                str(number): _touch_in(cells, number) for number in workers
            }
    return result


def _touch_in(cells: Matek, workers: int) -> dict[str, float]:
    """Fork, touch everything, and measure while all of them live."""
    gc.collect()
    context = multiprocessing.get_context('fork')
    barrier, queue = context.Barrier(workers + 1), context.SimpleQueue()
    processes = [
        context.Process(target=_touch, args=(cells, barrier, queue))
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    if not workers:
        _touch_all(cells)
    barrier.wait()  # all have touched all
    own = process_mb('Pss')['Pss']
    barrier.wait()  # all are measured
    told = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    private = [grown for grown, _ in told]
    return dict(
        private_mb=sum(private) / max(1, workers),
        total_pss_mb=own + sum(pss for _, pss in told),
    )


def _touch(cells: Matek, barrier: Barrier, queue: object) -> None:
    gc.disable()  # what it moves is not the index's
    before = process_mb('Private_Dirty')['Private_Dirty']
    _touch_all(cells)
    barrier.wait()
    after = process_mb('Private_Dirty', 'Pss')
    barrier.wait()
    queue.put((after['Private_Dirty'] - before, after['Pss']))


def _touch_all(cells: Matek) -> None:
    for index in range(len(cells)):
        cells.get_data_info(index)
