"""Linear evaluation of frozen features as a test loop."""

from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import broadcast, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, TestLoop
from mmpretrain.registry import LOOPS
from torch import Tensor
from torch.utils.data import DataLoader

from bm_plugins.engine.features.feature_cache import FeatureCache, feature_key
from bm_plugins.engine.features.features import extract_features
from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear.objective import check_class_weight
from bm_plugins.evaluation.linear.probe import (
    LinearProbe,
    fit_linear_probe,
)
from bm_plugins.utils.files import atomic_write

NOT_RECORDED = 'the checkpoint does not say how it was fitted'


@LOOPS.register_module()
class LinearProbeLoop(TestLoop):
    """Fit a linear classifier on frozen features, then test it.

    One pass over the training part takes the features; on them the classifier
    of the paper's equation 2 is fitted by cross-entropy, its regularisation
    chosen by cross-validation inside the training part; it becomes the model's
    head, the model is saved to ``linear_probe.pth`` in the work folder, and
    the test runs as usual. The same figures on any number of ranks. How it was
    fitted is in that file's ``meta`` and beside the figures.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): The test part.
        evaluator (Evaluator or dict or list): Its metrics.
        train_dataloader (dict): The training part, in order, unaugmented.
        fit (bool): Fit a classifier; False tests the one in the checkpoint.
            Defaults to True.
        l2 (Sequence[float], optional): Values of the L2 regularisation to
            choose from, for standardised features. Defaults to None: those of
            :func:`fit_linear_probe`.
        folds (int): Folds of the inner cross-validation. Defaults to 5.
        class_weight (str, optional): ``'balanced'`` or None, as for
            :func:`fit_linear_probe`. Defaults to ``'balanced'``.
        fp16 (bool): Mixed precision on a GPU. Defaults to False.
        cache_dir (str, optional): Folder that keeps the training part's
            features for the next run of the same weights on the same files
            (:class:`FeatureCache`); it may be deleted at any time. Defaults
            to None: none are kept.

    Attributes:
        classifier (dict): How the classifier was fitted: ``text``, and
            ``class_weight`` and ``l2`` where they are known. Empty before.

    Raises:
        InputError: The head's number of classes is not the data set's, or the
            checkpoint does not fit; ``class_weight`` is another.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        train_dataloader: dict,
        fit: bool = True,
        l2: Sequence[float] | None = None,
        folds: int = 5,
        class_weight: str | None = 'balanced',
        fp16: bool = False,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.cache = FeatureCache(cache_dir) if cache_dir else None
        self.pipeline = train_dataloader['dataset'].get('pipeline')
        if self.cache and self.pipeline is None:
            self.cache = None
            runner.logger.info(
                'Features are not cached: test_cfg.train_dataloader.dataset '
                'has no pipeline, which they depend on.'
            )
        self.fit = fit
        self.l2 = tuple(l2) if l2 else None
        self.folds = folds
        check_class_weight(class_weight)
        self.class_weight = class_weight
        self.classifier = {}
        self.train_dataloader = runner.build_dataloader(
            train_dataloader, seed=runner.seed
        )
        self.model = unwrap(runner.model)
        self.num_classes = self.model.head.num_classes
        self.classes = tuple(self.dataloader.dataset.metainfo['classes'])
        if len(self.classes) != self.num_classes:
            raise InputError(
                f'model.head.num_classes is {self.num_classes}, but the data '
                f'set has {len(self.classes)} classes: set both to the same.'
            )
        fitted = tuple(self.train_dataloader.dataset.metainfo['classes'])
        if fitted != self.classes:
            raise InputError(
                f'the training part has the classes {" ".join(fitted)}, the '
                f'test part {" ".join(self.classes)}: give both data sets the '
                'same metainfo.'
            )

    def run(self) -> dict:
        """Fit, save and test."""
        if not self.runner._has_loaded:
            if getattr(self.model.backbone, 'is_init', False):
                what = 'the weights that the backbone loaded itself.'
            else:  # the untrained baseline
                what = 'untrained features.'
                self.model.init_weights()
            self.runner.logger.info(f'No checkpoint: {what}')
        if self.fit:
            self._fit_head()
        self.evaluator.dataset_meta = dict(
            self.dataloader.dataset.metainfo,
            classifier=self.classifier.get('text', NOT_RECORDED),
        )
        return super().run()

    def note_checkpoint(self, meta: dict) -> None:
        """Take how the classifier was fitted from its checkpoint's ``meta``.

        Nothing where another training wrote it.
        """
        if 'l2' in meta:
            keys = {'l2', 'class_weight'} & {*meta}
            older = f'{NOT_RECORDED} but for L2 {meta["l2"]:g}'
            self.classifier = dict(text=meta.get('classifier', older))
            self.classifier |= {key: meta[key] for key in keys}

    def _fit_head(self) -> None:
        head = self.model.head.fc
        features, labels = self._train_features()
        if is_main_process():
            probe = fit_linear_probe(
                *(features, labels, self.num_classes, self.l2, self.folds),
                say=self.runner.logger.info,
                class_weight=self.class_weight,
            )
            with torch.no_grad():
                head.weight.copy_(probe.weight)
                head.bias.copy_(probe.bias)
        broadcast(head.weight.data)
        broadcast(head.bias.data)
        if is_main_process():
            self._save(probe)

    def _train_features(self) -> tuple[Tensor, Tensor]:
        """Features (N, D) and labels (N,) on rank 0; from the cache if there.

        The labels are always the data set's.
        """
        dataset = self.train_dataloader.dataset
        cached, key = None, None
        if self.cache and is_main_process():
            key = feature_key(self.model, dataset, self.pipeline, self.fp16)
            cached = self.cache.load(key)
        found = torch.tensor(int(cached is not None))
        broadcast(found)  # all ranks do the same
        if found:
            if cached is None:  # another rank has them
                return torch.empty(0), torch.empty(0)
            device = self.model.head.fc.weight.device
            labels = torch.as_tensor(dataset.get_gt_labels())
            return cached.to(device), labels.to(device)
        features, labels = extract_features(
            self.model, self.train_dataloader, self._features, self.fp16
        )
        if key and len(features) == len(dataset):
            self.cache.save(key, features)
        return features, labels

    def _features(self, inputs: Tensor) -> Tensor:
        return self.model.head.pre_logits(self.model.extract_feat(inputs))

    def _save(self, probe: LinearProbe) -> None:
        self.classifier = probe.facts
        path = Path(self.runner.work_dir, 'linear_probe.pth')
        meta = dict(
            dataset_meta=self.dataloader.dataset.metainfo,
            class_weight=probe.class_weight,
            l2=probe.l2,
            classifier=probe.text,
            pretrained=self.runner._load_from,
        )
        weights = {k: v.cpu() for k, v in self.model.state_dict().items()}
        with atomic_write(path) as partial, open(partial, 'wb') as stream:
            torch.save(dict(meta=meta, state_dict=weights), stream)
        self.runner.logger.info(f'Saved the fitted classifier to {path}')
