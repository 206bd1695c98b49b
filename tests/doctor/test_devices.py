import os

import torch

from bm_plugins.doctor.devices import check, driver, without


def test_this_machine():
    findings = check()
    if torch.cuda.is_available():
        assert findings[0].name == 'GPU 0'
        assert torch.cuda.get_device_name() in findings[0].text
    else:
        assert findings == [without(torch.version.cuda, driver())]


def test_no_gpu_is_no_problem():
    finding = without('12.6', None)
    assert finding.level == 'warning' and 'make demo' in finding.text


def test_a_gpu_that_torch_does_not_see():
    finding = without(None, '550.54')
    assert finding.level == 'problem' and 'for the CPU' in finding.text
    finding = without('13.0', '470.1')
    assert finding.level == 'problem' and 'Update the driver' in finding.text


def test_the_driver_is_what_its_tool_says(tmp_path, monkeypatch):
    tool = tmp_path / 'nvidia-smi'
    tool.write_text('#!/bin/sh\necho 550.54.15\necho 550.54.15\n')
    tool.chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'
    monkeypatch.setenv('PATH', path)
    assert driver() == '550.54.15'
