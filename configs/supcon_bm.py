# Supervised contrastive learning on ResNet-50: the paper's Table 4.
#   tools/dist_train.sh configs/supcon_bm.py 4
# Global batch 256 on 4 GPUs; next: configs/linear_bm.py on the checkpoint.
# The paper: ResNet-50, two views, batch 256, temperature 0.2, 128 dimensions.
# Ours: 200 epochs, optimiser and views as for SwAV.
_base_ = [
    '_base_/models/supcon_resnet50.py',
    '_base_/datasets/matek_views.py',
    '_base_/schedules/swav_lars_200e.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(with_label=True))
