"""What a loss has to know of the training part."""

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from bm_plugins.datasets.samplers.class_balanced_sampler import (
    ClassBalancedSampler,
)
from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError


@HOOKS.register_module()
class TrainingClassesHook(Hook):
    """Tell the loss the classes and how many training images each has.

    A loss that names it in ``needed_hooks`` has ``set_classes(codes,
    counts)``, which returns a line for the log, and ``takes_balanced``.

    Raises:
        InputError: The loss does not go with balanced sampling.
    """

    def before_train(self, runner: Runner) -> None:
        """Tell it, and log what it says."""
        loss = unwrap(runner.model).head.loss_module
        loader = runner.train_dataloader
        sampler = loader.batch_sampler.sampler
        balanced = isinstance(sampler, ClassBalancedSampler)
        if balanced and not loss.takes_balanced:
            raise InputError(
                f'{type(loss).__name__} allows for unequal classes, which '
                'ClassBalancedSampler makes equal: take one of the two. Set '
                'train_dataloader.sampler.type=DefaultSampler, or '
                'model.head.loss.type=CrossEntropyLoss.'
            )
        codes = loader.dataset.metainfo['classes']
        labels = loader.dataset.get_gt_labels()
        counts = np.bincount(labels, minlength=len(codes))
        runner.logger.info(loss.set_classes(codes, counts))
