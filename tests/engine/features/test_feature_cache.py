import copy
import json
import os
import shutil

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from bm_plugins.datasets import Matek
from bm_plugins.engine.features.feature_cache import FeatureCache, feature_key
from bm_plugins.engine.features.features import extract_features
from tests.engine.labelled_part import CLASSES
from tests.engine.probe_runner import build

PIPELINE = [dict(type='LoadCellImage'), dict(type='Resize', scale=32)]


class Deep(Matek):
    def get_data_info(self, idx):
        return super().get_data_info(idx) | dict(bits=12)


@pytest.fixture
def model():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(
            dict(
                type='ImageClassifier',
                data_preprocessor=dict(mean=[127.5] * 3, std=[60.0] * 3),
                backbone=dict(type='ResNet', depth=18),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='LinearClsHead', num_classes=3, in_channels=512
                ),
            )
        )


@pytest.fixture
def key(model, cells):
    dataset = Matek(str(cells))

    def of(model=model, dataset=dataset, pipeline=PIPELINE, fp16=False):
        return feature_key(model, dataset, pipeline, fp16)

    return of


def test_stays_the_same(key, model, cells):
    first = key()
    assert len(first) == 64
    assert key() == key(dataset=Matek(str(cells))) == first
    with torch.no_grad():
        model.head.fc.weight += 1
    model.eval()
    assert key() == first


def test_differs_with_each_part(key, model, cells):
    stride = copy.deepcopy(model)
    stride.backbone.layer1[0].conv1.stride = (2, 2)
    statistics = copy.deepcopy(model)
    statistics.backbone.bn1.running_mean += 1
    scaled = copy.deepcopy(model)
    scaled.data_preprocessor.std *= 2
    reordered = Matek(str(cells))
    reordered.get_subset_([1, 0, *range(2, len(reordered))])
    keys = [
        key(),
        key(fp16=True),
        key(pipeline=PIPELINE[::-1]),
        key(pipeline=PIPELINE[:1]),
        key(dataset=Matek(str(cells), split='test')),
        key(dataset=reordered),
        key(dataset=Deep(str(cells))),
        key(stride),
        key(statistics),
        key(scaled),
    ]
    assert len({*keys}) == len(keys)


KEY = 'ab' * 32


