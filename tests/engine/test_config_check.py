"""Slips in configs and options, each found by name."""

from pathlib import Path

import mmpretrain
import pytest
from mmengine.config import Config

import bm_plugins  # noqa: F401
from bm_plugins.engine.config_check import check_config
from bm_plugins.errors import InputError
from bm_plugins.experiments.experiment import read_config

CONFIG = Path('configs/swav_tiny_bm.py')


@pytest.mark.parametrize(
    'file', sorted(Path('configs').glob('*.py')), ids=lambda file: file.stem
)
def test_no_shipped_config_has_a_slip(file):
    check_config(Config.fromfile(file))


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('chanels_last=True', 'chanels_last; did you mean channels_last'),
        ('data_preprocesor.type=GPUViews', 'you mean data_preprocessor'),
        ('tran_cfg.max_epochs=1', 'did you mean train_cfg'),
        ('train_cfg.max_epoch=5', 'train_cfg.max_epoch: .*mean max_epochs'),
        ('optim_wrapper.optimizer.lrr=0.1', 'optimizer.lrr: .*mean lr'),
        ('train_dataloader.batchsize=32', 'batchsize: .*mean batch_size'),
        ('model.backbone.dept=18', 'model.backbone.dept: .*mean depth'),
        ('model.head.loss.epsilonn=1', 'epsilonn: .*mean epsilon'),
        ('train_dataloader.dataset.cach=jpeg', 'cach; did you mean cache'),
        ('train_dataloader.dataset.pipeline.1.huee=3', 'did you mean hue'),
        ('default_hooks.checkpont.interval=3', 'did you mean checkpoint'),
        ('default_hooks.checkpoint.intervall=3', 'did you mean interval'),
        ('randomness.sed=3', 'randomness.sed: .*mean seed'),
        ('param_scheduler.7.end=4', 'a list of 2; expected .* 0 to 1, not 7'),
        ('train_cfg.max_epochs.x=3', 'max_epochs is 120 and has no keys'),
        ('data_root=/x', 'variable, .* Set train_dataloader.dataset.data_ro'),
        ('train_pipeline.1.hue=0', 'Set train_dataloader.dataset.pipeline'),
        ('vis_backends.0.type=A', 'Set visualizer.vis_backends'),
        ('custom_hooks.0.type=EMAHook', 'no list custom_hooks. Say it in'),
        ("custom_hooks=[dict(type='EMAHook')]", 'Say a dict key by key'),
        ('train_cfg=dict(by_epoch=False,max_iters=4)', 'Say a dict key by'),
        ('optim_wrapper.clip_grad.max_nrm=3', 'did you mean max_norm'),
        ('optim_wrapper.optimizer.type=LARSS', 'type LARSS; .* mean LARS?'),
        ('optim_wrapper.type=AmpOptimWraper', 'did you mean AmpOptimWrapper'),
        ('randomness.seed=1.5', 'seed=1.5: expected a whole number from 0'),
        ('train_dataloader.batch_size=0', 'batch_size=0: .*whole number from'),
        ('train_dataloader.batch_size=big', "'big': expected a whole number"),
        ('train_dataloader.num_workers=-1', 'num_workers=-1: expected a'),
        ('train_cfg.max_epochs=0', 'max_epochs=0: expected a whole number'),
        ('optim_wrapper.optimizer.lr=-1', 'lr=-1: expected a number above 0'),
        ('channels_last', 'channels_last: expected key=value'),
        ('optim_wrapper.optimizer.l=1', 'optimizer.l: .*did you mean lr'),
        ('custom_hok=1', 'custom_hok: .*did you mean custom_hooks'),
        ('env_cfg.dist_cfg.bakend=gloo', 'did you mean backend'),
        ('train_dataloader.dataset.metainfo.clases=A', 'mean classes'),
        ('log_processor.windowsize=9', 'did you mean window_size'),
        ('custom_imports.import=a', 'did you mean imports'),
        ('visualizer.typ=Visualizer', 'did you mean type'),
        ('test_dataloader.batch_size=8', 'no test_dataloader, as .* no test'),
        ('val_cfg.interval=2', 'no val_cfg, as it has no validation'),
        ('train_dataloader.dataset.data_root=/my cells', 'spaces out of'),
        (
            "train_dataloader.dataset.metainfo.classes=['Small Lymph', 'B']",
            'spaces out of',
        ),
    ],
)
def test_a_slip_among_the_options(option, message):
    with pytest.raises(InputError, match=message):
        read_config(CONFIG, [option])


