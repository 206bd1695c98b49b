from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES, SUPPORTS


def test_table_of_the_release():
    assert len(CLASSES) == len(FULL_NAMES) == len(SUPPORTS) == 21
    assert list(CLASSES) == sorted(CLASSES)
    assert sum(SUPPORTS) == 171_374
    assert dict(zip(CLASSES, SUPPORTS, strict=True))['NGS'] == 29_424
    assert FULL_NAMES[CLASSES.index('KSC')] == 'Smudge cells'
