# swav_tiny_bm.py on the Barcelona blood cells; next: linear_tiny_pbc.py.
#   BM_DATA_ROOT=data/pbc tools/dist_train.sh configs/swav_tiny_pbc.py 2
_base_ = ['swav_tiny_bm.py', '_base_/datasets/pbc_classes.py']