@pytest.mark.parametrize(
    'option',
    [
        *('channels_last=True', 'compile=True', 'tracker=tensorboard'),
        *('load_from=None', 'data_preprocessor.type=GPUViews'),
        *('optim_wrapper.dtype=bfloat16', 'randomness.seed=1'),
        *('train_dataloader.num_workers=0', 'default_hooks.checkpoint=None'),
        *('log_processor.window_size=9', 'env_cfg.dist_cfg.backend=gloo'),
        'train_dataloader.dataset.metainfo.full_names=A,B',
        *('optim_wrapper.accumulative_counts=4', 'sync_bn=torch'),
        'optim_wrapper.optimizer.nesterov=True',
        'train_dataloader.dataset.cache=jpeg',
        'train_dataloader.dataset.metainfo.classes=A,B',
        "train_dataloader.dataset.metainfo.classes=['A', 'B']",
        'model.backbone.init_cfg.type=Pretrained',
        'param_scheduler.1.end=120',
    ],
)
def test_what_the_documents_name_is_taken(option):
    read_config(CONFIG, [option])


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('chanels_last = True', 'chanels_last: .*mean channels_last'),
        ('custom_hook = []', 'custom_hook: .*did you mean custom_hooks'),
        ('train_cfg = dict(max_epoch=4)', 'did you mean max_epochs'),
        ('model = dict(head=dict(lss=dict()))', 'model.head.lss: .*mean loss'),
        ("custom_hooks = dict(type='EMAHook')", 'hooks: expected a list'),
        ("custom_hooks = [dict(type='EMAHok')]", 'did you mean EMAHook'),
        ("model = dict(type='Swav')", 'model: there is no .*mean SwAV?'),
        (
            "train_dataloader = dict(sampler=dict(type='DefaultSampeler'))",
            'train_dataloader.sampler: .*did you mean DefaultSampler',
        ),
        (
            "custom_hooks = [dict(type='Zzzz')]",
            'custom_hooks.0: there is no type Zzzz; name the module',
        ),
        (
            "custom_hooks = [dict(type='EarlyStoppingHook')]",
            'custom_hooks.0: EarlyStoppingHook needs monitor.',
        ),
        (
            'train_dataloader = dict(dataset=dict(pipeline=[dict(type='
            "'Lighting', eigvec=[])]))",
            'dataset.pipeline.0: Lighting needs eigval.',
        ),
        ('model = dict(train_cfg=dict(augment=[]))', 'did you mean augments'),
        ("resume_from = 'a.pth'", 'say it by resume=True and load_from'),
        ("lr_config = dict(policy='step')", 'say it by param_scheduler'),
        ("optimizer = dict(type='Lamb')", 'say it by optim_wrapper.optimizer'),
        (
            'optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mul=0))',
            'did you mean norm_decay_mult',
        ),
        (
            'optim_wrapper = dict(paramwise_cfg=dict(custom_keys='
            "{'.neck': dict(lr_mul=0)}))",
            'did you mean lr_mult',
        ),
        (
            "env_cfg = dict(mp_cfg=dict(mp_start_methd='spawn'))",
            'did you mean mp_start_method',
        ),
    ],
)
def test_a_slip_in_a_file(tmp_path, line, message):
    file = tmp_path / 'own.py'
    file.write_text(f"_base_ = '{CONFIG.resolve()}'\n{line}\n")
    with pytest.raises(InputError, match=message):
        check_config(Config.fromfile(file))


