"""Class weights from the training part."""

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from bm_plugins.models.losses.weighted_cross_entropy import (
    WeightedCrossEntropyLoss,
    class_weights,
)


@HOOKS.register_module()
class ClassWeightHook(Hook):
    """Weigh the loss by how rare each class is in the training part.

    By the images that are there, not by how often a sampler shows them.

    Args:
        kind (str, optional): In place of the loss's rule, as for
            :func:`class_weights`. Defaults to None: the loss's.
        beta (float, optional): Likewise.

    Raises:
        InputError: The model's loss takes no such weights.
    """

    def __init__(
        self, kind: str | None = None, beta: float | None = None
    ) -> None:
        self.kind = kind
        self.beta = beta

    def before_train(self, runner: Runner) -> None:
        """Set the weights and log them."""
        loss = getattr(unwrap(runner.model).head, 'loss_module', None)
        if not isinstance(loss, WeightedCrossEntropyLoss):
            raise InputError(
                'ClassWeightHook needs model.head.loss='
                "dict(type='WeightedCrossEntropyLoss'); found "
                f'{type(loss).__name__}.'
            )
        kind = self.kind or loss.rule or 'inverse_frequency'
        beta = loss.beta if self.beta is None else self.beta
        dataset = runner.train_dataloader.dataset
        classes = dataset.metainfo['classes']
        counts = np.bincount(dataset.get_gt_labels(), minlength=len(classes))
        weights = class_weights(counts, kind, beta)
        loss.set_weights(weights)
        listed = ' '.join(
            f'{code} {weight:.4g}'
            for code, weight in zip(classes, weights, strict=True)
        )
        runner.logger.info(f'Class weights, {kind}: {listed}')
