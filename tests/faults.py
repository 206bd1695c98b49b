"""Break runs at random moments and write what came of it.

make faults    writes docs/reliability.md; some minutes on two cores
"""

import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import forked_runs  # noqa: E402
from tests.engine.resumable_runs import assert_equal, states  # noqa: E402

KILLS, SIGNALS = 20, 5
KEEP_ONE = [
    'default_hooks.checkpoint.interval=1',
    'default_hooks.checkpoint.max_keep_ckpts=1',
]
OPTIONS = [*KEEP_ONE, 'train_cfg.max_epochs=8', 'param_scheduler.1.end=8']


def equal(one, two):
    """Whether two runs ended in the same state, to the last bit."""
    try:
        assert_equal(states(one), states(two))
    except AssertionError:
        return False
    return True


class Faults:
    """One kind of fault after another, each a row of the report."""

    def __init__(self, folder, seed):
        self.folder = Path(folder)
        self.random = random.Random(seed)
        self.data = self.folder / 'data'
        self.rows = []
        self.runs = 0

    def start(self, name, world_size, *args, options=OPTIONS):
        return forked_runs.start(
            self.folder / name, world_size, self.data, *args, options=options
        )

    def note(self, fault, outcome):
        self.rows.append((fault, outcome))
        print(f'{fault}: {outcome}', flush=True)
