"""When SwAV's queue starts and its prototypes thaw."""

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS

from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from bm_plugins.models.losses.swav_loss import swav_loss_of


@HOOKS.register_module()
class SwAVScheduleHook(Hook):
    """Start the queue and free the prototypes, both in epochs from 0.

    Frozen prototypes get no gradient, so neither momentum nor weight decay
    moves them; nothing is switched in the graph, so DDP needs no
    ``find_unused_parameters`` and mixed precision changes nothing.

    Args:
        queue_start_epoch, freeze_prototypes_epochs (int, optional): In place
            of those of :class:`GlobalSwAVLoss`. Default to None: the loss's.
    """

    def __init__(
        self,
        queue_start_epoch: int | None = None,
        freeze_prototypes_epochs: int | None = None,
    ) -> None:
        self.queue_start_epoch = queue_start_epoch
        self.freeze_prototypes_epochs = freeze_prototypes_epochs

    def before_train(self, runner: Runner) -> None:
        """Check the queue; let frozen prototypes drop their gradients.

        Raises:
            InputError: The queue is shorter than a global batch, or the
                training has no epochs to count.
        """
        loss = swav_loss_of(unwrap(runner.model))
        for name in ('queue_start_epoch', 'freeze_prototypes_epochs'):
            if getattr(self, name) is None:
                setattr(self, name, getattr(loss, name))
        length = loss.queue.size(1)
        waits = length > 0 and self.queue_start_epoch > 0
        if (waits or self.freeze_prototypes_epochs > 0) and not isinstance(
            runner.train_loop, EpochBasedTrainLoop
        ):
            raise InputError(
                'SwAV counts epochs until its prototypes are freed and its '
                'queue starts, and this training has none (train_cfg is by '
                'iterations). Set train_cfg=dict(by_epoch=True, max_epochs='
                '...), or model.head.loss.freeze_prototypes_epochs=0 and '
                'queue_start_epoch=0.'
            )
        sampler = runner.train_dataloader.batch_sampler
        batch = sampler.batch_size * runner.world_size
        if 0 < length < batch:
            raise InputError(
                f'queue_length {length} is less than the global batch of '
                f'{batch}: raise model.head.loss.queue_length to a multiple '
                'of the batch, or set it to 0.'
            )
        epochs = runner.max_epochs
        if length > 0 and self.queue_start_epoch >= epochs:
            runner.logger.warning(
                f'SwAV: the queue is never in use: queue_start_epoch '
                f'{self.queue_start_epoch} of model.head.loss is not below '
                f'train_cfg.max_epochs {epochs}. Lower it, or set '
                'queue_length=0.'
            )
        if self.freeze_prototypes_epochs >= epochs:
            runner.logger.warning(
                'SwAV: the prototypes never learn: freeze_prototypes_epochs '
                f'{self.freeze_prototypes_epochs} of model.head.loss is not '
                f'below train_cfg.max_epochs {epochs}. Lower it.'
            )
        if runner.iter == 0:  # those of an earlier run are of another network
            loss.reset_queue()

        def freeze(*_) -> None:
            if loss.freeze_prototypes:
                loss.prototypes.weight.grad = None

        runner.optim_wrapper.optimizer.register_step_pre_hook(freeze)

    def before_train_epoch(self, runner: Runner) -> None:
        """Switch the queue and the prototypes on in their first epoch."""
        loss = swav_loss_of(unwrap(runner.model))
        loss.use_queue = (
            loss.queue.size(1) > 0 and runner.epoch >= self.queue_start_epoch
        )
        loss.freeze_prototypes = runner.epoch < self.freeze_prototypes_epochs
