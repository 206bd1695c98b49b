import re
import shutil

import pytest

from bm_plugins.datasets import Matek
from bm_plugins.errors import InputError, UnreadableImage
from tests.engine.resumable_runs import classifier


@pytest.fixture
def damaged(cells, tmp_path):
    """A collection of which two training images broke after the manifest."""
    root = tmp_path / 'damaged'
    shutil.copytree(cells, root)
    dataset = Matek(str(root), metainfo=dict(classes=('BLA', 'LYT', 'ABE')))
    paths = [dataset.get_data_info(i) for i in (0, 7)]
    for info in paths:
        with open(info['img_path'], 'wb') as file:
            file.write(b'no image')
    return root, [info['path'] for info in paths]


def train(root, folder, policy, workers=0):
    runner = classifier(root, folder, workers=workers)
    runner._train_dataloader['dataset']['on_unreadable'] = policy
    runner.default_hooks = None
    runner.register_hook(dict(type='UnreadableHook'))
    runner.train()
    return runner


def test_by_default_the_run_stops_and_names_it(damaged, tmp_path):
    root, paths = damaged
    with pytest.raises(UnreadableImage, match='|'.join(paths)):
        train(root, tmp_path / 'run', 'stop')


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_skipped_images_are_named_and_counted(damaged, tmp_path, workers):
    root, paths = damaged
    runner = train(root, tmp_path / 'run', 'skip', workers)
    assert runner.iter == 12
    table = (tmp_path / 'run/unreadable.csv').read_text().splitlines()
    assert table[0] == 'path,skipped'
    counts = dict(line.split(',') for line in table[1:])
    assert sorted(counts) == sorted(paths)
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    said = re.findall(r'WARNING - 2 image.* Skipped (\d+) times', log)
    assert int(said[-1]) == sum(map(int, counts.values()))
    # As often as the sampler drew them.
    sampler = runner.train_dataloader.batch_sampler.sampler
    drawn = [i for epoch in range(3) for i in sampler.draw(epoch).tolist()]
    for index, path in zip((0, 7), paths, strict=True):
        assert int(counts[path]) == drawn.count(index)


def test_the_next_image_takes_the_place(damaged):
    root, _ = damaged
    dataset = Matek(
        str(root),
        on_unreadable='skip',
        metainfo=dict(classes=('BLA', 'LYT', 'ABE')),
        pipeline=[dict(type='LoadCellImage')],
    )
    assert dataset[7]['path'] == dataset[8]['path']
    assert dataset.unreadable.tolist()[7] == 1
    assert dataset.unreadable.sum() == 1


def test_policies(cells):
    with pytest.raises(InputError, match="on_unreadable='ignore'"):
        Matek(str(cells), on_unreadable='ignore')
    with pytest.raises(InputError, match='a test image'):
        Matek(str(cells), split=('val', 'test'), on_unreadable='skip')
