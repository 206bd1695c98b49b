"""Train by lightly's SwAV what a config of ours trains; torchrun starts it.

Projection, prototypes, loss and views are lightly's, used as its
documentation says, in a plain loop of torch. The config gives the backbone,
all sizes and strengths, the images, the optimiser and the schedule.
"""

import argparse
import json
import math
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import torch
import torch.distributed as dist
from lightly.loss import SwaVLoss
from lightly.models.modules import SwaVProjectionHead, SwaVPrototypes
from lightly.models.modules.heads import ProjectionHead
from lightly.transforms import SwaVTransform
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS, TRANSFORMS
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, normalize
from torch.nn.parallel import DistributedDataParallel
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.experiments.experiment import read_config
from bm_plugins.utils.run_manifest import (
    config_facts,
    data_facts,
    write_run_manifest,
)


class Network(nn.Module):
    """The config's backbone under lightly's projection and prototypes.

    Args:
        model (Config): Of the config.
        own_head (bool): lightly's projection, which has a hidden layer, and
            not the config's one linear map.
        frozen_steps (int): In which the prototypes keep their start.
    """

    def __init__(
        self, model: Config, own_head: bool, frozen_steps: int
    ) -> None:
        super().__init__()
        self.backbone = MODELS.build(model.backbone)
        with warnings_only():  # without a list of all weights
            self.backbone.init_weights()
        width, dim = model.neck.in_channels, model.neck.out_channels
        self.projection = (
            SwaVProjectionHead(width, width, dim)
            if own_head
            else ProjectionHead([(width, dim, None, None)])
        )
        self.prototypes = SwaVPrototypes(
            dim, model.head.loss.num_prototypes, frozen_steps
        )

    def forward(self, views: Sequence[Tensor], step: int) -> list[Tensor]:
        """Scores (B, K) of each view (B, 3, H, W)."""
        scores = []
        for view in views:
            features = adaptive_avg_pool2d(self.backbone(view)[-1], 1)
            embeddings = self.projection(features.flatten(1))
            scores.append(self.prototypes(normalize(embeddings, dim=1), step))
        return scores


class Cells(Dataset):
    """Views of the images of a data set of ours, read by Pillow."""

    def __init__(self, cells: Dataset, transform: SwaVTransform) -> None:
        numbers = range(len(cells))
        self.paths = [cells.get_data_info(i)['img_path'] for i in numbers]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> list[Tensor]:
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert('RGB'))


def views_like(pipeline: Sequence[dict]) -> SwaVTransform:
    """lightly's transform with the views of a pipeline of ours.

    Brightness stands for HSV's value; nothing stands for contrast.
    """
    ours = TRANSFORMS.build(
        next(step for step in pipeline if step['type'] == 'MultiCropViews')
    )
    sizes, scales = zip(*ours.views, strict=True)
    least, most = zip(*scales, strict=True)
    hue, saturation, value = ours.jitter
    drawer = ours.drawer
    return SwaVTransform(
        crop_sizes=sizes,
        crop_counts=[1] * len(sizes),
        crop_min_scales=least,
        crop_max_scales=most,
        hf_prob=drawer.flip_prob[0],
        vf_prob=drawer.flip_prob[1],
        cj_prob=drawer.jitter_prob,
        cj_bright=value,
        cj_contrast=0.0,
        cj_sat=saturation,
        cj_hue=hue / 360,  # torchvision: a share of the circle
        random_gray_scale=drawer.grey_prob,
        gaussian_blur=drawer.blur_prob,
        sigmas=drawer.blur_sigma,
    )


def schedule(
    optimizer: torch.optim.Optimizer, cfg: Config, epoch_length: int
) -> lr_scheduler.LRScheduler:
    """Linear warm-up, then a cosine to the end, by iterations."""
    warm_up, cosine = cfg.param_scheduler
    start = warm_up.end * epoch_length
    total = cfg.train_cfg.max_epochs * epoch_length
    return lr_scheduler.SequentialLR(
        optimizer,
        [
            lr_scheduler.LinearLR(
                optimizer, warm_up.start_factor, total_iters=max(start - 1, 1)
            ),
            lr_scheduler.CosineAnnealingLR(
                optimizer, max(total - start, 1), cosine.eta_min
            ),
        ],
        [start],
    )


