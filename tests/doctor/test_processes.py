import os

from bm_plugins.doctor import processes
from bm_plugins.doctor.processes import check, check_gloo, check_starts


def test_here_they_start_and_reach_each_other():
    assert [(f.level, f.name) for f in check()] == [
        ('ok', 'processes'),
        ('ok', 'gloo'),
    ]


def test_an_interface_that_does_not_exist(monkeypatch):
    monkeypatch.setenv('GLOO_SOCKET_IFNAME', 'none0')
    finding = check_gloo()
    assert finding.level == 'problem'
    assert 'GLOO_SOCKET_IFNAME=lo' in finding.text


def test_a_process_that_dies():
    findings = check_starts(os._exit)
    assert [f.level for f in findings] == ['problem', 'problem']
    assert 'num_workers=0' in findings[0].text


def test_one_of_two_that_dies(monkeypatch):
    monkeypatch.setattr(processes, '_add_up', lambda *_: os._exit(9))
    finding = check_gloo()
    assert finding.level == 'problem' and 'it died' in finding.text
