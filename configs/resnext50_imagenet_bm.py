# resnext50_bm.py from ImageNet weights in a local file: mmpretrain's or
# torchvision's ResNeXt-50 32x4d. Their classifier is left out.
#   tools/dist_train.sh configs/resnext50_imagenet_bm.py 4 \
#       --cfg-options load_from=checkpoints/resnext50_32x4d.pth
_base_ = 'resnext50_bm.py'

load_from = 'checkpoints/resnext50_32x4d.pth'
