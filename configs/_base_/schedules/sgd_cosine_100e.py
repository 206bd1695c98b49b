# The authors' code, but for the epochs: SGD, its rate by a cosine to 0 at the
# training's end.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-6),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
# the paper's Table 3
train_cfg = dict(by_epoch=True, max_epochs=100)
# The authors' code takes this lr for 64 images a process, however many there
# are, and does not say how many: here four. --auto-scale-lr fits it to yours.
auto_scale_lr = dict(base_batch_size=256)
