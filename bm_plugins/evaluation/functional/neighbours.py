"""Nearest neighbours by cosine, and their classes."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

# Similarities held at once; 64 MiB as float32.
_AT_ONCE = 2**24


def nearest(
    features: Tensor, known: Tensor, number: int
) -> tuple[Tensor, Tensor]:
    """Known cells of greatest cosine similarity.

    Args:
        features (Tensor): (N, D), taken in pieces, so that memory does not
            grow with N x M.
        known (Tensor): (M, D).
        number (int): Number k to find; no more than there are count.

    Returns:
        tuple[Tensor, Tensor]: Similarities (N, k), -1 to 1, falling, and rows
        of ``known`` (N, k).
    """
    known = normalize(known, dim=1).t()
    count = min(number, known.size(1))
    found = [
        (normalize(some, dim=1) @ known).topk(count, dim=1)
        for some in features.split(max(1, _AT_ONCE // known.size(1)))
    ]
    return tuple(map(torch.cat, zip(*found, strict=True)))


def weighted_knn(
    memory: Tensor,
    labels: Tensor,
    features: Tensor,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    """Weighted k-nearest-neighbour classification.

    Wu et al. 2018, "Unsupervised Feature Learning via Non-Parametric Instance
    Discrimination" (arXiv:1805.01978), section 3.4: each of the k neighbours
    of greatest cosine similarity s votes for its class with the weight
    exp(s / temperature).

    Args:
        memory (Tensor): Features (N, D) of known class.
        labels (Tensor): Their classes (N,).
        features (Tensor): Features (B, D) to classify.
        num_classes (int): Number C of classes.
        k (int): Neighbours; no more than there are count. Defaults to 20.
        temperature (float): Of the weights. Defaults to 0.07.

    Returns:
        Tensor: Shares of the votes (B, C); each row sums to 1.
    """
    values, rows = nearest(features, memory, k)
    # A row's constant falls out of the shares; exp never overflows so.
    weights = (values / temperature).softmax(1)
    votes = weights.new_zeros(len(features), num_classes)
    return votes.scatter_add_(1, labels[rows], weights)
