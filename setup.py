"""Installation of bm_plugins."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """Lines of requirements/<name>.txt that are no comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


setup(
    name='bm_plugins',
    version=re.search(
        r"__version__ = '(.+)'",
        (ROOT / 'bm_plugins' / '__init__.py').read_text(),
    )[1],
    description='OpenMMLab plugins for bone-marrow cell recognition',
    license='Apache-2.0',
    packages=find_packages(include=['bm_plugins*']),
    package_data={
        'bm_plugins': ['*/*.csv', '*/*.j2', 'report/cell_page/*'],
    },
    python_requires='>=3.10',
    install_requires=requirements('mminstall') + requirements('runtime'),
    entry_points={'console_scripts': ['bm = bm_plugins.cli:main']},
    extras_require={
        'tests': requirements('tests'),
        'optional': requirements('optional'),
    },
)
