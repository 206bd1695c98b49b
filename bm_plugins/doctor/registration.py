"""The plugins themselves, and what they rest on, at work."""

import torch
import torchvision

from bm_plugins.utils.environment import versions

from .finding import OK, PROBLEM, WARNING, Finding

OPENCV = ('opencv-python', 'opencv-python-headless')


def check(data_root: str | None = None) -> list[Finding]:
    """Import and register everything; run a compiled operator."""
    # One that a torchvision built for another torch does not have.
    torchvision.ops.nms(torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1), 0.5)
    from mmpretrain.registry import DATASETS, MODELS, RUNNERS

    from bm_plugins import plugins  # noqa: F401

    kinds = dict(Matek=DATASETS, SwAVLoss=MODELS, MarrowRunner=RUNNERS)
    missing = [name for name, kind in kinds.items() if kind.get(name) is None]
    if missing:
        text = f'not registered: {", ".join(missing)}. make install.'
        return [Finding(PROBLEM, 'plugins', text)]
    return [
        Finding(OK, 'plugins', 'registered in mmpretrain'),
        *check_opencv([*versions(OPENCV)]),
    ]


def check_opencv(installed: list[str]) -> list[Finding]:
    """Two packages that hold the same files overwrite each other's."""
    if len(installed) < 2:
        return []
    text = (
        f'{" and ".join(installed)} are both installed and overwrite each '
        'other. If cv2 fails: pip uninstall both, then install one.'
    )
    return [Finding(WARNING, 'OpenCV', text)]
