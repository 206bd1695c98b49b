# resnet_tiny_bm.py with a weighted loss beside the balanced sampling.
#   tools/dist_train.sh configs/resnet_tiny_weighted_bm.py 2
_base_ = 'resnet_tiny_bm.py'

model = dict(
    head=dict(
        loss=dict(
            type='WeightedCrossEntropyLoss', class_weight='inverse_frequency'
        )
    )
)
