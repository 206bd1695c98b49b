"""A wheel made from the source distribution works outside the checkout."""

import configparser
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml

import bm_plugins

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ('configs', 'tools', 'model-index.yml')


def run(*command, cwd):
    """Standard output of a command that cannot see the checkout."""
    hidden = ('PYTHONPATH', 'PYTHONHOME')
    env = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def sources():
    """Files of the checkout that git tracks, or does not ignore."""
    listing = run(
        *('git', 'ls-files', '-co', '--exclude-standard'), cwd=ROOT
    ).splitlines()
    return [name for name in listing if (ROOT / name).is_file()]


@pytest.fixture(scope='module')
def installed(sources, tmp_path_factory):
    """A new environment with the wheel: its python and its packages."""
    tmp = tmp_path_factory.mktemp('packaging')
    for name in sources:
        copy = tmp / 'source' / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    run(
        *(sys.executable, 'setup.py', '-q', 'sdist', '-d', tmp),
        cwd=tmp / 'source',
    )
    pip = (sys.executable, '-m', 'pip', '-q', '--disable-pip-version-check')
    alone = ('--no-deps', '--no-index')
    run(
        *(*pip, 'wheel', *alone, '--no-build-isolation', '--no-cache-dir'),
        next(tmp.glob('*.tar.gz')).name,
        cwd=tmp,
    )
    venv.create(tmp / 'venv', symlinks=True)
    python = tmp / 'venv/bin/python'
    wheel = next(tmp.glob('*.whl')).name
    run(*pip, '--python', python, 'install', *alone, wheel, cwd=tmp)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(python, '-c', code, cwd=tmp).strip())
    # Behind its own packages those of this environment, but no .pth of them.
    paths = {sysconfig.get_path(name) for name in ('purelib', 'platlib')}
    (site / 'stack.pth').write_text('\n'.join(sorted(paths)))
    return python, site


@pytest.mark.slow
def test_it_holds_every_file(installed, sources):
    _, site = installed
    package = site / 'bm_plugins'
    expected = {
        name.removeprefix('bm_plugins/')
        for name in sources
        if name.startswith('bm_plugins/')
    } | {f'.mim/{name}' for name in sources if name.startswith(SHIPPED)}
    assert {'.mim/configs/swav_bm.py', 'py.typed'} < expected
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob('*')
        if path.is_file() and path.suffix != '.pyc'
    }
    assert found == expected
    assert os.access(package / '.mim/tools/dist_train.sh', os.X_OK)


@pytest.mark.slow
def test_it_is_used_outside_the_checkout(installed, tmp_path):
    python, site = installed
    code = (
        'import bm_plugins; print(bm_plugins.__file__)\n'
        'from mmengine.config import Config\n'
        'from pathlib import Path\n'
        "mim = Path(bm_plugins.__file__).parent / '.mim'\n"
        "cfg = Config.fromfile(mim / 'configs/swav_tiny_bm.py')\n"
        'print(cfg.model.head.loss.num_prototypes)\n'
    )
    where, prototypes = run(python, '-c', code, cwd=tmp_path).splitlines()[-2:]
    assert Path(where) == site / 'bm_plugins/__init__.py'
    assert prototypes == '100'


def test_it_installs_the_command_bm(installed):
    _, site = installed
    [file] = site.glob('bm_plugins-*.dist-info/entry_points.txt')
    entry = configparser.ConfigParser()
    entry.read(file)
    assert entry['console_scripts']['bm'] == 'bm_plugins.cli:main'
    assert (site.parents[2] / 'bin/bm').is_file()


def test_it_names_the_stack_that_it_needs(installed):
    _, site = installed
    [file] = site.glob('bm_plugins-*.dist-info/METADATA')
    lines = file.read_text(encoding='utf-8').splitlines()
    assert 'License: Apache-2.0' in lines
    assert 'Requires-Dist: mmpretrain==1.2.0' in lines
    assert 'Requires-Dist: torch>=2.4' in lines


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text('utf-8'))
    assert citation['version'] == bm_plugins.__version__
    assert citation['license'] == 'Apache-2.0'
