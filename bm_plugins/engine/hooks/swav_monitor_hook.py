"""Whether SwAV learns, and what to change if it does not."""

import math
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from bm_plugins.errors import InputError

from .checkpoint_hook import last_good
from .swav_loss_of import swav_loss_of
from .swav_settings import check_swav_settings
from .swav_window import SwAVHealth, SwAVWindow

LOGGED = ('ln_k_share', 'spread', 'usage_entropy', 'dead_prototypes')
ADVICE = 'docs/small_data.md says what helped on 1,166 images'


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
        self._loss = swav_loss_of(runner.model)
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
