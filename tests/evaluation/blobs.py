"""Classes around centres."""

import numpy as np
import torch


def blobs(n=300, classes=4, dims=6, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    centres = rng.normal(size=(classes, dims))
    features = centres[labels] + noise * rng.normal(size=(n, dims))
    return torch.from_numpy(features), torch.from_numpy(labels)
