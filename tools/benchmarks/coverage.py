"""How often the intervals of a differential hold the truth, by simulation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS
from bm_plugins.evaluation.functional.calibration import (
    apply_temperature,
    fit_temperature,
)
from bm_plugins.evaluation.functional.conformal import (
    conformal_thresholds,
    prediction_sets,
)
from bm_plugins.evaluation.functional.intervals import wilson
from bm_plugins.evaluation.functional.prevalence import SlideShares, at_shares
from bm_plugins.evaluation.linear.probe import (
    fit_softmax_regression,
)
from bm_plugins.report.differential.scheme import read_scheme

# Cells of 100 and more on a slide; after the textbooks, to span what occurs.
MIXTURES = {
    'as the collection': dict(zip(CLASSES, SUPPORTS, strict=True)),
    'normal marrow': dict(
        NGS=18, NGB=13, MMZ=11, MYB=9, PMO=3, BLA=1.5, EBO=20, PEB=1, LYT=12,
        EOS=3, MON=2, PLM=1, BAS=0.2, OTH=0.3, ART=3, NIF=1.5, KSC=0.5,
    ),
    'AML, 60 % blasts': dict(
        BLA=60, EBO=8, LYT=8, NGS=4, PMO=3, MYB=3, NGB=2, MON=2, MMZ=1, EOS=1,
        PEB=1, PLM=0.5, ART=3, NIF=2, KSC=1.5,
    ),
    'acute leukaemia, 90 % blasts': dict(
        BLA=90, LYT=3, EBO=2, NGS=1, PMO=0.7, MON=0.5, ART=1, NIF=1, KSC=0.8
    ),
    'promyelocytic leukaemia': dict(
        PMO=70, BLA=8, FGC=5, EBO=4, LYT=4, NGS=2, MYB=1.5, ART=3, NIF=2,
        KSC=0.5,
    ),
    'myelomonocytic leukaemia': dict(
        BLA=25, MON=25, NGS=8, MYB=7, PMO=6, NGB=5, EOS=5, EBO=5, MMZ=4,
        LYT=4, ABE=3, ART=2, NIF=1,
    ),
    'plasma cell myeloma': dict(
        PLM=50, EBO=11, NGS=8, LYT=7, NGB=6, MYB=4, MMZ=4, PMO=1.5, EOS=1.5,
        BLA=1, MON=1, PEB=0.5, OTH=0.5, ART=2.5, NIF=1, KSC=0.5,
    ),
    'lymphoid': dict(
        LYT=70, EBO=7, NGS=5, LYI=4, NGB=3, MYB=2, MMZ=1.5, BLA=1, PLM=0.8,
        PMO=0.7, MON=0.5, ART=2, NIF=1, KSC=1.5,
    ),
    'hairy cell leukaemia': dict(
        HAC=35, LYT=20, EBO=15, NGS=8, NGB=5, MYB=3, MMZ=3, PLM=2, LYI=1,
        PMO=1, EOS=1, PEB=0.7, BLA=0.5, MON=0.3, ART=3, NIF=1, KSC=0.5,
    ),
    'erythroid hyperplasia': dict(
        EBO=55, PEB=8, NGS=6, LYT=6, MYB=4, NGB=4, BLA=3, PMO=3, MMZ=3, EOS=1,
        PLM=1, MON=0.5, ART=3, NIF=2, KSC=0.5,
    ),
}  # fmt: skip
# Distance of the classes' means in the features. The good model's accuracy on
# the collection's mixture is about the paper's.
MODELS = dict(good=3.0, weak=1.7)
CELLS = (200, 500, 5000)
IMAGES = (5, 20, 100)
_POOL = 6000  # cells of each class to draw slides from, and as many images
_TRAINING = 6000
_LENGTH = 24


def coverage(
    draws: int = 40,
    seed: int = 0,
    models: Mapping[str, float] = MODELS,
    cells: Sequence[int] = CELLS,
    images: Sequence[int] = IMAGES,
) -> dict:
    """Simulate slides of ten mixtures, and count what the intervals hold.

    A model is a softmax regression, class-balanced, on features that are
    drawn for 6,000 training cells with the collection's shares of the classes
    (6 cells or more of each): for each class Student's t distribution of 8
    degrees of freedom about a mean that lies near those of neighbouring
    stages, with axes and spread of its own, so that the model's probabilities
    are not quite right. Each draw takes new calibration images, as many of
    each class, and a new slide.

    Args:
        draws (int): Slides of each mixture, model and size. Defaults to 40.
        seed (int): Defaults to 0.
        models (Mapping[str, float]): Distance of the means by name.
        cells (Sequence[int]): Cells of a slide.
        images (Sequence[int]): Calibration images of each class.

    Returns:
        dict: ``accuracy`` of each model; ``rows``, one for each model, number
        of cells and of calibration images: coverage of the 95 % intervals over
        all mixtures, of the classes of 30 % and more, 2 to 30 %, below 2 % and
        0 of the counted cells and of the M:E ratio, by :class:`SlideShares`;
        of the raw counts by Wilson's interval; of the sets of classes at an
        error rate of .05, over classes and the lowest of a class; ``worst``,
        the mixture and group of the lowest coverage; mean width of the
        classes of 2 % and more and mean errors of all, in points;
        the share of cells that are right by the model and at the slide's own
        shares.
    """
    rng = np.random.default_rng(seed)
    found: dict = dict(accuracy={}, rows=[])
    for name, distance in models.items():
        model = _Model(distance)
        found['accuracy'][name] = model.accuracy(np.array(SUPPORTS))
        for size, held in product(cells, images):
            row = dict(model=name, cells=size, images=held)
            row |= _measure(model, size, held, draws, rng)
            found['rows'].append(row)
    return found


class _Model:
    """Logits of drawn cells; in equal shares of the classes."""

    def __init__(self, distance: float) -> None:
        rng = np.random.default_rng(0)
        number = len(CLASSES)
        self.means = distance * _means(rng)
        axes = [
            np.linalg.qr(rng.normal(size=(_LENGTH, _LENGTH)))[0]
            * np.exp(rng.normal(0, 0.25, _LENGTH))
            for _ in range(number)
        ]
        self.axes = np.stack(axes)
        self.spread = np.exp(rng.normal(0, 0.15, number))
        share = np.array(SUPPORTS) / sum(SUPPORTS)
        counts = np.maximum((_TRAINING * share).round(), 6).astype(int)
        labels = np.repeat(np.arange(number), counts)
        features = torch.from_numpy(self._features(rng, labels))
        self.theta = fit_softmax_regression(
            features, torch.from_numpy(labels), number, 1e-3
        ).numpy()
        every = np.repeat(np.arange(number), 2 * _POOL)
        pools = self._logits(rng, every).reshape(number, 2, _POOL, number)
        self.calibration, self.slide = pools[:, 0], pools[:, 1]

    def accuracy(self, shares: np.ndarray) -> float:
        right = self.slide.argmax(2) == np.arange(len(shares))[:, None]
        return float(right.mean(1) @ shares / shares.sum())

    def _features(self, rng, labels: np.ndarray) -> np.ndarray:
        scale = np.sqrt(8 / rng.chisquare(8, (len(labels), 1)))
        drawn = rng.normal(size=(len(labels), _LENGTH)) * scale
        found = np.empty_like(drawn)
        for i in np.unique(labels):
            own = labels == i
            turned = drawn[own] @ self.axes[i].T
            found[own] = self.means[i] + self.spread[i] * turned
        return found

    def _logits(self, rng, labels: np.ndarray) -> np.ndarray:
        return self._features(rng, labels) @ self.theta[:-1] + self.theta[-1]


def _means(rng: np.random.Generator) -> np.ndarray:
    """Means of the classes (C, D), stages of a line beside each other."""
    axes = rng.normal(size=(20, _LENGTH))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    m = {}
    for place, code in enumerate(('BLA', 'PMO', 'MYB', 'MMZ', 'NGB', 'NGS')):
        m[code] = (
            1.2 * axes[0] + 0.8 * place * axes[1] + 0.25 * axes[2 + place]
        )
    m['FGC'] = m['PMO'] + 0.7 * axes[8]
    m['EOS'] = m['MMZ'] + 1.6 * axes[9]
    m['ABE'] = m['EOS'] + 0.8 * axes[10]
    m['BAS'] = m['MYB'] + 1.5 * axes[11]
    m['MON'] = 0.6 * m['BLA'] + 0.4 * m['MMZ'] + 1.1 * axes[12]
    m['PEB'] = 0.5 * m['BLA'] + 1.3 * axes[13]
    m['EBO'] = m['PEB'] + 1.6 * axes[14]
    m['LYT'] = 1.6 * axes[15] + 0.3 * m['EBO']
    m['LYI'] = 0.55 * m['LYT'] + 0.45 * m['BLA']
    m['HAC'] = m['LYT'] + 0.8 * axes[16]
    m['PLM'] = 0.5 * m['LYT'] + 1.5 * axes[17]
    m['ART'] = 2 * axes[18]
    middle = np.mean(list(m.values()), 0)
    m['NIF'] = middle + 0.5 * m['ART']
    m['OTH'] = middle + 0.9 * axes[8]
    m['KSC'] = 0.7 * m['ART'] + 0.9 * axes[19]
    return np.stack([m[code] for code in CLASSES])


@dataclass
class _Tally:
    """Hits and misses of intervals and other means, by name."""

    sums: dict
    counts: dict

    def add(self, name: str | tuple, values) -> None:
        self.sums[name] += float(np.sum(values))
        self.counts[name] += np.size(values)

    def mean(self, name: str | tuple) -> float | None:
        count = self.counts[name]
        return self.sums[name] / count if count else None


GROUPS = ('30 % or more', '2 to 30 %', 'below 2 %', 'absent', 'M:E')


def _measure(
    model: _Model,
    cells: int,
    images: int,
    draws: int,
    rng: np.random.Generator,
) -> dict:
    scheme = read_scheme(None, CLASSES)
    counted = np.array([scheme.counted[code] for code in CLASSES])
    sides = [
        counted & np.array([scheme.groups[code] == side for code in CLASSES])
        for side in ('myeloid', 'erythroid')
    ]
    both = sides[0] | sides[1]
    tally = _Tally(defaultdict(float), defaultdict(int))
    number = len(CLASSES)
    for mixture, parts in MIXTURES.items():
        shares = np.array([parts.get(code, 0) for code in CLASSES], float)
        shares /= shares.sum()
        true = np.where(counted, shares, 0) / shares[counted].sum()
        group = np.select(
            [true >= 0.3, true >= 0.02, true > 0], GROUPS[:3], GROUPS[3]
        )
        for _ in range(draws):
            known, labels = _draw(
                model.calibration, np.full(number, images), rng
            )
            slide, truth = _draw(
                model.slide, rng.multinomial(cells, shares), rng
            )
            temperature = fit_temperature(_softmax(known), labels)
            known, slide = (
                apply_temperature(_softmax(x), temperature)
                for x in (known, slide)
            )
            estimate = SlideShares(slide, known, labels)
            ends = np.full((number, 2), np.nan)
            for i in (counted & estimate.measured).nonzero()[0]:
                ends[i] = estimate.interval(np.arange(number) == i, counted)
                hit = _holds(ends[i], true[i])
                tally.add(group[i], hit)
                tally.add((mixture, group[i]), hit)
                if true[i] >= 0.02:
                    tally.add('width', 100 * (ends[i, 1] - ends[i, 0]))
            ratio = true[sides[0]].sum() / true[both].sum()
            hit = _holds(estimate.interval(sides[0], both), ratio)
            tally.add('M:E', hit)
            tally.add((mixture, 'M:E'), hit)
            predicted = slide.argmax(1)
            raw = np.bincount(predicted, minlength=number) * counted
            covered = _holds(wilson(raw, raw.sum()), true)
            tally.add('raw', covered[counted & (true > 0)])
            _points(tally, estimate, ends, counted, raw, true)
            tally.add('right', predicted == truth)
            at_own = at_shares(slide, estimate.likeliest).argmax(1)
            tally.add('right_slide', at_own == truth)
            _sets(tally, known, labels, slide, truth)
    single = [key for key in tally.sums if key[0] in MIXTURES]
    worst = min(single, key=tally.mean)
    by_class = [tally.mean(('set', i)) for i in range(number)]
    promised = [x for x in by_class if x is not None]
    names = ('width', 'right', 'right_slide', 'error_raw', 'error_em', 'error')
    return (
        {name: tally.mean(name) for name in (*GROUPS, 'raw')}
        | dict(
            worst=f'{worst[0]}, {worst[1]}: {tally.mean(worst):.3f}',
            sets=float(np.mean(promised)) if promised else None,
            sets_lowest=min(promised, default=None),
        )
        | {name: tally.mean(name) for name in names}
    )


def _points(tally, estimate, ends, counted, raw, true) -> None:
    em = np.where(counted, estimate.likeliest, 0)
    for name, found in (
        ('error_raw', raw / max(raw.sum(), 1)),
        ('error_em', em / em.sum()),
        ('error', estimate.shares(counted, ends)),
    ):
        tally.add(name, 100 * np.abs(found - true)[counted])


def _sets(tally, known, labels, slide, truth) -> None:
    thresholds, promised = conformal_thresholds(known, labels, 0.05)
    held = prediction_sets(slide, thresholds)[np.arange(len(truth)), truth]
    for i in promised.nonzero()[0]:
        tally.add(('set', int(i)), held[truth == i])


def _draw(pool, counts, rng) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return pool[labels, rng.integers(_POOL, size=len(labels))], labels


def _holds(ends, value) -> np.ndarray:
    return (ends[0] - 1e-9 <= value) & (value <= ends[1] + 1e-9)


def _softmax(logits: np.ndarray) -> np.ndarray:
    found = np.exp(logits - logits.max(1, keepdims=True))
    return found / found.sum(1, keepdims=True)
