"""Head, middle and tail of a long-tailed class set."""

import numpy as np

GROUPS = ('head', 'middle', 'tail')


def class_groups(train_support: np.ndarray) -> np.ndarray:
    """Thirds of the classes by their number of training images.

    Of the release's 21 classes the tail is the seven of fewer than 1,000
    images.

    Args:
        train_support (np.ndarray): Training images (C,).

    Returns:
        np.ndarray: Index (C,) into ``GROUPS``; -1 without a training image.
        Among equals the earlier class is the larger one.
    """
    support = np.asarray(train_support)
    order = np.argsort(-support, kind='stable')
    order = order[support[order] > 0]
    groups = np.full(len(support), -1)
    for group, members in enumerate(np.array_split(order, len(GROUPS))):
        groups[members] = group
    return groups
