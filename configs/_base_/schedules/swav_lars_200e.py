# Values of facebookresearch/swav's small-batch recipe, but for the epochs.
optim_wrapper = dict(
    # mmpretrain's LARS without its waits for the device
    optimizer=dict(
        type='SyncFreeLARS', lr=0.6, momentum=0.9, weight_decay=1e-6
    ),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=6e-4,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
# the paper: 200 epochs
train_cfg = dict(by_epoch=True, max_epochs=200)
# the lr is for this batch over all GPUs; --auto-scale-lr fits it to yours
auto_scale_lr = dict(base_batch_size=256)
