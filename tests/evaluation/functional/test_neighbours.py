import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from bm_plugins.evaluation.functional.neighbours import weighted_knn


@pytest.mark.parametrize('k', [1, 5, 20, 60])
def test_equals_scikit_learn(k):
    rng = np.random.default_rng(k)
    memory, features = rng.normal(size=(60, 8)), rng.normal(size=(25, 8))
    labels = np.concatenate([[0, 1, 3], rng.integers(0, 4, 57)])
    reference = KNeighborsClassifier(
        k,
        metric='cosine',
        algorithm='brute',
        weights=lambda distance: np.exp((1 - distance) / 0.07),
    ).fit(memory, labels)
    expected = np.zeros((25, 5))
    expected[:, reference.classes_] = reference.predict_proba(features)
    votes = weighted_knn(
        torch.from_numpy(memory),
        torch.from_numpy(labels),
        torch.from_numpy(features),
        num_classes=5,
        k=k,
    )
    np.testing.assert_allclose(votes, expected, rtol=0, atol=1e-9)


def test_no_more_neighbours_than_there_are():
    memory = torch.eye(3)
    votes = weighted_knn(
        memory, torch.tensor([0, 1, 1]), memory[:1], 2, k=20, temperature=1.0
    )
    e = np.e
    expected = torch.tensor([[e / (e + 2), 2 / (e + 2)]])
    torch.testing.assert_close(votes, expected.float())


def test_a_small_temperature_does_not_overflow():
    memory = torch.eye(3)
    votes = weighted_knn(
        memory, torch.tensor([0, 1, 1]), memory, 2, temperature=1e-3
    )
    assert votes.argmax(1).tolist() == [0, 1, 1]
    torch.testing.assert_close(votes.sum(1), torch.ones(3))
