"""Soft assignment of samples to prototypes with equal shares."""

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Sinkhorn-Knopp assignment of a batch to prototypes.

    SwAV (arXiv:2006.09882), section 3.1: the soft assignment of highest score
    plus ``epsilon`` times entropy that uses all prototypes equally. Computed
    on logarithms in float32: at epsilon 0.03, exp(score / epsilon) reaches
    e^33, past float16.

    Args:
        scores (Tensor): Cosine similarities (B, K) of all samples of all
            ranks; any floating-point type.
        epsilon (float): Weight of the entropy, from 0.005.
        iterations (int): Rounds of normalising prototypes, then samples; 1
            or more.

    Returns:
        Tensor: Assignment (B, K), float32; each row sums to 1.
    """
    scores = scores.float()
    # The first round takes any constant of a prototype out; near 0 the
    # division by a small epsilon costs the largest shares no digits.
    log_q = (scores - scores.amax(0)) / epsilon
    for _ in range(iterations):
        # Equal shares up to a constant, which the next line takes out.
        log_q = log_q - log_q.logsumexp(0, keepdim=True)
        log_q = log_q - log_q.logsumexp(1, keepdim=True)
    return log_q.softmax(1)
