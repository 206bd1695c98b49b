"""A config of ours as mmpretrain alone would have it."""

from mmengine.config import Config, ConfigDict

from bm_plugins.errors import InputError

from .stock_views import stock_pipeline

METHODS = ('SwAV', 'SupCon', 'ImageClassifier')


def stock_config(cfg: Config) -> Config:
    """Put upstream's parts in the place of ours, the sizes left alone.

    Upstream's pipeline (its SwAV config's, or its usual one of supervised
    training), data preprocessor, loop, hooks, LARS and SwAV loss, in float32.
    The images are read from the same list, by ``Matek``; SupCon's model is
    ours, since upstream has none.

    Args:
        cfg (Config): Of a run that trains.

    Returns:
        Config: Another, for mmengine's ``Runner``.

    Raises:
        InputError: The config has another method.
    """
    cfg = Config(cfg._cfg_dict.to_dict())
    method = cfg.model.type
    if method not in METHODS:
        raise InputError(
            f'model.type={method}: the stock side of the benchmark is for '
            f'{", ".join(METHODS)}.'
        )
    for key in ('runner_type', 'channels_last', 'compile'):
        cfg.pop(key, None)
    supervised = method == 'ImageClassifier'
    kind = 'ClsDataPreprocessor' if supervised else 'SelfSupDataPreprocessor'
    cfg.data_preprocessor.type = kind
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = (
        _supervised(dataset.pipeline)
        if supervised
        else _views(dataset.pipeline)
    )
    cfg.train_dataloader.pop('batch_sampler', None)
    cfg.train_dataloader.drop_last = True
    cfg.default_hooks = dict(
        timer=dict(type='IterTimerHook'),
        logger=dict(type='LoggerHook', interval=100),  # mmpretrain's
        param_scheduler=dict(type='ParamSchedulerHook'),
        checkpoint=None,
        sampler_seed=dict(type='DistSamplerSeedHook'),
    )
    cfg.custom_hooks = _swav(cfg) if method == 'SwAV' else []
    optimizer = cfg.optim_wrapper.optimizer
    if optimizer.type == 'SyncFreeLARS':
        optimizer.type = 'LARS'
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=optimizer)
    augments = (cfg.model.get('train_cfg') or {}).get('augments', {})
    if augments.get('type') == 'SyncFreeMixup':
        augments.type = 'Mixup'
    return cfg


def _find(pipeline: list[ConfigDict], kind: str) -> ConfigDict:
    return next(step for step in pipeline if step.type == kind)


def _views(pipeline: list[ConfigDict]) -> list[dict]:
    """The views of mmpretrain's SwAV config, as many and as large as ours."""
    groups = _find(pipeline, 'MultiCropViews').views
    load, views, pack = stock_pipeline('swav')
    views['num_views'] = [group['num'] for group in groups]
    views['transforms'] = views['transforms'][: len(groups)]
    for group, (crop, *_) in zip(groups, views['transforms'], strict=True):
        crop['scale'] = group['size']
    return [load, views, pack]


def _supervised(pipeline: list[ConfigDict]) -> list[dict]:
    scale = _find(pipeline, 'RandomResizedCrop').scale
    return [
        dict(type='LoadImageFromFile'),
        dict(type='RandomResizedCrop', scale=scale, backend='pillow'),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(type='PackInputs'),
    ]


def _swav(cfg: Config) -> list[dict]:
    """Upstream's loss and the hook that keeps its queue."""
    loss = cfg.model.head.loss
    loss.type = 'SwAVLoss'
    for name in ('queue_start_epoch', 'freeze_prototypes_epochs'):
        loss.pop(name, None)
    return [
        dict(
            type='SwAVHook',
            priority='VERY_HIGH',
            batch_size=cfg.train_dataloader.batch_size,
            epoch_queue_starts=0,
            crops_for_assign=loss.crops_for_assign,
            feat_dim=loss.feat_dim,
            queue_length=loss.pop('queue_length', 0),
        )
    ]
