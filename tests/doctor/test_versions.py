from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

from bm_plugins.doctor.versions import (
    check,
    check_packages,
    check_pair,
    check_python,
    requirements,
)


def test_this_installation_fits():
    findings = check()
    assert {f.level for f in findings} == {'ok'}
    assert f'torch {version("torch")}' in findings[1].text


def test_all_that_setup_requires():
    names = {r.name for r in requirements()}
    assert {'mmengine', 'mmpretrain', 'torch', 'numpy', 'scipy'} <= names
    assert 'pytest' not in names


@pytest.mark.parametrize(
    ('current', 'level'),
    [((3, 9), 'problem'), ((3, 10), 'ok'), ((3, 12), 'ok')]
    + [((3, 14), 'warning')],
)
def test_python(current, level):
    assert check_python(current).level == level


def levels(line, **installed):
    found = {k.replace('_', '-'): v for k, v in installed.items()}
    findings = check_packages([Requirement(line)], found)
    return [(f.level, f.name) for f in findings]


def test_packages():
    assert levels('torch>=2.4', torch='2.4.0') == [('ok', 'packages')]
    assert levels('torch>=2.4', torch='2.4.0+cu121') == [('ok', 'packages')]
    assert levels('torch>=2.4', torch='2.3.1') == [('problem', 'torch')]
    assert levels('torch>=2.4') == [('problem', 'torch')]
    # A pin is what was tested.
    wrong = [('warning', 'mmengine')]
    assert levels('mmengine==0.10.7', mmengine='0.10.4') == wrong


def test_mmcv_stands_in_for_its_lite_twin():
    line = 'mmcv-lite==2.0.1'
    assert levels(line, mmcv='2.0.1') == [('ok', 'packages')]
    assert levels(line, mmcv='2.1.0') == [('warning', 'mmcv')]
    assert levels(line) == [('problem', 'mmcv-lite')]


@pytest.mark.parametrize(
    ('torch', 'torchvision', 'level'),
    [
        ('2.4.0', '0.19.1', 'ok'),
        ('2.11.0+cpu', '0.26.0+cpu', 'ok'),
        ('2.13.0', '0.26.0', 'problem'),
        ('2.4.0', '0.20.0', 'problem'),
    ],
)
def test_torch_and_torchvision(torch, torchvision, level):
    # The pairs of https://github.com/pytorch/vision#installation
    [finding] = check_pair(dict(torch=torch, torchvision=torchvision))
    assert finding.level == level
