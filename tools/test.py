#!/usr/bin/env python3
"""mmpretrain's tools/test.py with this project's plugins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bm_plugins.cli import run_upstream  # noqa: E402

if __name__ == '__main__':
    run_upstream('test')
