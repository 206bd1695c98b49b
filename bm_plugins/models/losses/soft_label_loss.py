"""A hierarchical loss: a near class as an error costs less than a far one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bm_plugins.datasets.class_set import did_you_mean
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import read_csv

# Steps of maturation over 6, within granulopoiesis, erythropoiesis and the
# lymphoid lineage.
COSTS = Path(__file__).with_name('confusion_costs.csv')


@MODELS.register_module()
class SoftLabelLoss(nn.Module):
    """Cross-entropy with targets that spread over the neighbouring classes.

    Bertinetto et al. 2020 (arXiv:1912.09393), section 3.2, soft labels: class
    A's share of an image of class C is exp(-β d(A, C)), over the sum for all
    A. The distance d is here the cost of a confusion by a table, in place of
    the height in a tree.

    ``MarrowRunner`` adds ``TrainingClassesHook`` to any training with it,
    which tells it the classes; nothing else may be done with it before.

    Args:
        beta (float): β; the greater, the nearer is the loss to plain
            cross-entropy. Defaults to 15.
        costs (str or Path): Of confusions, as for :func:`read_costs`.
            Defaults to ``confusion_costs.csv`` beside this module.

    Attributes:
        soft_labels (Tensor): (C, C), of each class in a row; a buffer that no
            checkpoint holds.

    Raises:
        InputError: β is not above 0.
    """

    needed_hooks = ('TrainingClassesHook',)
    takes_balanced = True
    soft_labels: Tensor

    def __init__(self, beta: float = 15.0, costs: str | Path = COSTS) -> None:
        super().__init__()
        if not (isinstance(beta, int | float) and beta > 0):
            raise InputError(f'beta={beta!r}: expected a number above 0.')
        self.beta = beta
        self.costs = costs
        self.register_buffer('soft_labels', torch.empty(0), persistent=False)

    def set_classes(self, codes: Sequence[str], counts: Sequence[int]) -> str:
        """Take the costs of these classes from the table.

        Returns:
            str: For the log.

        Raises:
            InputError: As for :func:`read_costs`.
        """
        costs = torch.from_numpy(read_costs(self.costs, codes))
        soft = (-self.beta * costs).softmax(1)
        self.soft_labels = soft.to(self.soft_labels)
        said = [
            f'{c} {s:.3f}' for c, s in zip(codes, soft.diag(), strict=True)
        ]
        return f"A class's share of its own soft label: {' '.join(said)}"

    def forward(self, cls_score: Tensor, label: Tensor, **_: Any) -> Tensor:
        """Mean over the images.

        Args:
            cls_score (Tensor): Logits (N, C).
            label (Tensor): Class indices (N,), or soft targets (N, C), of
                which each class is spread.
        """
        if label.dim() == 1:
            soft = self.soft_labels[label]
        else:
            soft = label.float() @ self.soft_labels
        return cross_entropy(cls_score.float(), soft)


def read_costs(file: str | Path, codes: Sequence[str]) -> np.ndarray:
    """Costs of confusions, from a table of pairs.

    Args:
        file (str or Path): CSV with the columns ``code,other,cost``, each
            pair in either order. Costs are above 0 and up to 1, which is that
            of any other pair. Pairs with a class of the collection that is
            not among ``codes`` are left out.
        codes (Sequence[str]): The class codes (C,), in label order.

    Returns:
        np.ndarray: (C, C) float64, symmetric, 0 on the diagonal.

    Raises:
        InputError: The file or a column is missing, a code is unknown, a cost
            is none, a class has a cost with itself, a pair has two costs, or
            no pair is of these classes.
    """
    index = {code: number for number, code in enumerate(codes)}
    costs = 1 - np.eye(len(codes))
    said: dict[frozenset[str], float] = {}
    for line, row in read_csv(
        file, ['code', 'other', 'cost'], what='costs of confusions'
    ):
        pair = [normalize('NFC', row[key]) for key in ('code', 'other')]
        where = f'{file}, line {line}, {" ".join(pair)}'
        for code in pair:
            if code not in index and code not in CLASSES:
                raise InputError(
                    f'{where}: there is no class {code}'
                    f'{did_you_mean(code, codes)}; expected a code of '
                    f'{" ".join(codes)}.'
                )
        try:
            cost = float(row['cost'])
        except ValueError:
            cost = np.nan
        if not 0 < cost <= 1:
            raise InputError(
                f'{where}: the cost is {row["cost"]!r}; expected a number '
                'above 0 and up to 1, the cost of classes that are not near.'
            )
        if pair[0] == pair[1]:
            raise InputError(
                f'{where}: a class costs nothing as itself. Take the line out.'
            )
        if said.setdefault(frozenset(pair), cost) != cost:
            raise InputError(
                f'{where}: the cost is {cost:g}, and '
                f'{said[frozenset(pair)]:g} in a line above. Say a pair once, '
                'for both orders.'
            )
        if {*pair} <= {*index}:
            a, b = (index[code] for code in pair)
            costs[a, b] = costs[b, a] = cost
    if (costs[~np.eye(len(codes), dtype=bool)] == 1).all():
        raise InputError(
            f'{file} has no pair of the classes {" ".join(codes)}. Give a '
            'table of theirs: model.head.loss.costs=FILE.'
        )
    return costs
