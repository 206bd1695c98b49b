"""Scores class by class, where a tracker can draw them."""

from mmengine.dist import master_only
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class ClassFiguresHook(Hook):
    """Send trackers what mmengine keeps from them.

    After each validation the scores of each class (``f1/BLA``), and after a
    test these and the averages, all under ``test/``. The file that stands in
    for a tracker, ``scalars.json``, does not get them: after a test they are
    in ``per_class.csv`` and ``figures.csv``.
    """

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Send the scores of each class."""
        scores = _class_scores(runner.val_evaluator)
        _send(runner, scores, runner.epoch)

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Send averages and the scores of each class."""
        scores = (metrics or {}) | _class_scores(runner.test_evaluator)
        _send(runner, {f'test/{k}': v for k, v in scores.items()}, 0)


def _class_scores(evaluator: Evaluator) -> dict[str, float]:
    scores = {}
    for metric in evaluator.metrics:
        scores |= getattr(metric, 'class_scores', {})
    return scores


@master_only
def _send(runner: Runner, scores: dict[str, float], step: int) -> None:
    for backend in runner.visualizer._vis_backends.values():
        if scores and not isinstance(backend, LocalVisBackend):
            backend.add_scalars(dict(scores), step=step)
