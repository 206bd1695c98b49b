"""What corrections teach a model, and which cells are worth labelling.

    python -m tests.apis.corrected_cells BUNDLE MANIFEST

makes the second table on tools/refit.py in docs/laboratory.md, of the
collection in BM_DATA_ROOT: of half of the val part, as it is or changed as by
another laboratory, 100 cells are labelled: those that the model got wrong,
those it is least sure of, or any. Macro F1 on the test part, changed alike, of
three draws of the half.
"""

import os
import sys
from pathlib import Path

import numpy as np

from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.apis.refitting.fitting import L2
from bm_plugins.datasets.manifest import read_manifest
from bm_plugins.evaluation.functional.confusion import (
    confusion_matrix,
    per_class_scores,
)
from bm_plugins.evaluation.linear.refit import refit_linear

LABELS, DRAWS = 100, 3
# Of images (N, 3, H, W), RGB.
CHANGES = {
    'as they are': lambda images: images,
    'a bluer stain': lambda images: (
        images * np.reshape([0.8, 0.95, 1.05], (3, 1, 1))
    ),
    'a paler stain': lambda images: 255 - (255.0 - images) * 0.6,
}


def macro_f1(weight, bias, features, labels):
    """Of a linear classifier."""
    said = (features @ weight.T + bias).argmax(1)
    matrix = confusion_matrix(labels, said, len(bias))
    return per_class_scores(matrix).f1.mean()


def main(bundle, manifest):
    """Print the table."""
    model = load_bundle(bundle)
    network, reader = CellPredictor(model).features, CellReader(model)
    weight, bias = model.weights['fc.weight'], model.weights['fc.bias']
    known = model.reference
    paths, codes, splits, _ = read_manifest(manifest)
    kept = [row for row, split in enumerate(splits) if split != 'train']
    is_test = np.array([splits[row] == 'test' for row in kept])
    labels = np.array([model.classes.index(codes[row]) for row in kept])
    root = Path(os.environ['BM_DATA_ROOT'])
    images = np.stack([reader(root / paths[row]) for row in kept])
    for name, change in CHANGES.items():
        shown = change(images).clip(0, 255).astype(np.uint8)
        features = np.concatenate(
            [network(shown[i : i + 64]) for i in range(0, len(shown), 64)]
        )
        test = features[is_test], labels[is_test]
        val, truth = features[~is_test], labels[~is_test]
        logits = val @ weight.T + bias
        sure = np.sort(logits, 1) @ ([0] * (len(bias) - 2) + [-1, 1])
        found = []
        for seed in range(DRAWS):
            half = np.random.default_rng(seed).permutation(len(val))
            half = half[: len(val) // 2]
            wrong = logits[half].argmax(1) != truth[half]
            for rows in (half[wrong], half[sure[half].argsort()], half):
                rows = rows[:LABELS]
                fitted = refit_linear(
                    *(weight, bias),
                    np.concatenate([known.features, val[rows]]),
                    np.append(known.labels, truth[rows]),
                    np.arange(len(known.labels) + len(rows)) % 5,
                    L2 * val.shape[1],
                )
                found.append(macro_f1(fitted.weight, fitted.bias, *test))
        means = np.reshape(found, (DRAWS, 3)).mean(0)
        columns = (macro_f1(weight, bias, *test), *means)
        print(f'| {name} | {" | ".join(f"{v:.3f}" for v in columns)} |')


if __name__ == '__main__':
    main(*sys.argv[1:])
