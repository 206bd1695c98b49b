"""The launch scripts where there is a GPU: NCCL, and more ranks than GPUs."""

import os
import subprocess

import torch

SWAV = 'configs/swav_tiny_bm.py'
SMALL = ['train_dataloader.batch_size=8', 'train_cfg.max_epochs=1']


def script(name, *args, cells):
    return subprocess.run(
        [f'tools/{name}.sh', *map(str, args)],
        env=dict(os.environ, BM_DATA_ROOT=str(cells)),
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_nccl_and_float16(cells, tmp_path):
    args = [SWAV, 1, '--amp', '--work-dir', tmp_path]
    done = script('dist_train', *args, '--cfg-options', *SMALL, cells=cells)
    assert done.returncode == 0, done.stderr
    weights = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    assert all(v.isfinite().all() for v in weights['state_dict'].values())


def test_more_processes_than_gpus(cells, tmp_path):
    there = torch.cuda.device_count()
    args = [SWAV, there + 1, '--work-dir', tmp_path]
    done = script('dist_train', *args, cells=cells)
    assert done.returncode == 1
    assert f'this node has {there}' in done.stderr
    assert done.stderr.count('error') == 1
