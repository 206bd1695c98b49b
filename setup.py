"""What only code can say of the installation; the rest: pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMim(build_py):
    """Adds configs and tools as bm_plugins/.mim, where OpenMMLab looks."""

    def run(self) -> None:
        """Build; an editable install reads them from the checkout."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'bm_plugins', '.mim')
        for folder in ('configs', 'tools'):
            shutil.copytree(
                folder,
                mim / folder,
                ignore=shutil.ignore_patterns('__pycache__'),
                dirs_exist_ok=True,
            )
        shutil.copy('model-index.yml', mim)


setup(license='Apache-2.0', cmdclass={'build_py': BuildWithMim})
