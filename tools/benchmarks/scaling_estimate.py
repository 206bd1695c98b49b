"""What several GPUs exchange in a step of SwAV, on paper."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

FLOAT = 4  # bytes


def estimate(
    gpus: Sequence[int] = (4, 8, 16, 32, 64),
    config: str = 'swav_bm',
    compute_s: float = 0.1,
    nvlink: float = 300e9,
    network: float = 12.5e9,
    latency_s: float = 20e-6,
    memory: float = 2e12,
    gpus_per_node: int = 8,
) -> dict:
    """Estimate a step's communication; nothing here is measured.

    Bytes follow from the model and the algorithms: a ring all-reduce of the
    gradients moves 2 (n - 1) / n of them, SyncBN gathers 2 C + 1 numbers of
    each layer going forth and reduces 2 C going back, for each size of view,
    and the embeddings of the assigned views are gathered once each. The
    times rest on the arguments, which are assumptions until measured.

    Args:
        gpus (Sequence[int]): Numbers of GPUs.
        config (str): Name of a SwAV config in ``configs/``.
        compute_s (float): Seconds of a step on one GPU.
        nvlink (float): Bytes a second between the GPUs of a node.
        network (float): Bytes a second between nodes, 100 Gb/s.
        latency_s (float): Seconds that any collective takes.
        memory (float): Bytes a second of a GPU's own memory.
        gpus_per_node (int): GPUs that share NVLink.

    Returns:
        dict: ``estimate`` (True), ``assumptions``, ``model`` and ``rows``,
        one a number of GPUs: bytes and ``seconds`` of each exchange, and
        ``efficiency``, of weak scaling, at worst (the host waits for all)
        and at best (the backward pass, two thirds of the compute, hides the
        gradients).
    """
    file = Path(__file__).parents[2] / 'configs' / f'{config}.py'
    cfg = Config.fromfile(file)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    sizes = _sizes(model, cfg)
    rows = []
    for count in gpus:
        speed = nvlink if count <= gpus_per_node else network
        moved = _bytes(sizes, count)
        calls = dict(
            gradients=1,
            sync_bn=2 * sizes['norm_layers'] * sizes['view_sizes'],
            embeddings=sizes['assigned_views'],
        )
        seconds = {
            what: calls[what] * latency_s + moved[what] / speed
            for what in moved
        }
        seconds['assignment'] = _assignment_bytes(sizes, count) / memory
        rest = sum(seconds.values()) - seconds['gradients']
        shown = max(seconds['gradients'] - compute_s * 2 / 3, 0)
        rows.append(
            dict(
                gpus=count,
                link='NVLink' if count <= gpus_per_node else 'network',
                bytes=moved,
                collectives=sum(calls.values()),
                seconds=seconds,
                efficiency=dict(
                    worst=compute_s
                    / (compute_s + rest + seconds['gradients']),
                    best=compute_s / (compute_s + rest + shown),
                ),
            )
        )
    return dict(
        estimate=True,
        config=config,
        assumptions=dict(
            compute_s=compute_s,
            nvlink_bytes_per_s=nvlink,
            network_bytes_per_s=network,
            latency_s=latency_s,
            memory_bytes_per_s=memory,
            gpus_per_node=gpus_per_node,
        ),
        model=sizes,
        rows=rows,
    )


def _sizes(model: nn.Module, cfg: Config) -> dict[str, int]:
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    loss = model.head.loss_module
    return dict(
        parameters=sum(p.numel() for p in model.parameters()),
        norm_layers=len(norms),
        norm_channels=sum(norm.num_features for norm in norms),
        view_sizes=len(loss.num_crops),
        assigned_views=len(loss.crops_for_assign),
        images=cfg.train_dataloader.batch_size,
        dimensions=loss.prototypes.in_features,
        prototypes=loss.prototypes.out_features,
        queue=loss.queue.size(1),
        rounds=loss.sinkhorn_iterations,
    )


def _bytes(sizes: dict[str, int], gpus: int) -> dict[str, float]:
    """What a GPU receives in a step."""
    others = gpus - 1
    channels = sizes['norm_channels'] * sizes['view_sizes']
    layers = sizes['norm_layers'] * sizes['view_sizes']
    ring = 2 * others / gpus * FLOAT
    embedding = sizes['images'] * sizes['dimensions']
    return dict(
        gradients=ring * sizes['parameters'],
        sync_bn=others * (2 * channels + layers) * FLOAT + ring * 2 * channels,
        embeddings=others * embedding * sizes['assigned_views'] * FLOAT,
    )


def _assignment_bytes(sizes: dict[str, int], gpus: int) -> int:
    """Read and written: each GPU assigns the images of all."""
    samples = sizes['images'] * gpus + sizes['queue']
    # A round normalises twice: a read for the sum, a read and a write after.
    passes = 6 * sizes['rounds'] * sizes['assigned_views']
    return samples * sizes['prototypes'] * FLOAT * passes
