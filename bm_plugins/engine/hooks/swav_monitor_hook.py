"""Whether SwAV learns, and what to change if it does not."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import HOOKS
from torch import Tensor

from bm_plugins.datasets.image_io import read_image
from bm_plugins.datasets.transforms import MultiCropViews
from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError, UnreadableImage
from bm_plugins.models import GlobalSwAVLoss
from bm_plugins.models.losses.swav_loss import swav_loss_of

from .checkpoint_hook import last_good

LOGGED = ('ln_k_share', 'spread', 'usage_entropy', 'dead_prototypes')
# Of a prototype, over all ranks, that its use is judged by.
LEAST_EMBEDDINGS = 10
ADVICE = 'docs/small_data.md says what helped on 1,166 images'


@dataclass
class SwAVHealth:
    """Figures of all ranks since the window began.

    Attributes:
        loss (float): Mean loss of a step; nan where one of them was.
        ln_k_share (float): The loss over ln K, that of a uniform guess.
        spread (float): Standard deviation of the unit embeddings, mean over
            the D dimensions, times the root of D: 1 where they fill the
            sphere evenly, 0 where all are the same (SimSiam,
            arXiv:2011.10566, section 4.1).
        usage_entropy (float or None): Entropy of the shares of embeddings
            that are nearest to each prototype, over ln K: 1 where all are
            used equally. None where too few were seen.
        dead_prototypes (float or None): Share of prototypes that no embedding
            is nearest to.
    """

    loss: float
    ln_k_share: float
    spread: float
    usage_entropy: float | None
    dead_prototypes: float | None


class SwAVWindow:
    """Sums over steps, read once in a while.

    Args:
        loss (GlobalSwAVLoss): The loss to watch, by a forward hook.
    """

    def __init__(self, loss: GlobalSwAVLoss) -> None:
        self.num_prototypes, self.dim = loss.prototypes.weight.shape
        self._sums = self._usage = None
        loss.register_forward_hook(self._add)

    @torch.no_grad()
    def _add(
        self, loss: GlobalSwAVLoss, inputs: tuple[Tensor], output: Tensor
    ) -> None:
        """Add a step without waiting for the device."""
        if not loss.training:
            return
        x = inputs[0].detach().float()
        nearest = (x @ loss.prototypes.weight.float().t()).argmax(1)
        if self._sums is None:
            self._sums = x.new_zeros(1 + 2 * self.dim, dtype=torch.float64)
            self._steps = self._count = 0
        if self._usage is None:
            self._usage = x.new_zeros(self.num_prototypes, dtype=torch.float64)
        ones = torch.ones_like(nearest, dtype=torch.float64)
        self._usage.index_add_(0, nearest, ones)
        self._steps += 1  # numbers of the host: no copy to the device
        self._count += len(x)
        x = x.double()
        step = [output.detach().double().view(1), x.sum(0), x.square().sum(0)]
        self._sums += torch.cat(step)

    def read(self) -> SwAVHealth | None:
        """The figures of all ranks, and a new window; the one wait.

        Returns:
            SwAVHealth or None: None where no step was made.
        """
        if self._sums is None:
            return None
        host = self._sums.new_tensor([self._steps, self._count])
        packed = torch.cat([host, self._sums, self._usage])
        all_reduce(packed)
        sizes = [3, 2 * self.dim, self.num_prototypes]
        totals, moments, usage = packed.cpu().split(sizes)
        steps, count, loss = totals.tolist()
        mean, square = (moments / count).chunk(2)
        variance = (square - mean.square()).clamp(min=0)
        ln_k = math.log(self.num_prototypes)
        entropy = dead = None
        if usage.sum() >= LEAST_EMBEDDINGS * self.num_prototypes:
            shares = usage / usage.sum()
            entropy = torch.special.entr(shares).sum().item() / ln_k
            dead = (usage == 0).double().mean().item()
            self._usage = None
        self._sums = None
        return SwAVHealth(
            loss=loss / steps,
            ln_k_share=loss / steps / ln_k,
            spread=variance.sqrt().mean().item() * math.sqrt(self.dim),
            usage_entropy=entropy,
            dead_prototypes=dead,
        )


def check_swav_settings(
    loss: GlobalSwAVLoss, dataset: BaseDataset, batch_size: int
) -> list[str]:
    """Settings that seldom work, a sentence or two for each.

    ``batch_size`` is that of all ranks in a step.

    Raises:
        InputError: The data give another number of views than the loss takes.
    """
    prototypes, queue = loss.prototypes.out_features, loss.queue.size(1)
    warnings = []
    if prototypes > 2 * (batch_size + queue):
        warnings.append(
            f'SwAV: model.head.loss.num_prototypes={prototypes} for '
            f'{batch_size + queue} embeddings (global batch {batch_size}, '
            f'queue {queue}): most prototypes get none. Use at most '
            f'{2 * (batch_size + queue)} prototypes, or a longer queue.'
        )
    if queue > len(dataset):
        warnings.append(
            f'SwAV: model.head.loss.queue_length={queue} is more than the '
            f'{len(dataset)} images of an epoch, so that it holds embeddings '
            'of a network long gone. Shorten it, or set it to 0.'
        )
    pipeline = getattr(dataset, 'pipeline', None)  # a wrapper has none
    for transform in getattr(pipeline, 'transforms', []):
        if isinstance(transform, MultiCropViews):
            given, wanted = len(transform.views), sum(loss.num_crops)
            if given != wanted:
                raise InputError(
                    f'MultiCropViews in train_dataloader.dataset.pipeline '
                    f'gives {given} views of an image, model.head.loss.'
                    f'num_crops={loss.num_crops} says {wanted}: set both to '
                    'the same.'
                )
            warnings += _check_views(transform, dataset)
    return warnings


def _check_views(views: MultiCropViews, dataset: BaseDataset) -> list[str]:
    try:
        image = read_image(dataset.get_data_info(0)['img_path'])
    except UnreadableImage:  # LoadCellImage will say so
        return []
    side = min(image.shape[:2])
    warnings = []
    for size, scale in dict.fromkeys(views.views):
        least = side * math.sqrt(min(scale))
        if size > side or size > 4 * least:
            warnings.append(
                f'SwAV: views of {size} px are blown up from images of '
                f'{side} px, the smallest from {least:.0f} px. Lower size, '
                'or raise scale, in the views of MultiCropViews.'
            )
    return warnings


@HOOKS.register_module()
class SwAVMonitorHook(Hook):
    """Log SwAV's health where the loss is logged, and warn.

    At the logging interval it logs ``ln_k_share``, ``spread``,
    ``usage_entropy`` and ``dead_prototypes`` (see :class:`SwAVHealth`); the
    steps between wait for nothing. At the start it checks the settings
    against each other. It warns, once, of a run that stays at the loss of a
    uniform guess, of embeddings that are all the same, and of prototypes that
    are not used. A loss that is not finite ends the run.

    Args:
        patience (int): Epochs in a row, after the prototypes are free, that
            something has to be wrong before the warning. Defaults to 5.
        stuck_share (float): Share of ln K that counts as stuck. Defaults to
            0.98.
        least_spread (float): Spread below which embeddings count as all the
            same. Defaults to 0.1.
        most_dead (float): Share of dead prototypes to warn of. Defaults to
            0.5.
    """

    def __init__(
        self,
        patience: int = 5,
        stuck_share: float = 0.98,
        least_spread: float = 0.1,
        most_dead: float = 0.5,
    ) -> None:
        self.patience = patience
        self.stuck_share = stuck_share
        self.least_spread = least_spread
        self.most_dead = most_dead

    def before_train(self, runner: Runner) -> None:
        """Check the settings; start the window."""
        self._loss = swav_loss_of(unwrap(runner.model))
        self._window = SwAVWindow(self._loss)
        self._shares: list[float] = []
        self._epochs = dict.fromkeys(('stuck', 'spread', 'dead'), 0)
        self._interval = next(
            (h.interval for h in runner.hooks if isinstance(h, LoggerHook)), 50
        )
        dataloader = runner.train_dataloader
        batch_size = dataloader.batch_sampler.batch_size * runner.world_size
        warnings = check_swav_settings(
            self._loss, dataloader.dataset, batch_size
        )
        if is_main_process():
            for warning in warnings:
                runner.logger.warning(warning)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, *_: Any, **__: Any
    ) -> None:
        """Log, where ``LoggerHook`` is about to.

        Raises:
            InputError: The loss of a step was not finite.
        """
        last = self.end_of_epoch(runner.train_dataloader, batch_idx)
        if not last and not self.every_n_inner_iters(
            batch_idx, self._interval
        ):
            return
        health = self._window.read()
        rate = runner.optim_wrapper.optimizer.param_groups[0]['lr']
        if not math.isfinite(health.loss):
            raise InputError(
                f'the loss is {health.loss} in epoch {runner.epoch + 1}, '
                f'within {self._interval} iterations before '
                f'{runner.iter + 1}. {last_good(runner.work_dir)} Lower '
                f'optim_wrapper.optimizer.lr (now {rate:g}), or train '
                'without --amp.'
            )
        for name in LOGGED:
            value = getattr(health, name)
            if value is not None:
                runner.message_hub.update_scalar(f'train/{name}', value)
        self._shares.append(health.ln_k_share)
        if last:
            if not self._loss.freeze_prototypes:
                self._judge(runner, health, rate)
            self._shares = []

    def _judge(self, runner: Runner, health: SwAVHealth, rate: float) -> None:
        """Warn of what has been wrong for some epochs."""
        share = sum(self._shares) / len(self._shares)
        dead = health.dead_prototypes or 0.0
        prototypes = self._loss.prototypes.out_features
        problems = dict(
            stuck=(
                share > self.stuck_share,
                f'SwAV is stuck: the loss is {share:.2f} of ln {prototypes}, '
                'that of a uniform guess. Start anew with fewer prototypes '
                f'(model.head.loss.num_prototypes, now {prototypes}), then '
                'a higher learning rate (optim_wrapper.optimizer.lr, now '
                f'{rate:g}), then a smaller model.head.loss.epsilon (now '
                f'{self._loss.epsilon:g}); {ADVICE}.',
            ),
            spread=(
                health.spread < self.least_spread,
                'SwAV: the embeddings are nearly all the same (spread '
                f'{health.spread:.3f}; 1 fills the sphere). Lower the '
                'learning rate (optim_wrapper.optimizer.lr, now '
                f'{rate:g}), or train with larger batches; {ADVICE}.',
            ),
            dead=(
                dead > self.most_dead,
                f'SwAV: {dead:.0%} of {prototypes} prototypes are nearest to '
                'no embedding. Lower model.head.loss.num_prototypes, or '
                'lengthen model.head.loss.queue_length.',
            ),
        )
        for name, (wrong, warning) in problems.items():
            if self._epochs[name] < self.patience:  # else it was said
                self._epochs[name] = self._epochs[name] + 1 if wrong else 0
                if self._epochs[name] == self.patience and is_main_process():
                    runner.logger.warning(warning)
