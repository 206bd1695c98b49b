# supcon_bm.py with the two-layer projection of Khosla et al. 2020.
#   tools/dist_train.sh configs/supcon_mlp_bm.py 4
_base_ = 'supcon_bm.py'

model = dict(head=dict(hid_channels=2048))
