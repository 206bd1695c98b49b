"""A config of configs/ on small data, for some steps."""

from uuid import uuid4

from mmengine.config import Config

from bm_plugins.engine import MarrowRunner


def tiny_run(name, cells, work_dir, **options):
    """A runner of configs/<name>.py in steps of 6; options by dotted key."""
    cfg = Config.fromfile(f'configs/{name}.py')
    for part in ('val', 'test'):
        for key in (f'{part}_dataloader', f'{part}_cfg', f'{part}_evaluator'):
            cfg.pop(key, None)
    cfg.merge_from_dict(
        {
            'train_dataloader.dataset.data_root': str(cells),
            'train_dataloader.batch_size': 6,
            'train_dataloader.num_workers': 0,
            'default_hooks.checkpoint': None,
            'train_cfg.max_epochs': 1,
            'work_dir': str(work_dir),
            'experiment_name': uuid4().hex,
        }
        | options
    )
    return MarrowRunner.from_cfg(cfg)


def steps(count, name='swav_tiny_bm'):
    """Options for an epoch of ``count`` steps."""
    if 'resnet' in name:  # 21 classes, of which three have images
        key, images = 'sampler.samples_per_class', 2 * count
    else:
        key, images = 'dataset.indices', 6 * count
    return {f'train_dataloader.{key}': images}
