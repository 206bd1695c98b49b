"""Which cells are chosen to be labelled."""

import numpy as np
import pytest

from bm_plugins.apis.prediction.suggest import WAYS, choose
from bm_plugins.errors import InputError


def kinds(counts, seed=0):
    """Cells of several far kinds, and which kind each is of."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(len(counts)), counts)
    centres = rng.normal(0, 10, (len(counts), 12))
    return centres[kind] + rng.normal(size=(len(kind), 12)), kind


def even(number, classes=4):
    return np.full((number, classes), 1 / classes)


def test_typical_cells_are_one_of_each_kind_the_largest_first():
    cells, kind = kinds([60, 5, 30, 10, 15])
    chosen = choose(cells, even(120), [], 5)
    assert kind[chosen].tolist() == [0, 2, 4, 3, 1]
    # Rather in the middle of its kind.
    own = cells[kind == 0]
    far = np.linalg.norm(own[:, None] - own[None], axis=2).mean(1)
    assert far[chosen[0]] < np.median(far)


def test_kinds_that_have_a_label_come_last():
    cells, kind = kinds([60, 5, 30, 10, 15])
    labelled = [*np.flatnonzero(kind == 0)[:2], np.flatnonzero(kind == 2)[0]]
    chosen = choose(cells, even(120), labelled, 3)
    # As many clusters as labels: the kinds are split, none left out.
    assert {1, 3, 4} <= {*kind[choose(cells, even(120), labelled, 6)]}
    assert not {*chosen} & {*labelled}


def test_uncertain_cells_are_between_classes_and_of_several_kinds():
    cells, kind = kinds([50, 50])
    scores = np.tile([0.9, 0.05, 0.05], (100, 1))
    doubtful = [3, 7, 11, 60, 71, 93]
    scores[doubtful] = [0.41, 0.4, 0.19]
    scores[7] = [0.4, 0.4, 0.2]
    chosen = choose(cells, scores, [], 2, 'uncertain')
    assert {*kind[chosen]} == {0, 1} and chosen[0] == 7
    assert {*chosen} <= {*doubtful}


@pytest.mark.parametrize('by', WAYS)
def test_the_same_image_is_chosen_once_and_never_when_labelled(by):
    cells, _ = kinds([8, 8])
    noise = np.random.default_rng(1).normal(0, 1e-6, (20, 12))
    cells = np.concatenate([cells, cells[:4], cells[:15] + 0])
    cells[16:20] += noise[:4]
    scores = np.random.default_rng(2).dirichlet(np.ones(3), len(cells))
    chosen = choose(cells, scores, [16], 15, by)
    # Rows 16 to 19 are 0 to 3, from 20 on 0 to 14; 0 has a label, as 16.
    originals = {i if i < 16 else i - 16 if i < 20 else i - 20 for i in chosen}
    assert originals == {*range(1, 16)} and len(chosen) == 15
    with pytest.raises(InputError, match='15 different cells have no label'):
        choose(cells, scores, [16], 16, by)


def test_random_cells_by_seed():
    cells, _ = kinds([30, 30])
    first, again, other = (
        choose(cells, even(60), [5], 10, 'random', seed) for seed in (0, 0, 1)
    )
    assert first == again != other and 5 not in first
