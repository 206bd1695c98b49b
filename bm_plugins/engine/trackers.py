"""TensorBoard, Weights & Biases or MLflow by one line of a config."""

from importlib.util import find_spec
from typing import Any

from bm_plugins.errors import InputError

# By name: mmengine's backend, and the module that it needs.
TRACKERS = dict(
    tensorboard=('TensorboardVisBackend', 'tensorboard'),
    wandb=('WandbVisBackend', 'wandb'),
    mlflow=('MLflowVisBackend', 'mlflow'),
)


def with_trackers(visualizer: Any, trackers: Any) -> Any:
    """A visualizer's config with one backend more for each tracker.

    Args:
        visualizer: As for mmengine's Runner.
        trackers (str, dict, list or None): ``tracker`` of the config: a name
            of :data:`TRACKERS`, or a dict with that name as ``type`` and
            arguments of mmengine's backend, or several of them.

    Returns:
        As given where there is no tracker, else a new dict.

    Raises:
        InputError: A tracker is not known or not installed, or the
            visualizer is no config.
    """
    if not trackers:
        return visualizer
    if not isinstance(visualizer, dict):
        raise InputError(
            'tracker needs visualizer=dict(...), as in '
            'configs/_base_/default_runtime.py.'
        )
    if not isinstance(trackers, list | tuple):
        trackers = [trackers]
    backends = list(visualizer.get('vis_backends') or [])
    return dict(visualizer, vis_backends=backends + [*map(_backend, trackers)])


def _backend(tracker: str | dict) -> dict:
    given = tracker if isinstance(tracker, dict) else dict(type=tracker)
    name = given.get('type')
    if name not in TRACKERS:
        raise InputError(
            f'tracker={name!r}: expected one of {", ".join(TRACKERS)}, or a '
            'dict with that as its type. Others go into '
            'visualizer.vis_backends.'
        )
    backend, module = TRACKERS[name]
    if find_spec(module) is None:
        raise InputError(
            f'tracker={name}: {module} is not installed. Install it by pip '
            'install -r requirements/optional.txt.'
        )
    return dict(given, type=backend)
