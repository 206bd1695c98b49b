"""Few and readable log lines.

Why: mmengine prints its environment, the whole config and all hooks to the
screen at each start, some 300 lines; they stay in the log file. The warnings
silenced here are known and harmless, each named with its cause.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import MMLogger

# mmengine's Runner, its visualizer and FileClient: advice to their authors.
_HARMLESS = (
    # mmcv-lite: no compiled operators, and none is used.
    r'Fail to import ``MultiScaleDeformableAttention``',
    # mmselfsup and mmpretrain define the same transforms.
    r'.*is deprecated, please use `backend_args`',
    # torch and mmengine: their order check trips on resume.
    r'Detected call of `(lr_)?scheduler\.step\(\)` before',
    # torch: mmengine passes pin_memory whether a GPU is there or not.
    r".*'pin_memory' argument is set as true but no accelerator.*",
)
for message in _HARMLESS:
    warnings.filterwarnings('ignore', message=message)

# Listings, and advice to upstream's own authors.
_FILE_ONLY = (
    '\n---',
    'Config:\n',
    'Hooks will be executed',
    'Distributed training is not used',
    'Exp name:',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)


def quiet_screen(logger: logging.Logger) -> None:
    """Show listings of the start in the log file alone."""
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(_is_for_screen)


def _is_for_screen(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_FILE_ONLY)


@contextmanager
def warnings_only() -> Iterator[None]:
    """Keep what mmengine says of its work off the screen and out of logs.

    It names each environment variable that a config reads, and each weight
    that it initialises.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)
