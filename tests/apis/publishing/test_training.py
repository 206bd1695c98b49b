"""What a checkpoint's training saw, counted by hand."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from bm_plugins.apis.publishing.data_parts import Parts
from bm_plugins.apis.publishing.training import (
    Training,
    check_unseen,
    count_seen,
    read_training,
)
from bm_plugins.datasets import Matek
from bm_plugins.errors import InputError
from bm_plugins.utils.config_text import parse_config

ROWS = (
    ('ABE/ABE_00001.jpg', 'ABE', 'train', 0),
    ('BLA/BLA_00001.jpg', 'BLA', 'train', 1),
    ('BLA/BLA_00002.jpg', 'BLA', 'val', 0),
    ('LYT/LYT_00001.jpg', 'LYT', 'val', 1),
    ('LYT/LYT_00002.jpg', 'LYT', 'test', 1),
)


def part(root, split='train'):
    return Matek(str(root), split=split, serialize_data=False)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'data'
    lines = ['path,label,split,fold']
    for row in ROWS:
        file = root / row[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        lines.append(','.join(map(str, row)))
    (root / 'split.csv').write_text('\n'.join(lines))
    return root


def training(root, labels=True, classes=(), sampler=None, loss=None, **more):
    dataset = dict(
        type='Matek', data_root=str(root), with_label=labels, **more
    )
    loader = dict(dataset=dataset)
    if sampler:
        loader['sampler'] = dict(type=sampler)
    model = dict(type='X', head=dict(type='Y', loss=loss))
    return read_training(dict(model=model, train_dataloader=loader), classes)


def read(name):
    return read_training(Config.fromfile(f'configs/{name}.py').to_dict())


def test_what_the_configs_say():
    swav, supcon = read('swav_bm'), read('supcon_tiny_bm')
    assert (swav.method, swav.labels, swav.parts) == (
        'SwAV',
        False,
        'train+val',
    )
    assert (supcon.method, supcon.labels) == ('SupCon', True)
    assert supcon.parts == 'train+val'
    alone = read('resnext50_val_bm')
    assert (alone.parts, alone.chosen_on, alone.labels) == (
        'train',
        'val',
        True,
    )
    assert swav.chosen_on == swav.started_from == ''
    assert read('linear_sgd_tiny_bm').started_from == 'epoch_120.pth'


@pytest.mark.parametrize(
    'text',
    [
        '',
        'model = 1',
        "train_dataloader = dict(dataset=dict(type='ImageNet'))",
        "train_dataloader = dict(dataset='x')\nmodel = dict(type='A')",
        "train_dataloader = dict(dataset=dict(type='Matek', data_root='a', "
        "split='moon'))\nmodel = dict(type='A')",
        "train_dataloader = dict(dataset=dict(type='Matek', data_root=1))",
        "train_dataloader = dict(dataset=dict(type='Matek', data_root='a', "
        "fold='x'))\nmodel = dict(type='A')",
    ],
)
def test_other_records_are_unknown(text):
    assert read_training(parse_config(text)) == Training()
    assert Training().parts == 'unknown'


def test_images_seen(root):
    val, test = part(root, split='val'), part(root, split='test')
    for split, seen in (('train', (0, 0)), (('train', 'val'), (2, 0))):
        found = training(root, split=split)
        assert (count_seen(found, val), count_seen(found, test)) == seen
    # Of fold 0 as the test part, LYT_00002 trains and BLA_00002 does not.
    found = training(root, split=('train', 'val'), fold=0)
    assert (count_seen(found, val), count_seen(found, test)) == (1, 1)
    assert count_seen(Training(), val) is None


def test_collection_that_was_moved_or_linked(root, tmp_path):
    found = training(root, split='val')
    link = tmp_path / 'link'
    link.symlink_to(root)
    assert count_seen(found, part(link, split='val')) == 2
    moved = shutil.move(root, tmp_path / 'moved')
    assert count_seen(found, part(moved, split='val')) == 2


def test_other_collection(root, tmp_path):
    """The same names in another folder are other images."""
    other = shutil.copytree(root, tmp_path / 'other')
    assert count_seen(training(other, split='val'), part(root)) == 0
    gone = training(tmp_path / 'gone', split='val', classes=('CAT', 'DOG'))
    assert count_seen(gone, part(root, split='val')) is None


def test_manifest_without_labels_or_with_other_folds(root):
    val = part(root, split='val')
    file = Path(root, 'plain.csv')
    file.write_text('path,split\n' + f'{ROWS[3][0]},val\n')
    found = training(root, False, split='val', ann_file='plain.csv')
    assert count_seen(found, val) == 1
    assert count_seen(training(root, split='val', fold=7), val) is None


def test_labels_of_measured_images_are_refused(root):
    each = [part(root, split) for split in ('train', 'val', 'test')]
    parts = Parts(*each, 'val part', 'test part')
    said = 'with the labels of 2 of the 2 val images .* is train.val.*{}'
    seen = training(root, split=('train', 'val'))
    for calibration, advice in (('val', 'split=train, or'), ('test', 'Give')):
        with pytest.raises(InputError, match=said.format(advice)):
            check_unseen(seen, parts, 'a.pth', calibration)
    seen = training(root, split='test')
    with pytest.raises(InputError, match='1 of the 1 test .* measured.*Give'):
        check_unseen(seen, parts, 'a.pth', 'val')
    without = training(root, False, split=('train', 'val'))
    assert check_unseen(without, parts, 'a.pth', 'val') == (2, 0)


@pytest.mark.parametrize(
    ('sampler', 'loss', 'shares', 'text'),
    [
        ('ClassBalancedSampler', None, [1, 1, 0, 1], 'images equally often'),
        ('DefaultSampler', None, [60, 30, 0, 10], 'as often as among its'),
        (
            'DefaultSampler',
            dict(type='CrossEntropyLoss', class_weight=[1, 2, 3, 4]),
            [60, 30, 0, 10],
            'as often as among its',
        ),
        # 1 / n times n.
        (
            'DefaultSampler',
            dict(type='WeightedCrossEntropyLoss'),
            [1, 1, 0, 1],
            'times its weight in the loss',
        ),
        # n (1 - b) / (1 - b^n), b = .5
        (
            'DefaultSampler',
            dict(
                type='WeightedCrossEntropyLoss',
                class_weight='effective_number',
                beta=0.5,
            ),
            [60 / (1 - 2**-60), 30 / (1 - 2**-30), 0, 10 / (1 - 2**-10)],
            'times its weight in the loss',
        ),
        (
            'ClassBalancedSampler',
            dict(type='WeightedCrossEntropyLoss', class_weight=[1, 2, 5, 3]),
            [1, 2, 0, 3],
            'each class that has training images equally often, times its '
            'weight in the loss',
        ),
        (
            'DefaultSampler',
            dict(type='WeightedCrossEntropyLoss', class_weight=None),
            [60, 30, 0, 10],
            'as often as among its',
        ),
        # n over n^tau.
        (
            'DefaultSampler',
            dict(type='LogitAdjustedLoss'),
            [1, 1, 0, 1],
            'over its share to the power of 1 (the loss)',
        ),
        (
            'DefaultSampler',
            dict(type='LogitAdjustedLoss', tau=0.5),
            [60**0.5, 30**0.5, 0, 10**0.5],
            'to the power of 0.5 (the loss)',
        ),
        ('RepeatAugSampler', None, [60, 30, 0, 10], 'drawn is not known'),
        (None, None, [60, 30, 0, 10], 'drawn is not known'),
    ],
)
def test_shares_that_a_classifier_was_fitted_for(
    root, sampler, loss, shares, text
):
    found = training(root, sampler=sampler, loss=loss)
    got, said = found.shares(np.array([60, 30, 0, 10]))
    np.testing.assert_allclose(got, np.array(shares) / sum(shares), rtol=1e-9)
    assert text in said
    assert ('not known' in said) == (sampler in (None, 'RepeatAugSampler'))
    assert ('loss' in said) == ('loss' in text)


@pytest.mark.parametrize(
    ('weights', 'found'),
    [([1, 2], '2'), ((1, 2, 3, 4), '4'), (2.5, '2.5'), (['a', 1, 2], 'a')],
)
def test_weights_of_another_number_of_classes(weights, found):
    loss = dict(type='WeightedCrossEntropyLoss', class_weight=weights)
    message = (
        'model.head.loss.class_weight: expected 3 numbers, one for each class '
        f'of the data set, found .*{found}'
    )
    with pytest.raises(InputError, match=message):
        Training(loss=loss).shares(np.array([60, 30, 0]))


def test_the_shipped_training_draws_each_class_equally_often():
    got, said = read('resnet_tiny_val_bm').shares(np.array([60, 30, 0]))
    assert got.tolist() == [0.5, 0.5, 0]
    assert said == 'each class that has training images equally often'
