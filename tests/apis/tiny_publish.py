"""Configs and untrained checkpoints to publish, in no time."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.publishing.publish import publish
from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets.prepare import prepare
from bm_plugins.experiments.experiment import read_config

LINEAR = Path('configs/linear_tiny_bm.py')
SUPERVISED = Path('configs/resnet_tiny_val_bm.py')
CODES = ('ABE', 'BLA', 'LYT')
SMALL = (
    'model.backbone.stem_channels=4',
    'model.backbone.base_channels=4',
    'model.head.in_channels=32',
)


def manifest_of(cells):
    """28 images of the small collection train, 21 val, 13 test."""
    file = cells.with_name('calibrated.csv')
    if not file.exists():
        prepare(cells, file, val_fraction=0.35)
    return file


def options(cells, manifest, supervised=False):
    """``--cfg-options`` for the three classes and a smaller network."""
    train = 'train_dataloader.dataset'
    if not supervised:
        train = f'test_cfg.{train}'
    classes = ','.join(CODES)
    parts = [train, 'test_dataloader.dataset']
    return [
        *SMALL,
        'model.head.num_classes=3',
        'test_dataloader.num_workers=0',
        *(f'{part}.data_root={cells}' for part in parts),
        *(f'{part}.ann_file={manifest}' for part in parts),
        *(f'{part}.metainfo.classes={classes}' for part in parts),
    ]


def config(cells, manifest, supervised=False, *more):
    file = SUPERVISED if supervised else LINEAR
    given = options(cells, manifest, supervised)
    return read_config(file, [*given, *more])


def save_checkpoint(file, cfg, seed=0, prefix='', text='', **meta):
    """An untrained network of a config, as a checkpoint of it.

    Args:
        file (Path): To write.
        cfg (Config): Of the network.
        seed (int): Of its weights.
        prefix (str): ``backbone.`` for the backbone alone, as of pretraining.
        text (str): The config text that it claims to be trained with.
        **meta: Further records.
    """
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(cfg.model))
    with warnings_only():
        model.init_weights()
    with torch.no_grad():  # features that differ between cells
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.fill_(0.5)
        if hasattr(model.head, 'fc'):
            model.head.fc.weight.mul_(50)
    weights = {
        key: value
        for key, value in model.state_dict().items()
        if key.startswith(prefix)
    }
    torch.save(dict(meta=dict(cfg=text, **meta), state_dict=weights), file)
    return file


def config_text(name, cells, manifest, *more):
    """The text that a checkpoint of a training config would record."""
    dataset = 'train_dataloader.dataset'
    given = [f'{dataset}.data_root={cells}', f'{dataset}.ann_file={manifest}']
    cfg = read_config(Path(f'configs/{name}.py'), [*given, *more])
    return Config.pretty_text.fget(cfg)


def publish_two(cells, folder):
    """A bundle of BLA and LYT alone, eight reference cells of each.

    Returns:
        Path: Its file, in a new folder.
    """
    folder.mkdir()
    manifest = prepare_two(cells, folder / 'two.csv')
    data = ('test_cfg.train_dataloader.dataset', 'test_dataloader.dataset')
    two = [f'{part}.metainfo.classes=BLA,LYT' for part in data]
    cfg = config(cells, manifest, False, *two, 'model.head.num_classes=2')
    checkpoint = save_checkpoint(folder / 'epoch_1.pth', cfg, 1, 'backbone.')
    bundle = publish(cfg, checkpoint, per_class=8, say=str)
    save_bundle(bundle, folder / 'two.bundle')
    return folder / 'two.bundle'


def prepare_two(cells, file):
    """The small collection without ABE: 18 images train, 24 val, 12 test."""
    prepare(cells, file, val_fraction=0.45)
    rows = file.read_text().splitlines(True)
    file.write_text(''.join(row for row in rows if ',ABE,' not in row))
    return file
