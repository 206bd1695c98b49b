"""Images a second from files and from the caches."""

import tempfile
from pathlib import Path

from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets import Matek

from .timing import compare


def reading(
    data_root: str | Path,
    images: int = 1000,
    runs: int = 5,
    cache_dir: str | Path | None = None,
    metainfo: dict | None = None,
) -> dict:
    """Read and decode images in one process.

    All of it is in the system's page cache after the warm-up, so that what
    is timed is the processor's part. A disc that answers slowly adds its
    time to ``files`` for each image; to a cache it adds little once memory
    holds it, and a disc reads it in long runs.

    Args:
        data_root (str or Path): The collection.
        images (int): Images of it to read. Defaults to 1000.
        runs (int): Timed readings of each. Defaults to 5.
        cache_dir (str or Path, optional): Folder of the caches. Defaults to
            None: a temporary one.
        metainfo (dict, optional): As for :class:`Matek`.

    Returns:
        dict: As :func:`compare`, ``ours`` being the decoded cache and
        ``stock`` the files, with ``images_per_s`` beside the times; and
        ``cache_mb``, the size of each cache.
    """
    with tempfile.TemporaryDirectory() as temporary, warnings_only():
        read, sizes = {}, {}
        for name, cache in (
            ('ours', 'decoded'),
            ('jpeg cache', 'jpeg'),
            ('stock', None),
        ):
            cells = Matek(
                str(data_root),
                split=('train', 'val', 'test'),
                pipeline=[dict(type='LoadCellImage')],
                cache=cache,
                cache_dir=str(cache_dir or temporary),
                metainfo=metainfo,
            )
            read[name] = lambda cells=cells: _read(cells, images)
            if cache:
                sizes[cache] = cells.pack.header['bytes'] / 1e6
        images = min(images, len(cells))
        what = (
            f'{images} images of {Path(data_root).name} read and decoded, '
            'page cache warm: ours the decoded cache, stock the files'
        )
        result = compare(what, read, images, runs)
    for side in result['sides'].values():
        side['images_per_s'] = images / side['median_s']
    return result | dict(cache_mb=sizes)


def _read(cells: Matek, images: int) -> None:
    # Spread over the collection, as a random order is.
    for index in range(images):
        cells[index * len(cells) // images]
