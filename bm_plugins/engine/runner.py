"""mmengine's Runner on any machine, with checks that stop early."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import (
    BaseLoop,
    CheckpointLoader,
    EpochBasedTrainLoop,
    Runner,
)
from mmengine.visualization import Visualizer
from mmpretrain.registry import RUNNERS
from torch import nn
from torch.utils.data import DataLoader

from bm_plugins.compat.cpu_sync_bn import use_cpu_sync_bn
from bm_plugins.compat.gloo_processes import init_gloo, wrap_cpu_model
from bm_plugins.compat.gpu_sync_bn import use_sync_free_bn
from bm_plugins.compat.quiet_logs import quiet_screen
from bm_plugins.compat.safe_loading import drop_config
from bm_plugins.engine.checkpoints.checkpoint_keys import (
    backbone_weights,
    check_classes,
    check_num_classes,
    is_of,
    model_weights,
)
from bm_plugins.engine.hooks.checkpoint_hook import last_good
from bm_plugins.engine.hooks.preemption_hook import let_workers_outlive_sigterm
from bm_plugins.engine.loops.linear_probe_loop import LinearProbeLoop
from bm_plugins.errors import InputError, first_line
from bm_plugins.utils.files import atomic_write, make_folder

from .checkpoints.resume_check import check_progress, progress_of
from .config_check import check_config
from .epoch_check import check_epoch
from .schedule_length import (
    fit_schedule,
    group_settings,
    keep_settings,
    settings,
)
from .step_options import FastStepRunner
from .trackers import with_trackers
from .unwrap import unwrap
from .upstream_limits import check_queue


@RUNNERS.register_module()
class MarrowRunner(FastStepRunner):
    """Runner chosen by ``runner_type='mmpretrain.MarrowRunner'``.

    Beyond mmengine's: several processes without a GPU (gloo, SyncBN on the
    CPU), checkpoints that must fit the model, one number of batches on all
    ranks, metrics that know the run's folder, a screen free of listings, and
    the options of :class:`FastStepRunner`.
    """

    def __init__(
        self, model: nn.Module | dict, work_dir: str, *args: Any, **kwargs: Any
    ) -> None:
        make_folder(work_dir)
        self._schedule: list[dict] = []  # as the config says, with ends
        super().__init__(model, work_dir, *args, **kwargs)

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build it from a config without keys that nothing reads."""
        check_config(cfg)
        return super().from_cfg(cfg)

    def setup_env(self, env_cfg: dict) -> None:
        """Make the process group on gloo where there is no GPU."""
        if (
            self.distributed
            and not torch.cuda.is_available()
            and not torch.distributed.is_initialized()
        ):
            timeout = env_cfg.get('dist_cfg', {}).get('timeout', 1800)
            init_gloo(self._launcher, timeout)
        super().setup_env(env_cfg)

    def wrap_model(
        self, model_wrapper_cfg: dict | None, model: nn.Module
    ) -> nn.Module:
        """Wrap in DDP; on the CPU without device ids."""
        on_cpu = not torch.cuda.is_available()
        if not (self.distributed and on_cpu) or is_model_wrapper(model):
            wrapped = super().wrap_model(model_wrapper_cfg, model)
            return use_sync_free_bn(wrapped)
        if model_wrapper_cfg is not None:
            raise InputError(
                'model_wrapper_cfg needs GPUs; without one leave it out.'
            )
        if self.cfg.get('sync_bn') is not None:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return wrap_cpu_model(
            use_cpu_sync_bn(model),
            self.cfg.get('find_unused_parameters', False),
        )

    def build_logger(self, *args: Any, **kwargs: Any) -> logging.Logger:
        """As upstream's, with listings in the file alone."""
        logger = super().build_logger(*args, **kwargs)
        quiet_screen(logger)
        return logger

    def register_hooks(
        self,
        default_hooks: dict | None = None,
        custom_hooks: list | None = None,
    ) -> None:
        """Register them, and those that parts of the model cannot do without.

        A config's ``custom_hooks`` take the place of those it inherits, so
        that a method's own must not stand there. Where one does, it counts.
        """
        super().register_hooks(default_hooks, custom_hooks)
        kinds = [kind for hook in self.hooks for kind in type(hook).__mro__]
        there = {kind.__name__ for kind in kinds}
        for part in unwrap(self.model).modules():
            for name in getattr(part, 'needed_hooks', ()):
                if name not in there:
                    self.register_custom_hooks([dict(type=name)])
                    there.add(name)

    def register_hook(self, hook: Any, priority: Any = None) -> None:
        """Register it; what its arguments lack is said in one line."""
        name = hook.get('type') if isinstance(hook, dict) else None
        try:
            super().register_hook(hook, priority)
        except InputError:
            raise
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            if name is None:
                raise
            said = first_line(error)
            cure = " ('greater' or 'less')" if 'infer the rule' in said else ''
            raise InputError(
                f'custom_hooks or default_hooks: {name} cannot be built: '
                f'{said}{cure}'
            ) from error

    def build_visualizer(self, visualizer: Any = None) -> Visualizer:
        """Build it, with the config's ``tracker``."""
        tracker = self.cfg.get('tracker')
        return super().build_visualizer(with_trackers(visualizer, tracker))

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, *args: Any, **kwargs: Any
    ) -> DataLoader:
        """Build it; page-locked batches where there is a GPU to copy to."""
        if isinstance(dataloader, dict):
            dataloader = dict(dataloader)
            if not torch.cuda.is_available():
                dataloader['pin_memory'] = False
            dataloader.setdefault('pin_memory', True)
            if not dataloader.get('num_workers'):  # none can be persistent
                dataloader.pop('persistent_workers', None)
        return let_workers_outlive_sigterm(
            Runner.build_dataloader(dataloader, *args, **kwargs)
        )

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop; its data must fit the model and the ranks."""
        if isinstance(loop, dict) and loop.get('by_epoch') is True:
            rest = {k: v for k, v in loop.items() if k != 'by_epoch'}
            loop = dict(type='mmpretrain.ResumableTrainLoop', **rest)
        loop = super().build_train_loop(loop)
        model = unwrap(self.model)
        check_epoch(model, loop.dataloader)
        check_queue(model, loop.dataloader, self.world_size)
        preprocessor = getattr(model, 'data_preprocessor', None)
        if hasattr(preprocessor, 'take_over'):
            preprocessor.take_over(loop.dataloader.dataset)
        return loop

    def build_evaluator(self, evaluator: Any) -> Evaluator:
        """Tell the metrics the run's folder."""
        evaluator = super().build_evaluator(evaluator)
        for metric in evaluator.metrics:
            if getattr(metric, 'out_dir', '') is None:
                metric.out_dir = self.log_dir
        return evaluator

    def train(self) -> nn.Module:
        """Train, if the config says how."""
        if self._train_loop is None:
            raise InputError(
                'this config has no training: a linear_*.py config is for '
                'tools/test.py.'
            )
        weights = [*unwrap(self.model).parameters()]
        trained = sum(w.numel() for w in weights if w.requires_grad)
        total = sum(w.numel() for w in weights)
        if trained < total:
            self.logger.info(f'Trained parameters: {trained:,} of {total:,}.')
        return super().train()

    def test(self) -> dict:
        """Test; the newest report stands in the work folder too."""
        if self._test_loop is None:
            raise InputError(
                'this config has no test: evaluate a pretraining checkpoint '
                'by configs/linear_bm.py, or the linear_*.py config of its '
                'backbone.'
            )
        metrics = super().test()
        if self.rank == 0:
            reports = Path(self.log_dir).glob('*.csv')
            # predictions.csv tells that all are there: the last.
            for report in sorted(
                reports, key=lambda file: file.name == 'predictions.csv'
            ):
                with atomic_write(Path(self.work_dir, report.name)) as partial:
                    shutil.copy(report, partial)
        return metrics

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        *args: Any,
        meta: dict | None = None,
        **kwargs: Any,
    ) -> None:
        """Save, whole or not at all, with what a resume compares.

        Raises:
            InputError: A weight is not finite, or the file cannot be written.
        """
        for name, weight in unwrap(self.model).named_parameters():
            if not weight.isfinite().all():
                raise InputError(
                    f'the weights {name} are not finite at iteration '
                    f'{self.iter + 1}, so that {filename} is not saved. '
                    f'{last_good(self.work_dir)} Lower the learning rate '
                    '(optim_wrapper.optimizer.lr), or train without --amp.'
                )
        progress = progress_of(self.train_dataloader, self.world_size)
        meta = dict(meta or {}, progress=progress)
        with atomic_write(Path(out_dir, filename)) as partial:
            super().save_checkpoint(
                out_dir, partial.name, *args, meta=meta, **kwargs
            )

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build schedulers that are as long as the training."""
        if isinstance(scheduler, dict) and 'type' in scheduler:
            scheduler = [scheduler]
        if isinstance(scheduler, list):
            loop = self.train_loop
            by_epoch = isinstance(loop, EpochBasedTrainLoop)
            scheduler = fit_schedule(
                scheduler,
                loop.max_epochs if by_epoch else None,
                loop.max_iters,
                f'train_cfg.max_{"epochs" if by_epoch else "iters"}',
            )
            if all(isinstance(config, dict) for config in scheduler):
                self._schedule = scheduler
        return super().build_param_scheduler(scheduler)

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Resume; the samplers take the seed of the checkpoint.

        Where this training has another schedule, length or optimiser's
        setting than the checkpoint's, its own applies, from the iteration
        that was reached.
        """
        schedulers = self.param_schedulers or []
        planned = settings(schedulers) if isinstance(schedulers, list) else []
        groups = None
        if isinstance(self.optim_wrapper, OptimWrapper):
            groups = group_settings(self.optim_wrapper)
        super().resume(filename, *args, **kwargs)
        if groups is not None:
            keep_settings(self, planned, groups, filename)
        self.resumed_from = filename
        sampler = self.train_dataloader.batch_sampler.sampler
        if hasattr(sampler, 'seed'):
            sampler.seed = self.seed

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', **_: Any
    ) -> dict:
        """Load weights that fit: the backbone's, or all of them.

        Fitting a linear probe takes the backbone alone, and so does training
        from the ``load_from`` of another model; all else takes every weight.
        Always strict.

        Raises:
            InputError: A wanted key is missing, left over or of another shape.
        """
        checkpoint = CheckpointLoader.load_checkpoint(filename, map_location)
        drop_config(checkpoint)  # a URL's too
        saved = checkpoint.get('meta', {}).get('progress')
        if self._resume and saved:  # none where others wrote it
            now = progress_of(self.train_dataloader, self.world_size)
            check_progress(saved, now, filename)
        if isinstance(self._train_loop, BaseLoop):
            self._check_training_classes(checkpoint, filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = unwrap(self.model)
        if isinstance(self._test_loop, BaseLoop):
            check_num_classes(checkpoint, model, filename)
        if self._takes_backbone(checkpoint):
            weights = backbone_weights(checkpoint, model.backbone, filename)
            model.backbone.load_state_dict(weights)
            what = 'the backbone'
        else:
            model.load_state_dict(model_weights(checkpoint, model, filename))
            if isinstance(self._test_loop, BaseLoop):
                tested = self._test_loop.dataloader.dataset.metainfo
                check_classes(checkpoint, tested['classes'], filename)
            if isinstance(self._test_loop, LinearProbeLoop):
                self._test_loop.note_checkpoint(checkpoint.get('meta', {}))
            what = 'all weights'
        self._has_loaded = True
        self.logger.info(f'Loaded {what} of checkpoint {filename}')
        return checkpoint

    def _check_training_classes(self, checkpoint: dict, filename: str) -> None:
        """Refuse labels in another order than the checkpoint learned."""
        dataset = self.train_dataloader.dataset
        whole = self._resume or is_of(checkpoint, unwrap(self.model))
        head = getattr(unwrap(self.model), 'head', None)
        learned = self._resume or hasattr(head, 'num_classes')
        if whole and learned and getattr(dataset, 'with_label', True):
            classes = getattr(dataset, 'metainfo', {}).get('classes', ())
            check_classes(checkpoint, classes, filename)

    def _takes_backbone(self, checkpoint: dict) -> bool:
        """Whether the rest of the model is not to be loaded."""
        if self._resume:
            return False
        if isinstance(self._test_loop, LinearProbeLoop):
            return self._test_loop.fit
        training = isinstance(self._train_loop, BaseLoop)
        return training and not is_of(checkpoint, unwrap(self.model))
