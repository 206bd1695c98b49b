"""The Matek et al. marrow-cell collection and class sets like it."""

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from bm_plugins.datasets.image_cache.pack_building import open_pack, pack_file
from bm_plugins.datasets.samplers.draw_batch_sampler import (
    DrawIndex,
    draws_globally,
    seed_generators,
)
from bm_plugins.datasets.splits.parts_of_fold import (
    parse_fold,
    parse_split,
    parts_of,
    rows_of,
    say_against_folders,
)
from bm_plugins.datasets.transforms.load_image import check_readers
from bm_plugins.errors import InputError, UnreadableImage

from .class_set import check_classes
from .layout import find_image_folder
from .listed_paths import check_files
from .manifest import (
    bits_of,
    is_verified,
    label_indices,
    protocol_of,
    read_manifest,
    say_unverified,
)
from .matek_classes import CLASSES, FULL_NAMES, SUPPORTS


@DATASETS.register_module()
class Matek(BaseDataset):
    """Single marrow cells from a folder and a manifest.

    The release of Matek et al. 2021 (TCIA, doi:10.7937/TCIA.AXH3-T579; 171,374
    images, 21 classes), its mirror, a flattened tree, or a lab's own classes::

        data_root
        ├── split.csv                    # path,label,split[,fold]
        └── BM_cytomorphology_data       # or bone_marrow_cell_dataset, or none
            ├── ABE/ABE_00001.jpg
            └── BLA/0001-1000/BLA_00001.jpg

    ``tools/prepare_matek.py data_root`` writes the manifest. The paths in it
    are relative to the image folder.

    Args:
        data_root (str): Folder of the manifest and the images.
        ann_file (str): The manifest. Defaults to ``'split.csv'``.
        split (str or Sequence[str]): Parts to load, of ``'train'``, ``'val'``
            and ``'test'``. Defaults to ``'train'``.
        fold (int or str, optional): Cross-validation fold that is the test
            part; the others train, less their images marked ``val``. Defaults
            to None (or ``'none'``): the manifest's own split.
        with_label (bool): Load labels. Without, the manifest needs no column
            ``label``, and one that is there stays unread. Defaults to True.
        fraction (float): Share of each class to take, at least one image:
            the same images each time, and those of a smaller share among
            those of a larger one. Defaults to 1: all.
        per_class (int, optional): Images of each class to take at most, those
            of fewer among those of more. Defaults to None: any number.
        draw (int): Which choice of a ``fraction`` or ``per_class``. Defaults
            to 0.
        on_unreadable (str): What a training image does that turns out to be
            unreadable: ``'stop'`` ends the run and names it; ``'skip'`` gives
            its place in the batch to the next readable image of the part,
            and counts it in ``unreadable``. Defaults to ``'stop'``.
        cache (str, optional): Read from one file of all images, built at the
            first start and whenever it is stale: ``'jpeg'``, the files as
            they are, or ``'decoded'``, of some five times the size. Defaults
            to None: read the files themselves.
        cache_dir (str, optional): Its folder. Defaults to None: beside the
            manifest.
        data_prefix (str, optional): Image folder, relative to ``data_root``.
            Defaults to None: found by name.
        metainfo (dict, optional): ``classes`` (codes, in label order) and
            perhaps ``full_names`` of another class set.
        **kwargs: As for :class:`mmpretrain.datasets.BaseDataset`.

    Attributes:
        metainfo (dict): ``classes`` and ``full_names`` (C,); ``protocol``, how
            the test part was chosen; with labels ``train_support`` (C,), the
            images of each class outside the test part.
        bits (int or None): Range of 16-bit values, as the stamp says or
            :func:`bm_plugins.datasets.value_range.value_bits` finds.
        unreadable (Tensor): How often each image (N,) was skipped, in memory
            that the workers share.

    Raises:
        InputError: A folder, the manifest, a file it names, or a code in it
            is missing or unknown; an image cannot be read.

    Examples:
        >>> from bm_plugins.datasets import Matek
        >>> cells = Matek('../shared/data/bm_tcia_dev', split='test')
        >>> len(cells), cells.CLASSES[3]
        (320, 'BLA')
    """

    METAINFO = dict(classes=CLASSES, full_names=FULL_NAMES, supports=SUPPORTS)

    def __init__(
        self,
        data_root: str,
        ann_file: str = 'split.csv',
        split: str | Sequence[str] = 'train',
        fold: int | str | None = None,
        with_label: bool = True,
        fraction: float = 1.0,
        per_class: int | None = None,
        draw: int = 0,
        on_unreadable: str = 'stop',
        cache: str | None = None,
        cache_dir: str | None = None,
        data_prefix: str | None = None,
        metainfo: dict | None = None,
        max_refetch: int = 0,
        **kwargs,
    ) -> None:
        data_root = os.path.expanduser(data_root)
        if not os.path.isdir(data_root):
            raise InputError(
                f'data_root {data_root} is no folder. Set BM_DATA_ROOT (or '
                'data_root in the config) to the folder that holds split.csv '
                'and the images; `make demo` makes a synthetic one.'
            )
        if data_prefix is None:
            data_prefix = os.path.abspath(find_image_folder(data_root))
        self.split = parse_split(split, fraction, with_label, per_class, draw)
        self.fold = parse_fold(fold)
        self.with_label = with_label
        self.fraction = fraction
        self.per_class, self.draw = per_class, draw
        self.on_unreadable = on_unreadable
        if on_unreadable not in ('stop', 'skip'):
            raise InputError(
                f"on_unreadable={on_unreadable!r}: expected 'stop' or 'skip'."
            )
        if on_unreadable == 'skip' and 'test' in self.split:
            raise InputError(
                "on_unreadable='skip' is for training: a test image that "
                'cannot be read must not be left out of the figures.'
            )
        self.cache, self.cache_dir = cache, cache_dir
        super().__init__(
            ann_file=ann_file,
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=data_prefix,
            max_refetch=max_refetch,
            **kwargs,
        )

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        loaded = super()._load_metainfo(metainfo)
        loaded['classes'] = check_classes(loaded['classes'])
        if loaded['classes'] != CLASSES:
            own = metainfo if 'classes' in (metainfo or {}) else cls.METAINFO
            given = own.get('full_names', loaded['classes'])
            loaded['full_names'] = tuple(given)
            loaded.pop('supports', None)
            if len(loaded['full_names']) != len(loaded['classes']):
                raise InputError(
                    f'metainfo: {len(loaded["full_names"])} full_names for '
                    f'{len(loaded["classes"])} classes; give one a class.'
                )
        return loaded

    def load_data_list(self) -> list[dict]:
        """Read the manifest's rows of the wanted parts.

        Returns:
            list[dict]: ``img_path``, ``path`` (relative to the image folder),
            ``part``, ``row`` (of the manifest), with labels ``gt_label``, and
            ``bits`` where 16-bit values need it.
        """
        manifest = self.ann_file
        paths, labels, splits, folds = read_manifest(
            manifest, self.with_label, self.img_prefix
        )
        parts = parts_of(splits, folds, self.fold, manifest)
        share = self.fraction, self.per_class, self.draw
        rows = rows_of(parts, self.split, paths, labels, *share)
        if not rows:
            raise InputError(
                f'{manifest}: no image in part {"/".join(self.split)}'
                + ('.' if self.fold is None else f' of fold {self.fold}.')
                + ' Choose another part, or write the manifest anew by '
                'tools/prepare_matek.py.'
            )
        check_files([paths[row] for row in rows], self.img_prefix, manifest)
        data = [
            dict(path=paths[row], part=parts[row], row=row) for row in rows
        ]
        self.bits = bits_of(manifest, paths, self.img_prefix)
        for item in data:
            if self.bits:
                item['bits'] = self.bits
            item['img_path'] = f'{self.img_prefix}/{item["path"]}'
        if self.with_label:
            codes = [labels[row] for row in rows]
            found = label_indices(
                [item['path'] for item in data], codes, self.CLASSES, manifest
            )
            for item, label in zip(data, found, strict=True):
                item['gt_label'] = label
            counts = Counter(
                label
                for label, part in zip(labels, parts, strict=True)
                if part != 'test'
            )
            support = tuple(counts[code] for code in self.CLASSES)
            self._metainfo['train_support'] = support
        if self.cache is not None:
            check_readers(self.pipeline.transforms, self.cache)
            file = pack_file(manifest, self.cache, self.cache_dir)
            self.pack = open_pack(
                file, self.cache, paths, self.img_prefix, self.bits
            )
        protocol = protocol_of(manifest, self.fold)
        if self.split != ('test',):
            protocol += f'; {"/".join(self.split)} part'
        if self.fraction < 1:
            protocol += f', {self.fraction:g} of it'
        if self.per_class:
            protocol += f', {self.per_class} images a class'
        if self.draw and (self.fraction < 1 or self.per_class):
            protocol += f', choice {self.draw}'
        self._metainfo['protocol'] = protocol
        if not is_verified(manifest):
            say_unverified(manifest, self.data_root)
        say_against_folders(manifest, paths, splits, self.CLASSES)
        return data

    def get_gt_labels(self) -> np.ndarray:
        """Labels of all images, int64 (N,)."""
        if not self.with_label:
            raise InputError('Matek(with_label=False) has no labels.')
        return super().get_gt_labels()

    def get_data_info(self, idx: int) -> dict:
        """As upstream's, with the ``draw`` that a :class:`DrawIndex` has."""
        info = super().get_data_info(idx)
        if isinstance(idx, DrawIndex):
            info['draw'] = idx.draw
        return info

    def full_init(self) -> None:
        """As upstream's."""
        if not self._fully_initialized:
            super().full_init()
            self._draws_globally = draws_globally(self.pipeline.transforms)
            counts = torch.zeros(len(self), dtype=torch.int32)
            self.unreadable = counts.share_memory_()

    def prepare_data(self, idx: int) -> dict:
        """As upstream's; a :class:`DrawIndex` decides the random draws."""
        for step in range(len(self)):
            index = (int(idx) + step) % len(self)
            if isinstance(idx, DrawIndex):
                if self._draws_globally:
                    seed_generators(*idx.draw)
                index = DrawIndex(index, idx.draw)
            try:
                info = self.get_data_info(index)
                if self.cache is not None:
                    self.pack.add_to(info)
                return self.pipeline(info)
            except UnreadableImage:
                if self.on_unreadable == 'stop':
                    raise
                self.unreadable[index] += 1
        raise InputError(
            f'{self.img_prefix}: none of the {len(self)} images can be read.'
        )
