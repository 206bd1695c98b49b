"""Classes of the nearest neighbours."""

from torch import Tensor
from torch.nn.functional import normalize


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
    similarity = normalize(features, dim=1) @ normalize(memory, dim=1).t()
    values, nearest = similarity.topk(min(k, len(memory)), dim=1)
    # A row's constant falls out of the shares; exp never overflows so.
    weights = (values / temperature).softmax(1)
    votes = weights.new_zeros(len(features), num_classes)
    return votes.scatter_add_(1, labels[nearest], weights)
