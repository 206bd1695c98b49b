"""k-nearest-neighbour validation of a network in pretraining."""

import torch
from mmengine.dist import broadcast
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, ValLoop, autocast
from mmpretrain.registry import DATASETS, LOOPS
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.utils.data import DataLoader

from bm_plugins.engine.features.features import (
    backbone_features,
    extract_features,
    some_of_each,
)
from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.neighbours import weighted_knn


@LOOPS.register_module()
class KNNLoop(ValLoop):
    """Classify the validation part by its neighbours in the training part.

    It asks nothing of the model but a backbone, so that pretraining can be
    watched, and ``save_best`` of the checkpoint hook can use its scores. The
    features are the backbone's last, averaged over the image; the votes are
    those of :func:`weighted_knn`. The same figures on any number of ranks.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): The validation part, with labels.
        evaluator (Evaluator or dict or list): Its metrics.
        train_dataloader (dict): The training part, labelled, unaugmented.
        per_class (int, optional): Training images of a class to compare with,
            drawn once, by seed 0; None for all. Defaults to 1000.
        k (int): Neighbours. Defaults to 20.
        temperature (float): Of their weights. Defaults to 0.07.
        fp16 (bool): Mixed precision on a GPU. Defaults to False.

    Raises:
        InputError: The two parts have different classes.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        train_dataloader: dict,
        per_class: int | None = 1000,
        k: int = 20,
        temperature: float = 0.07,
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.k = k
        self.temperature = temperature
        known = DATASETS.build(train_dataloader['dataset'])
        if per_class is not None:
            known.get_subset_(some_of_each(known, per_class))
        self.known = runner.build_dataloader(
            dict(train_dataloader, dataset=known), seed=runner.seed
        )
        self.classes = known.metainfo['classes']
        if self.classes != self.dataloader.dataset.metainfo['classes']:
            raise InputError(
                'val_cfg.train_dataloader and val_dataloader have different '
                'classes: give both the same metainfo.'
            )

    def run(self) -> dict:
        """Take the features of both parts and vote."""
        runner = self.runner
        runner.call_hook('before_val')
        runner.call_hook('before_val_epoch')
        self.model = unwrap(runner.model)
        for buffer in self.model.buffers():
            broadcast(buffer)  # statistics of BN that is not synchronised
        memory, labels = extract_features(
            self.model,
            self.known,
            self._features,
            self.fp16,
            on_all_ranks=True,
        )
        self.memory = memory.double(), labels
        for idx, batch in enumerate(self.dataloader):
            self.run_iter(idx, batch)
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        del self.memory
        runner.call_hook('after_val_epoch', metrics=metrics)
        runner.call_hook('after_val')
        return metrics

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Classify one batch."""
        self.runner.call_hook(
            'before_val_iter', batch_idx=idx, data_batch=data_batch
        )
        batch = self.model.data_preprocessor(data_batch, training=False)
        with autocast(enabled=self.fp16):
            features = self._features(batch['inputs'])
        scores = weighted_knn(
            *self.memory,
            features.double(),
            len(self.classes),
            self.k,
            self.temperature,
        )
        outputs: list[DataSample] = [
            sample.set_pred_score(score).set_pred_label(score.argmax())
            for sample, score in zip(
                batch['data_samples'], scores, strict=True
            )
        ]
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook(
            'after_val_iter',
            batch_idx=idx,
            data_batch=data_batch,
            outputs=outputs,
        )

    def _features(self, inputs: Tensor) -> Tensor:
        return backbone_features(self.model.backbone, inputs)
