"""All checks, one after the other, whatever fails."""

import argparse
from collections import Counter
from collections.abc import Sequence
from importlib import import_module

from .finding import PROBLEM, WARNING, Finding

# Modules beside this one; each has check(data_root) -> list[Finding].
# Imported one at a time: what they need may be what is broken.
CHECKS = (
    *('versions', 'registration', 'processes', 'devices', 'disk_space'),
    'collection',
)


def main(argv: Sequence[str]) -> int:
    """The command: its arguments; returns its status."""
    parser = argparse.ArgumentParser(
        prog='bm doctor',
        description='Look at versions, GPU, processes, data and disk. The '
        'status is 0 if there is no problem, else 1.',
        epilog='example: bm doctor --data data/synthetic',
    )
    parser.add_argument(
        '--data', metavar='PATH', help='your collection; default BM_DATA_ROOT'
    )
    return examine(parser.parse_args(argv).data)


def examine(data_root: str | None = None) -> int:
    """Print a line for each finding; returns 1 where there is a problem, or 0.

    ``data_root`` is the folder of the collection. Defaults to None: that of
    BM_DATA_ROOT, else the configs' own.
    """
    levels: Counter[str] = Counter()
    for name in CHECKS:
        for finding in _findings(name, data_root):
            print(finding, flush=True)
            levels[finding.level] += 1
    problems, warned = levels[PROBLEM], levels[WARNING]
    warnings = f'{warned} warning{"s" * (warned != 1)}'
    if problems:
        said = f'{problems} problem{"s" * (problems != 1)}, {warnings}: mend '
        said += 'the first problem, then run this again.'
    elif warned:
        said = f'No problem, {warnings}: it runs, but read above what to do.'
    else:
        said = 'No problem, no warning.'
    print(f'\n{said}')
    return int(problems > 0)


def _findings(name: str, data_root: str | None) -> list[Finding]:
    try:
        module = import_module(f'.{name}', __package__)
        return module.check(data_root)
    except Exception as error:  # a broken installation fails anywhere
        said = str(error).strip().splitlines() or ['']
        text = (
            f'cannot be looked at: {type(error).__name__}: {said[0]}. Mend '
            'what stands above, or install again: make install.'
        )
        return [Finding(PROBLEM, name, text)]
