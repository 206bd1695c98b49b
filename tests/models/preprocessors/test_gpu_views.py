import shutil

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from torch.utils.data import DataLoader

from bm_plugins.datasets import DrawBatchSampler, Matek
from bm_plugins.datasets.transforms.pack_views import collate_views
from bm_plugins.errors import InputError, UnreadableImage
from bm_plugins.models import GPUViews
from tests.engine.small_swav import small_model, small_swav

NORM = dict(mean=[120.0, 110, 150], std=[60.0, 70, 50], to_rgb=True)


def part(root, pipeline=None, **kwargs):
    steps = [
        dict(type='LoadCellImage'),
        dict(
            type='MultiCropViews',
            views=[
                dict(num=2, size=64, scale=(0.3, 1.0)),
                dict(num=1, size=32, scale=(0.1, 0.3)),
            ],
            hue=9,
            saturation=0.1,
            value=0.1,
        ),
        dict(type='PackViews'),
    ]
    return Matek(
        str(root), with_label=False, pipeline=pipeline or steps, **kwargs
    )


def batches(dataset, workers=0, batch_size=8):
    sampler = torch.utils.data.SequentialSampler(dataset)
    sampler.seed = sampler.epoch = 0
    return DataLoader(
        dataset,
        batch_sampler=DrawBatchSampler(sampler, batch_size),
        num_workers=workers,
        collate_fn=collate_views,
    )


def stock():
    return MODELS.build(dict(type='SelfSupDataPreprocessor', **NORM))


@pytest.mark.parametrize('decode', ['device', 'workers'])
@pytest.mark.parametrize('to_rgb', [True, False])
def test_the_inputs_of_the_cpu_route(cells, decode, to_rgb):
    norm = dict(NORM, to_rgb=to_rgb)
    theirs = MODELS.build(dict(type='SelfSupDataPreprocessor', **norm))
    ours, dataset = GPUViews(decode=decode, **norm), part(cells)
    ours.take_over(dataset)
    for expected, batch in zip(
        batches(part(cells)), batches(dataset, workers=1), strict=True
    ):
        assert isinstance(batch['inputs'], dict)
        expected, found = theirs(expected), ours(batch)
        for a, b in zip(expected['inputs'], found['inputs'], strict=True):
            assert a.shape == b.shape
            # in standard deviations; a level of 255 is 0.02
            assert (a - b).abs().mean() < 0.012
        indices = [
            [s.sample_idx for s in side['data_samples']]
            for side in (expected, found)
        ]
        assert indices[0] == indices[1]


def test_files_of_all_kinds_and_sizes_in_a_batch(tmp_path):
    rng = np.random.default_rng(0)
    names = ['BLA_1.jpg', 'BLA_2.png', 'BLA_3.jpg', 'BLA_4.jpg']
    shapes = [(64, 64), (50, 70), (70, 50), (60, 60)]
    folder = tmp_path / 'BLA'
    folder.mkdir()
    lines = ['path,label,split']
    for name, shape in zip(names, shapes, strict=True):
        img = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        img = cv2.GaussianBlur(img, (0, 0), 3)
        grey = name == 'BLA_4.jpg'
        cv2.imwrite(str(folder / name), img[..., 0] if grey else img)
        lines.append(f'BLA/{name},BLA,train')
    (tmp_path / 'split.csv').write_text('\n'.join(lines) + '\n')
    dataset = part(tmp_path)
    ours = GPUViews(**NORM)
    ours.take_over(dataset)
    (batch,) = batches(dataset, workers=1)
    assert [len(shape) for shape in batch['inputs']['shapes']] == [1, 3, 1, 3]
    (expected,) = batches(part(tmp_path))
    for a, b in zip(
        stock()(expected)['inputs'], ours(batch)['inputs'], strict=True
    ):
        for image in range(4):
            assert (a[image] - b[image]).abs().mean() < 0.012


def test_rendered_inputs_go_upstream_s_way(cells):
    (expected, *_) = batches(part(cells))
    found = GPUViews(**NORM)(expected)
    for a, b in zip(stock()(expected)['inputs'], found['inputs'], strict=True):
        torch.testing.assert_close(a, b)


def test_the_unreadable_file_is_named(cells, tmp_path):
    root = tmp_path / 'cells'
    shutil.copytree(cells, root)
    dataset = part(root)
    broken = dataset.get_data_info(5)['img_path']
    with open(broken, 'r+b') as stream:  # the header stays
        stream.truncate(700)
    ours = GPUViews(**NORM)
    ours.take_over(dataset)
    first, *_ = batches(dataset)
    with pytest.raises(UnreadableImage, match=broken):
        ours(first)


@pytest.mark.slow
def test_training_by_one_line(cells, tmp_path):
    model = small_model('GN')
    norm = dict(mean=[127.5] * 3, std=[60.0] * 3)
    losses = []
    for kind in ('SelfSupDataPreprocessor', 'GPUViews'):
        model['data_preprocessor'] = dict(type=kind, **norm)
        runner = small_swav(
            cells,
            tmp_path / kind,
            model=model,
            train_cfg=dict(by_epoch=True, max_epochs=2),
        )
        runner.train()
        losses.append(runner.message_hub.get_scalar('train/loss').data[0])
    a, b = losses
    assert len(a) == 8
    # The same draws, so the same run but for rounding of the pixels.
    np.testing.assert_allclose(a, b, atol=0.02)


@pytest.mark.parametrize(
    'settings,kwargs,message',
    [
        ({}, dict(on_unreadable='skip'), "decode='workers'"),
        ({}, dict(pipeline=[dict(type='LoadCellImage')]), 'LoadCellImage.$'),
    ],
)
def test_what_cannot_be_taken_over(cells, settings, kwargs, message):
    with pytest.raises(InputError, match=message):
        GPUViews(**NORM, **settings).take_over(part(cells, **kwargs))


def test_unknown_word():
    with pytest.raises(InputError, match="'cuda'.*'device' or"):
        GPUViews(decode='cuda')


@pytest.mark.parametrize(
    'kind,key,value,message',
    [
        ('GPUViews', 'num_classes', 21, 'supervised'),
        ('SyncFreeViewsPreprocessor', 'decode', 'workers', 'GPUViews'),
    ],
)
def test_arguments_of_another_preprocessor(kind, key, value, message):
    settings = {**NORM, key: value}
    with pytest.raises(InputError, match=f'{key} goes with .*{message}'):
        MODELS.build(dict(type=kind, **settings))
