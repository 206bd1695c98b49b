default_scope = 'mmpretrain'

# registers bm_plugins in mmpretrain's registries
custom_imports = dict(
    imports=['bm_plugins.plugins'], allow_failed_imports=False
)

# runs without a GPU too, and checks checkpoints
runner_type = 'mmpretrain.MarrowRunner'

default_hooks = dict(
    # reads the losses from the GPU where the log needs them
    runtime_info=dict(type='SyncFreeRuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # each 10th epoch; the last three are kept
    checkpoint=dict(type='SafeCheckpointHook', interval=10, max_keep_ckpts=3),
    # SIGTERM: saves, ends with status 75
    preemption=dict(type='PreemptionHook'),
    # names what on_unreadable='skip' of a data set skipped
    unreadable=dict(type='UnreadableHook'),
    # run_train.json, run_test.json: what a result was made of
    manifest=dict(type='RunManifestHook'),
    # scores class by class, and those of tests, to a tracker
    class_figures=dict(type='ClassFiguresHook'),
    # tells the sampler the epoch
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # --show-dir of tools/test.py
    visualization=dict(type='VisualizationHook', enable=False),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # gloo takes its place where there is no GPU
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