def train(cfg: Config, work_dir: Path, own_head: bool) -> None:
    """Train; leaves the files of a training of ours in ``work_dir``."""
    init_default_scope('mmpretrain')
    rank, processes = dist.get_rank(), dist.get_world_size()
    seed = cfg.randomness.seed
    settings = cfg.train_dataloader
    cells = DATASETS.build(dict(settings.dataset, pipeline=[]))
    dataset = Cells(cells, views_like(settings.dataset.pipeline))
    sampler = DistributedSampler(dataset, seed=seed)
    loader = DataLoader(
        dataset,
        settings.batch_size,
        sampler=sampler,
        num_workers=settings.num_workers,
        persistent_workers=settings.num_workers > 0,
        drop_last=True,
    )
    own = cfg.model.head.loss
    frozen = own.freeze_prototypes_epochs * len(loader)
    torch.manual_seed(seed)
    network = Network(cfg.model, own_head, frozen)
    # The frozen prototypes get no gradient.
    parallel = DistributedDataParallel(network, find_unused_parameters=True)
    loss_of = SwaVLoss(
        own.temperature,
        own.sinkhorn_iterations,
        own.epsilon,
        sinkhorn_gather_distributed=True,
    )
    given = dict(cfg.optim_wrapper.optimizer)
    kind = getattr(torch.optim, given.pop('type'))
    optimizer = kind(network.parameters(), **given)
    rates = schedule(optimizer, cfg, len(loader))
    torch.manual_seed(seed + rank)  # other views in each process
    started = datetime.now(timezone.utc)
    step, records = 0, []
    for epoch in range(1, cfg.train_cfg.max_epochs + 1):
        sampler.set_epoch(epoch)
        total = torch.zeros(1)
        for views in loader:
            network.prototypes.normalize()
            loss = loss_of(parallel(views, step), [])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rate = optimizer.param_groups[0]['lr']
            rates.step()
            total += loss.detach()
            step += 1
        dist.all_reduce(total)
        mean = total.item() / (len(loader) * processes)
        share = mean / math.log(own.num_prototypes)
        records.append(
            dict(lr=rate, loss=mean, ln_k_share=share, epoch=epoch, step=step)
        )
        if rank == 0:
            place = f'[{epoch}][{len(loader)}/{len(loader)}]'
            print(f'Epoch(train) {place} loss: {mean:.4f}', flush=True)
    if rank == 0:
        save(network, work_dir, records)
        write_run_manifest(
            work_dir,
            'run_train.json',
            started=started,
            job='train',
            config=config_facts(cfg),
            data=dict(train=data_facts(cells)),
            seeds=dict(seed=seed),
        )


def save(network: Network, work_dir: Path, records: Sequence[dict]) -> None:
    """The backbone as a checkpoint of ours, and the log."""
    weights = network.backbone.state_dict()
    state = {f'backbone.{name}': value for name, value in weights.items()}
    file = work_dir / f'epoch_{len(records)}.pth'
    torch.save(dict(state_dict=state), file)
    (work_dir / 'last_checkpoint').write_text(str(file))
    log = work_dir / 'lightly/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(json.dumps(line) + '\n' for line in records))


def main() -> None:
    """Train in this process, one of several."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path)
    parser.add_argument('--work-dir', type=Path, required=True)
    parser.add_argument('--own-head', action='store_true')
    parser.add_argument('--cfg-options', nargs='+', default=[])
    args = parser.parse_args()
    dist.init_process_group('gloo')
    try:
        cfg = read_config(args.config, args.cfg_options)
        train(cfg, args.work_dir, args.own_head)
    finally:
        dist.destroy_process_group()


if __name__ == '__main__':
    main()