@pytest.mark.parametrize(
    ('file', 'lacks', 'message'),
    [
        (
            *('resnet_tiny_val_bm', ['val_cfg']),
            '^val_cfg: not set, but a validation needs it beside '
            'val_dataloader and val_evaluator.',
        ),
        ('resnet_tiny_val_bm', ['val_evaluator'], '^val_evaluator: not set'),
        (
            *('resnet_tiny_val_bm', ['val_cfg', 'val_evaluator']),
            '^val_cfg and val_evaluator: .* beside val_dataloader. Set it, or',
        ),
        (
            *('linear_tiny_bm', ['test_dataloader']),
            '^test_dataloader: not set, but a test .* all of '
            'test_dataloader, test_cfg, test_evaluator to None.',
        ),
        ('swav_tiny_bm', ['optim_wrapper'], '^optim_wrapper: .* a training '),
        (
            'swav_tiny_bm',
            ['train_cfg'],
            '^train_cfg: not set, .* beside train',
        ),
    ],
)
def test_a_part_without_the_others(file, lacks, message):
    cfg = Config.fromfile(f'configs/{file}.py')
    cfg.update(dict.fromkeys(lacks))
    with pytest.raises(InputError, match=message):
        check_config(cfg)


def test_no_validation_at_all_is_taken():
    cfg = Config.fromfile('configs/resnet_tiny_val_bm.py')
    parts = ('val_dataloader', 'val_cfg', 'val_evaluator')
    cfg.update(dict.fromkeys(parts))
    check_config(cfg)


def test_names_of_ones_own_are_free(tmp_path):
    file = tmp_path / 'own.py'
    file.write_text(
        f"_base_ = '{CONFIG.resolve()}'\nmy_sizes = dict(small=48)\n"
        "custom_hooks = [dict(type='EMAHook', momentum=0.1, priority=49)]\n"
    )
    check_config(Config.fromfile(file))


@pytest.mark.parametrize(
    'line',
    [
        # what builders take out before a class is asked
        "model = dict(backbone=dict(norm_cfg=dict(type='BN', "
        'requires_grad=True)))',
        "my_pipeline = [dict(type='RandAugment', num_policies=2, "
        "magnitude_level=9, policies=[dict(type='Rotate', magnitude_key="
        "'angle', magnitude_range=(0, 30))])]\n"
        'train_dataloader = dict(dataset=dict(pipeline=my_pipeline))',
        # names of another package, one of them that of a class here
        'train_dataloader = dict(dataset=dict(pipeline=[dict(type='
        "'Albumentations', transforms=[dict(type='RandomCrop', height=9, "
        "width=9), dict(type='GausianBlur')])]))",
        # arguments for a model within
        "model = dict(backbone=dict(_delete_=True, type='TIMMBackbone', "
        "model_name='resnet18', drop_path_rate=0.1))",
        "model = dict(backbone=dict(_delete_=True, type='TimmEncoder', "
        "model_name='vit_tiny_patch16_224', init_values=1e-5))",
        "model = dict(backbone=dict(_delete_=True, type='LoRAModel', module="
        "dict(type='VisionTransformer'), targets=[dict(type='qkv')]))",
        # variables that the config uses
        "optimizer = dict(type='Lamb', lr=0.1)\n"
        'optim_wrapper = dict(optimizer=dict(_delete_=True, **optimizer))',
        'resume_from = None',
        "optim_wrapper = dict(clip_grad=dict(type='value', clip_value=1.0))",
        'optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mult=0.0, '
        "custom_keys={'.neck': dict(lr_mult=0.1, decay_mult=0.0)}))",
    ],
)
def test_what_is_right_is_taken(tmp_path, line):
    file = tmp_path / 'own.py'
    file.write_text(f"_base_ = '{CONFIG.resolve()}'\n{line}\n")
    check_config(Config.fromfile(file))


def test_upstreams_own_configs_are_taken():
    folder = Path(mmpretrain.__file__).parent / '.mim/configs'
    for name in ('resnet', 'vision_transformer', 'convnext', 'mae', 'timm'):
        for file in sorted(folder.glob(f'{name}/*_in1k.py'))[:4]:
            if 'ipu' in file.name:  # has an optimizer that nothing reads
                continue
            check_config(Config.fromfile(file))
