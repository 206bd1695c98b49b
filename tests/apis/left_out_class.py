"""A class that a model never knew, taught by ten images of it.

    python -m tests.apis.left_out_class MANIFEST CHECKPOINT OUT CODE ...

makes the table of docs/laboratory.md, of the collection in BM_DATA_ROOT: for
each CODE a bundle is published of the other classes, refitted with ten images
of the class from the val part, and both are measured on the test part, which
neither has seen. Of five draws of the ten images.
"""

import csv
import os
import sys
from pathlib import Path

import numpy as np

from bm_plugins.apis.bundle.bundle_file import load_bundle, save_bundle
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.apis.publishing.publish import publish
from bm_plugins.apis.refitting.refit import refit
from bm_plugins.datasets.manifest import read_manifest
from bm_plugins.evaluation.functional.confusion import (
    confusion_matrix,
    per_class_scores,
)
from bm_plugins.experiments.experiment import read_config

CONFIG = 'configs/linear_tiny_pbc.py'
IMAGES, DRAWS = 10, 5


def published(root, manifest, checkpoint, codes, file):
    """The file of a bundle of some classes, made where it is not there."""
    if file.exists():
        return file
    with open(manifest, newline='') as stream:
        rows = [r for r in csv.DictReader(stream) if r['label'] in codes]
    listed = file.with_suffix('.csv')
    with open(listed, 'w', newline='') as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    options = [f'model.head.num_classes={len(codes)}']
    cfg = read_config(Path(CONFIG), options)
    names = dict(classes=codes, full_names=codes)
    for loader in (cfg.test_dataloader, cfg.test_cfg.train_dataloader):
        loader.num_workers = 0
        where = dict(data_root=root, ann_file=str(listed))
        loader.dataset.update(where, metainfo=names)
    save_bundle(publish(cfg, checkpoint, say=str), file)
    return file


def measured(bundle, features, truth):
    """F1 (C,) of a bundle's classes on cells of these and others, and whether
    the sets of cells (N,) hold their class."""
    judged = CellPredictor(bundle).judge(features)
    classes = [*dict.fromkeys([*bundle.classes, *truth])]
    labels = np.array([classes.index(code) for code in truth])
    matrix = confusion_matrix(labels, judged.labels, len(classes))
    f1 = per_class_scores(matrix).f1[: len(bundle.classes)]
    sets = np.pad(judged.sets, ((0, 0), (0, 1)))
    known = np.minimum(labels, len(bundle.classes))
    return f1, sets[np.arange(len(labels)), known]


def main(manifest, checkpoint, out, *left_out):
    """Print the table."""
    root, out = os.environ['BM_DATA_ROOT'], Path(out)
    paths, labels, splits, _ = read_manifest(manifest)
    parts = {
        part: [
            (path, label)
            for path, label, split in zip(paths, labels, splits, strict=True)
            if split == part
        ]
        for part in ('val', 'test')
    }
    every = sorted({*labels})
    truth = [label for _, label in parts['test']]
    whole = load_bundle(
        published(root, manifest, checkpoint, every, out / 'all')
    )
    reader, network = CellReader(whole), CellPredictor(whole).features
    features = np.concatenate(
        [network(reader(Path(root, path))[None]) for path, _ in parts['test']]
    )
    best = dict(
        zip(whole.classes, measured(whole, features, truth)[0], strict=True)
    )
    for code in left_out:
        known = [c for c in every if c != code]
        file = published(root, manifest, checkpoint, known, out / f'no_{code}')
        before, _ = measured(load_bundle(file), features, truth)
        own = [path for path, label in parts['val'] if label == code]
        found = []
        for seed in range(DRAWS):
            drawn = np.random.default_rng(seed).permutation(own)[:IMAGES]
            listed = out / f'{code}_{seed}.csv'
            lines = [f'{path},{code}' for path in drawn]
            listed.write_text('\n'.join(['path,label', *lines]) + '\n')
            made = refit(file, listed, {code: code}, root, say=str)
            after, held = measured(made, features, truth)
            is_new = np.array(truth) == code
            changes = after[:-1] - before
            found.append(
                (after[-1], changes.mean(), changes.min())
                + (held[~is_new].mean(), held[is_new].mean())
            )
        new, change, least, of_old, of_new = np.array(found).T
        columns = (
            *(code, spread(new), f'{best[code]:.3f}', f'{before.mean():.3f}'),
            *(spread(change, '+'), f'{least.min():+.3f}'),
            *(f'{of_old.mean():.3f}', f'{of_new.mean():.3f}'),
        )
        print(f'| {" | ".join(columns)} |', flush=True)


def spread(values, sign=''):
    """Mean, least and most, as text."""
    mean, low, high = (
        f'{v:{sign}.3f}' for v in (values.mean(), values.min(), values.max())
    )
    return f'{mean} ({low} to {high})'


if __name__ == '__main__':
    main(*sys.argv[1:])
