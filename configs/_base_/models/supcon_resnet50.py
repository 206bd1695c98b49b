model = dict(
    type='SupCon',
    backbone=dict(
        type='ResNet',
        depth=50,
        # as for SwAV
        norm_cfg=dict(type='SyncBN'),
        zero_init_residual=True,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='SupConHead',
        in_channels=2048,
        # ours: one linear layer, as the paper's SwAV;
        # hid_channels=2048 gives the two layers of Khosla et al. 2020
        hid_channels=0,
        # the paper
        out_channels=128,
        loss=dict(type='SupConLoss', temperature=0.2),
    ),
)
