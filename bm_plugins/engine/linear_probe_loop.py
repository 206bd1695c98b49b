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

from ..atomic_write import atomic_write
from ..errors import InputError
from ..evaluation.linear_classifier import choose_l2, fit_softmax_regression
from .features import extract_features
from .unwrap import unwrap


@LOOPS.register_module()
class LinearProbeLoop(TestLoop):
    """Fit a linear classifier on frozen features, then test it.

    One pass over the training part takes the features; on them the classifier
    of the paper's equation 2 is fitted by cross-entropy, its regularisation
    chosen by cross-validation inside the training part; it becomes the model's
    head, the model is saved to ``linear_probe.pth`` in the work folder, and
    the test runs as usual. The same figures on any number of ranks.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): The test part.
        evaluator (Evaluator or dict or list): Its metrics.
        train_dataloader (dict): The training part, in order, unaugmented.
        fit (bool): Fit a classifier; False tests the one in the checkpoint.
            Defaults to True.
        l2 (Sequence[float]): Values of the L2 regularisation to choose from,
            for standardised features.
        folds (int): Folds of the inner cross-validation. Defaults to 5.
        fp16 (bool): Mixed precision on a GPU. Defaults to False.

    Raises:
        InputError: The head's number of classes is not the data set's, or the
            checkpoint does not fit.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        train_dataloader: dict,
        fit: bool = True,
        l2: Sequence[float] = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5),
        folds: int = 5,
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.fit = fit
        self.l2 = tuple(l2)
        self.folds = folds
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
        """Fit, save and test.

        Returns:
            dict: The metrics of the test part.
        """
        if not self.runner._has_loaded:  # the untrained baseline
            self.runner.logger.info('No checkpoint: untrained features.')
            self.model.init_weights()
        if self.fit:
            self._fit_head()
        return super().run()

    def _fit_head(self) -> None:
        logger = self.runner.logger
        head = self.model.head.fc
        features, labels = extract_features(
            self.model, self.train_dataloader, self._features, self.fp16
        )
        if is_main_process():
            logger.info(
                f'Fitting {self.num_classes} classes on {len(labels)} '
                f'features of length {features.size(1)}.'
            )
            mean, std = features.mean(0), features.std(0)
            std = torch.where(std > 0, std, torch.ones_like(std))
            scaled = (features - mean) / std
            l2, scores = choose_l2(
                scaled, labels, self.num_classes, self.l2, self.folds, seed=0
            )
            listed = ', '.join(f'{k:g}: {v:.4f}' for k, v in scores.items())
            logger.info(
                f'L2 {l2:g}, by macro F1 of {self.folds}-fold '
                f'cross-validation inside the training part ({listed}).'
            )
            theta = fit_softmax_regression(
                scaled, labels, self.num_classes, l2
            )
            weight = theta[:-1] / std[:, None]
            bias = theta[-1] - mean @ weight
            with torch.no_grad():
                head.weight.copy_(weight.t())
                head.bias.copy_(bias)
        broadcast(head.weight.data)
        broadcast(head.bias.data)
        if is_main_process():
            self._save(l2)

    def _features(self, inputs: Tensor) -> Tensor:
        return self.model.head.pre_logits(self.model.extract_feat(inputs))

    def _save(self, l2: float) -> None:
        path = Path(self.runner.work_dir, 'linear_probe.pth')
        meta = dict(
            dataset_meta=self.dataloader.dataset.metainfo,
            l2=l2,
            pretrained=self.runner._load_from,
        )
        weights = {k: v.cpu() for k, v in self.model.state_dict().items()}
        with atomic_write(path) as partial, open(partial, 'wb') as stream:
            torch.save(dict(meta=meta, state_dict=weights), stream)
        self.runner.logger.info(f'Saved the fitted classifier to {path}')
