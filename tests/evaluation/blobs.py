"""Classes around centres."""

import numpy as np
import torch

SHARES = (0.6, 0.3, 0.07, 0.03)  # of a long tail


def blobs(n=300, classes=4, dims=6, noise=1.0, seed=0, shares=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    if shares:
        counts = np.round(np.multiply(shares, n)).astype(int)
        labels = rng.permutation(np.repeat(np.arange(len(shares)), counts))
    centres = rng.normal(size=(classes, dims))
    features = centres[labels] + noise * rng.normal(size=(n, dims))
    return torch.from_numpy(features), torch.from_numpy(labels)
