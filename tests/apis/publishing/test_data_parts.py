"""Three parts without a common image."""

import pytest
from mmengine.registry import init_default_scope

from bm_plugins.apis.publishing.data_parts import make_parts, training_scale
from bm_plugins.apis.publishing.figures import MIN_CALIBRATION
from bm_plugins.apis.publishing.settings import read_settings
from bm_plugins.datasets.manifest import (
    read_manifest,
    read_stamp,
    write_stamp,
)
from bm_plugins.datasets.scale import Scale
from bm_plugins.errors import InputError
from tests.apis.tiny_publish import config, manifest_of

TRAIN = 'test_cfg.train_dataloader.dataset'


@pytest.fixture
def parts(cells):
    def make(*options, calibration='val', manifest=None):
        init_default_scope('mmpretrain')
        manifest = manifest or manifest_of(cells)
        cfg = config(cells, manifest, False, *options)
        return make_parts(read_settings(cfg), calibration)

    return make


def paths(part):
    return [part.get_data_info(i)['path'] for i in range(len(part))]


def test_val_part_leaves_the_training(parts, cells):
    found = parts()
    names, _, splits, _ = read_manifest(manifest_of(cells))
    for part, name in (
        (found.train, 'train'),
        (found.calibration, 'val'),
        (found.test, 'test'),
    ):
        own = [n for n, s in zip(names, splits, strict=True) if s == name]
        assert paths(part) == own
    assert (found.calibration_text, found.test_text) == (
        'val part',
        'test part',
    )


def test_half_of_the_test_part(parts, cells, tmp_path):
    """Of each class as many on both sides, but for one."""
    manifest = tmp_path / 'more.csv'
    header, *rows = manifest_of(cells).read_text().splitlines()
    rows[1::2] = [
        row.replace(',val,', ',test,').replace(',train,', ',test,')
        for row in rows[1::2]
    ]
    rows = [row.replace(',val,', ',test,') for row in rows]
    manifest.write_text('\n'.join([header, *rows]))
    found = parts(calibration='test', manifest=manifest)
    names, labels, splits, _ = read_manifest(manifest)
    test = {n for n, s in zip(names, splits, strict=True) if s == 'test'}
    half, rest = paths(found.calibration), paths(found.test)
    assert {*half} | {*rest} == test and not {*half} & {*rest}
    for code in ('ABE', 'BLA', 'LYT'):
        counts = [sum(p[:3] == code for p in part) for part in (half, rest)]
        assert abs(counts[0] - counts[1]) <= 1, code
    assert len(found.test.get_gt_labels()) == len(rest)
    assert found.train.split == ('train', 'val')
    assert 'half' in found.calibration_text and 'half' in found.test_text


def test_share_of_the_labels_is_kept(parts):
    assert len(parts(f'{TRAIN}.fraction=0.5').train) < 20


def test_no_val_part(parts, cells, tmp_path):
    manifest = tmp_path / 'none.csv'
    text = manifest_of(cells).read_text()
    manifest.write_text(text.replace(',val,', ',train,'))
    with pytest.raises(InputError, match='none.csv.*val.*--calibration test'):
        parts(manifest=manifest)
    with pytest.raises(InputError, match='half.*6 images.*19 or more'):
        parts(calibration='test', manifest=manifest)


def test_too_few_images(parts, cells):
    assert MIN_CALIBRATION == 19  # sets at an error rate of .05 need 1/.05-1
    with pytest.raises(InputError, match='val part of .*: 6 images'):
        parts(manifest=cells / 'split.csv')


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (f'{TRAIN}.split=train,test', 'includes the test part'),
        (f'{TRAIN}.split=val', 'is val alone'),
        ('model.head.num_classes=21', 'is 21, .* has 3 classes'),
        (f'{TRAIN}.metainfo.classes=LYT,BLA,ABE', 'LYT BLA ABE, the test'),
        ('test_dataloader.dataset.ann_file=no.csv', 'no.csv does not exist'),
        ('test_dataloader.dataset.data_root=no', 'no is no folder'),
    ],
)
def test_parts_that_do_not_fit(parts, option, message):
    with pytest.raises(InputError, match=message):
        parts(option)


def test_scale_of_the_training_images(cells, tmp_path):
    """By hand, else by the stamp, else by the images themselves."""
    init_default_scope('mmpretrain')
    manifest = tmp_path / 'split.csv'
    manifest.write_bytes(manifest_of(cells).read_bytes())
    train = make_parts(read_settings(config(cells, manifest))).train
    assert train.ann_file == str(manifest) and read_stamp(manifest) is None
    assert training_scale(train) == Scale(64, 64)
    assert training_scale(train, '0.1') == Scale(64, 64, 0.1)
    noted = dict(width=250, height=250, um_per_px=0.2, share=0.5)
    write_stamp(manifest, dict(scale=noted))
    assert training_scale(train) == Scale(**noted)
    assert training_scale(train, 0.1) == Scale(250, 250, 0.1, 0.5)
    with pytest.raises(InputError, match='--um-per-px same: expected'):
        training_scale(train, 'same')
