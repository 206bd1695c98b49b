# resnext50_bm.py with a weighted loss beside the balanced sampling, which the
# paper's text says, and the authors' code does not do.
#   tools/dist_train.sh configs/resnext50_weighted_bm.py 4
# class_weight='effective_number' gives the weights of Cui et al. 2019.
_base_ = 'resnext50_bm.py'

model = dict(
    head=dict(
        loss=dict(
            type='WeightedCrossEntropyLoss', class_weight='inverse_frequency'
        )
    )
)
