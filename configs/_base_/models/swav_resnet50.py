model = dict(
    type='SwAV',
    backbone=dict(
        type='ResNet',
        depth=50,
        # as facebookresearch/swav
        norm_cfg=dict(type='SyncBN'),
        zero_init_residual=True,
    ),
    # the paper: one linear projection, 2048 to 128
    neck=dict(
        type='SwAVNeck',
        in_channels=2048,
        hid_channels=0,
        out_channels=128,
        with_avg_pool=True,
    ),
    head=dict(
        type='SwAVHead',
        loss=dict(
            type='GlobalSwAVLoss',
            feat_dim=128,
            num_crops=[2],
            crops_for_assign=[0, 1],
            # the paper: drawn uniformly on the unit sphere
            num_prototypes=1000,
            # the paper: over all GPUs
            queue_length=1280,
            # the paper; epochs count from 0
            queue_start_epoch=15,
            freeze_prototypes_epochs=2,
            # the paper
            sinkhorn_iterations=3,
            epsilon=0.03,
            # facebookresearch/swav
            temperature=0.1,
        ),
    ),
)