@pytest.fixture
def features():
    return torch.randn(7, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def collection(cells, tmp_path):
    """A copy to change."""
    return shutil.copytree(cells, tmp_path / 'collection')


@pytest.fixture
def probe(tmp_path):
    """Evaluate: metrics, images seen by the backbone, and the log."""

    def run(collection, change=None, cache='features', **test_cfg):
        cache = str(tmp_path / cache) if cache else None
        folder = tmp_path / 'run'
        runner = build(collection, folder, cache_dir=cache, **test_cfg)
        if change:
            change(runner)
        seen = []
        runner.model.backbone.register_forward_hook(
            lambda _, inputs, __: seen.append(len(inputs[0]))
        )
        metrics = runner.test()
        log = (
            folder / runner.timestamp / f'{runner.timestamp}.log'
        ).read_text()
        return metrics, sum(seen), log

    return run


def test_what_is_saved_is_loaded(tmp_path, features):
    cache = FeatureCache(tmp_path / 'new' / 'folder')
    assert cache.load(KEY) is None
    cache.save(KEY, features)
    assert torch.equal(cache.load(KEY), features)
    assert cache.load('cd' * 32) is None
    # the same beginning, which is the file's name, is not the same key
    assert cache.load(KEY[:32] + 'cd' * 16) is None


def test_any_damaged_byte_is_noticed(tmp_path, features):
    cache = FeatureCache(tmp_path)
    cache.save(KEY, features)
    file = cache.file(KEY)
    whole = file.read_bytes()
    header = whole.index(b'\n')
    assert json.loads(whole[:header])['shape'] == [7, 5]
    huge = whole.replace(b'[7, 5]', b'[7000000000000, 5]')
    for place in (3, header // 2, header, header + 1, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        assert cache.load(KEY) is None, place
    for other in (whole[:-1], whole + b'0', huge, b'', b'[]\n', b'\xff\n'):
        file.write_bytes(other)
        assert cache.load(KEY) is None, other
    file.write_bytes(whole)
    assert torch.equal(cache.load(KEY), features)


def test_the_newest_stay(tmp_path, features):
    cache = FeatureCache(tmp_path, keep=2)
    keys = [digit * 64 for digit in 'abcd']
    for age, key in zip((40, 30, 20), keys[:3], strict=True):
        FeatureCache(tmp_path).save(key, features)
        os.utime(cache.file(key), (age, age))
    (tmp_path / 'other.txt').write_text('stays')
    (tmp_path / 'killed.features.partial').write_text('half')
    os.utime(tmp_path / 'killed.features.partial', (10, 10))
    assert cache.load(keys[1]) is not None  # used just now
    cache.save(keys[3], features)
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == [
        f'{"b" * 16}.features',
        f'{"d" * 16}.features',
        'other.txt',
    ]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, features):
    (tmp_path / 'file').write_text('no folder')
    cache = FeatureCache(tmp_path / 'file')
    cache.save(KEY, features)
    assert cache.load(KEY) is None


@pytest.mark.slow
def test_second_run_makes_no_pass_over_the_training_part(probe, cells):
    plain, images, _ = probe(cells, cache=None)
    assert images == 62  # 49 to fit and 13 to test
    first, images, log = probe(cells)
    assert (first, images) == (plain, 62) and 'Features cached in' in log
    second, images, log = probe(cells)
    assert (second, images) == (plain, 13) and 'Features from cache' in log


def test_features_and_labels_are_those_of_a_pass(probe, cells):
    loops = []
    probe(cells, change=lambda runner: loops.append(runner.test_loop))
    cached = loops[0]._train_features()
    passed = extract_features(
        loops[0].model, loops[0].train_dataloader, loops[0]._features
    )
    assert torch.equal(cached[0], passed[0])
    assert torch.equal(cached[1], passed[1])


def _on_ranks(collection, folder):
    runner = build(collection, folder, cache_dir=str(folder / 'features'))
    seen = []
    runner.model.module.backbone.register_forward_hook(
        lambda _, inputs, __: seen.append(len(inputs[0]))
    )
    metrics = runner.test()
    if runner.rank == 0:
        (folder / 'seen.json').write_text(json.dumps([sum(seen), metrics]))


@pytest.mark.slow
def test_two_ranks_share_the_cache(run_ranks, probe, cells, tmp_path):
    alone, *_ = probe(cells)
    (tmp_path / 'two').mkdir()
    found = []
    for _ in range(2):
        run_ranks(_on_ranks, 2, cells, tmp_path / 'two')
        found.append(json.loads((tmp_path / 'two/seen.json').read_text()))
    # half of 49 and of 13, rounded up
    assert [images for images, _ in found] == [25 + 7, 7]
    assert found[0][1] == found[1][1] == pytest.approx(alone)


def test_other_l2_takes_the_same_features(probe, cells):
    probe(cells)
    assert probe(cells, l2=(0.1,))[1] == 13


@pytest.mark.slow
def test_a_damaged_file_is_computed_anew(probe, cells, tmp_path):
    first, *_ = probe(cells)
    [file] = (tmp_path / 'features').iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    again, images, log = probe(cells)
    assert (again, images) == (first, 62)
    assert f'{file} is damaged' in log
    assert probe(cells)[1] == 13


@pytest.mark.slow
def test_a_changed_image_asks_for_a_new_pass(probe, collection):
    probe(collection)
    manifest = (collection / 'split.csv').read_text().splitlines()
    parts = dict(line.split(',')[::2] for line in manifest[1:])
    image = next(
        file
        for file in sorted(collection.rglob('*.jpg'))
        if parts[f'{file.parent.name}/{file.name}'] == 'train'
    )
    now = image.stat()
    os.utime(image, ns=(now.st_atime_ns, now.st_mtime_ns + 1))
    assert probe(collection)[1] == 62
    os.utime(image, ns=(now.st_atime_ns, now.st_mtime_ns))
    assert probe(collection)[1] == 13


def test_a_moved_collection_does_not(probe, collection, tmp_path):
    probe(collection)
    moved = collection.rename(tmp_path / 'moved')
    assert probe(moved)[1] == 13


def test_other_labels_keep_the_features(probe, cells):
    loops = []

    def reverse(runner):
        for part in (_dataset(runner), runner._test_dataloader['dataset']):
            part['metainfo'] = dict(classes=CLASSES[::-1])
        loops.append(runner.test_loop)

    probe(cells, change=lambda runner: loops.append(runner.test_loop))
    assert probe(cells, change=reverse)[1] == 13
    before, after = (loop._train_features() for loop in loops)
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[1], 2 - before[1])


def _weights(runner):
    # as a checkpoint would: the run does not initialise them again
    runner._has_loaded = True
    with torch.no_grad():
        next(runner.model.backbone.parameters()).flatten()[0] += 1e-3


def _loaded(runner):
    runner._has_loaded = True


def _dataset(runner):
    return runner._test_loop['train_dataloader']['dataset']


def _pipeline(runner):
    _dataset(runner)['pipeline'][1]['scale'] = (30, 30)


def _part(runner):
    _dataset(runner)['split'] = 'train'


def _fewer(runner):
    _dataset(runner)['fraction'] = 0.5


def _mean(runner):
    runner.model.data_preprocessor.mean += 1


def _channels(runner):
    pre = runner.model.data_preprocessor
    pre.to_rgb = not pre.to_rgb


@pytest.mark.slow
@pytest.mark.parametrize(
    'change', [_weights, _pipeline, _part, _fewer, _mean, _channels]
)
def test_another_network_or_part_asks_for_a_new_pass(probe, cells, change):
    torch.manual_seed(0)
    probe(cells, change=_loaded if change is _weights else None)
    torch.manual_seed(0)
    assert probe(cells, change=change)[1] > 13
