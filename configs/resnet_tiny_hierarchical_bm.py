# resnet_tiny_bm.py with a loss by which a near stage of maturation is a
# smaller error than a far one; another table of costs by
# model.head.loss.costs=FILE.
#   tools/dist_train.sh configs/resnet_tiny_hierarchical_bm.py 2
_base_ = 'resnet_tiny_bm.py'

model = dict(head=dict(loss=dict(type='SoftLabelLoss', beta=15.0)))
