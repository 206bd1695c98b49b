"""Do suggested cells teach more than cells by chance? On labelled features."""

from pathlib import Path

import numpy as np
import torch
from scipy.stats import t
from sklearn.metrics import f1_score

from bm_plugins.apis.features.feature_file import read_features
from bm_plugins.apis.prediction.suggest import WAYS, choose
from bm_plugins.evaluation.linear.probe import fit_linear_probe

POOL = 1500  # training cells whose labels could be asked for
L2 = 0.1


def suggestions(features: str | Path, runs: int = 8) -> dict:
    """Label a pool step by step, as each way chooses; test each time.

    Args:
        features (str or Path): By ``tools/extract_features.py``, of the parts
            train and test.
        runs (int): Pools that are drawn. Defaults to 8.

    Returns:
        dict: By way and labels the mean macro F1 on the test part, and its
        difference from chance with the 95 % interval over the pools.
    """
    found = read_features(features)
    train, test = (found.rows((part,)) for part in ('train', 'test'))
    count = len({*found.labels[test].tolist()})
    budgets = [count * 2**step for step in range(5)]
    scores = np.array(
        [_scores(found, train, test, budgets, seed) for seed in range(runs)]
    )  # (runs, ways, budgets)
    chance = scores[:, [WAYS.index('random')]]
    gain = scores - chance
    width = t.ppf(0.975, runs - 1) * gain.std(0, ddof=1) / runs**0.5
    return {
        f'{way}, {budget} labels': dict(
            macro_f1=float(scores[:, w, b].mean()),
            gain=float(gain[:, w, b].mean()),
            low=float(gain[:, w, b].mean() - width[w, b]),
            high=float(gain[:, w, b].mean() + width[w, b]),
        )
        for w, way in enumerate(WAYS)
        for b, budget in enumerate(budgets)
    }


def _scores(found, train, test, budgets, seed) -> list[list[float]]:
    """Macro F1 by way and budget on one pool."""
    rng = np.random.default_rng(seed)
    pool = rng.permutation(train)[:POOL]
    features, labels = found.features[pool], found.labels[pool]
    count = len(found.classes)

    def fit(rows: list[int], asked: np.ndarray) -> np.ndarray:
        probe = fit_linear_probe(
            torch.from_numpy(features[rows].astype(np.float32)),
            torch.from_numpy(labels[rows].astype(np.int64)),
            count,
            grid=[L2],
        )
        scores = asked @ probe.weight.numpy().T + probe.bias.numpy()
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    result = []
    for way in WAYS:
        rows: list[int] = []
        own = []
        for budget in budgets:
            # Nothing is uncertain before a first fit.
            first = way == 'uncertain' and not rows
            said = fit(rows, features) if rows else np.ones((len(pool), 2))
            by = 'typical' if first else way
            rows += choose(features, said, rows, budget - len(rows), by, seed)
            predicted = fit(rows, found.features[test]).argmax(1)
            own.append(
                f1_score(
                    found.labels[test],
                    predicted,
                    labels=np.unique(found.labels[test]),
                    average='macro',
                    zero_division=0,
                )
            )
        result.append(own)
    return result
