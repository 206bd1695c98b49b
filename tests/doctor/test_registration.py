from mmpretrain.registry import DATASETS

from bm_plugins.doctor.registration import check, check_opencv


def test_everything_is_registered():
    assert {f.level for f in check()} <= {'ok', 'warning'}
    assert check()[0].text == 'registered in mmpretrain'


def test_one_that_is_not(monkeypatch):
    monkeypatch.delitem(DATASETS.module_dict, 'Matek')
    [finding] = check()
    assert finding.level == 'problem' and 'Matek' in finding.text


def test_two_opencvs():
    assert check_opencv(['opencv-python']) == []
    [finding] = check_opencv(['opencv-python', 'opencv-python-headless'])
    assert finding.level == 'warning' and 'uninstall' in finding.text
