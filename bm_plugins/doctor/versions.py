"""Python and packages, against requirements/*.txt."""

import sys
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from bm_plugins.utils.environment import versions

from .finding import OK, PROBLEM, WARNING, Finding

REQUIREMENTS = Path(__file__).resolve().parents[2] / 'requirements'
INSTALL = (
    'pip install -r requirements/mminstall.txt -r requirements/runtime.txt'
)
# The same module; without compiled operators, of which none is used here.
INSTEAD = {'mmcv-lite': 'mmcv'}


def check(data_root: str | None = None) -> list[Finding]:
    """Look at Python, each required package, and pairs that must fit."""
    wanted = requirements()
    # Those required, or what may stand in for them.
    installed = versions([r.name for r in wanted] + [*INSTEAD.values()])
    return [
        check_python(sys.version_info[:2]),
        *check_packages(wanted, installed),
        *check_pair(installed),
    ]


def requirements() -> list[Requirement]:
    """What setup.py requires: of the checkout, else of the installation."""
    lines = requires('bm_plugins') if not REQUIREMENTS.is_dir() else []
    for name in ('mminstall', 'runtime'):
        file = REQUIREMENTS / f'{name}.txt'
        if file.is_file():
            lines += file.read_text().splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    found = [Requirement(line) for line in lines if line[0] != '#']
    return [r for r in found if not (r.marker and 'extra' in str(r.marker))]


def check_python(current: tuple[int, int]) -> Finding:
    """3.10 to 3.12 are known to work."""
    text = '.'.join(map(str, current))
    if current < (3, 10):
        text += ': 3.10 or newer is needed: make install PYTHON=python3.11.'
        return Finding(PROBLEM, 'Python', text)
    if current > (3, 12):
        text += ': tried up to 3.12. If it fails, take an older one.'
        return Finding(WARNING, 'Python', text)
    return Finding(OK, 'Python', text)


def check_packages(
    wanted: Iterable[Requirement], installed: dict[str, str]
) -> list[Finding]:
    """A line for those that fit, one for each that does not."""
    fitting, others = [], []
    for requirement in wanted:
        name, allowed = requirement.name, requirement.specifier
        if name not in installed and INSTEAD.get(name) in installed:
            name = INSTEAD[name]
        now = installed.get(name)
        if now is None:
            text = f'is not installed. {INSTALL}'
            others.append(Finding(PROBLEM, name, text))
        elif not allowed.contains(now, prereleases=True):
            # A pin says what is tested, a bound what is needed.
            pinned = all(s.operator == '==' for s in allowed)
            level = WARNING if pinned else PROBLEM
            what = 'tested is' if pinned else 'needed is'
            text = f'{now}: {what} {allowed}. {INSTALL}'
            others.append(Finding(level, name, text))
        else:
            fitting.append(f'{name} {now}')
    if fitting:
        others.insert(0, Finding(OK, 'packages', ', '.join(fitting)))
    return others


def check_pair(installed: dict[str, str]) -> list[Finding]:
    """torch 2.N goes with torchvision 0.(N + 15)."""
    if not {'torch', 'torchvision'} <= {*installed}:
        return []
    one, two = (Version(installed[n]) for n in ('torch', 'torchvision'))
    if one.major == 2 and (two.major, two.minor) == (0, one.minor + 15):
        text = f'torch {one} and torchvision {two} are a pair'
        return [Finding(OK, 'torchvision', text)]
    text = (
        f'torch {one} and torchvision {two} are no pair: torch 2.N goes with '
        'torchvision 0.(N + 15). pip install torch==2.11.0 torchvision==0.26.0'
    )
    return [Finding(PROBLEM, 'torchvision', text)]
