"""SwAV's swapped prediction with one assignment over all ranks."""

from typing import Any

import torch
from mmengine.dist import all_gather, get_dist_info
from mmpretrain.models.losses import SwAVLoss
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from bm_plugins.errors import InputError


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Sinkhorn-Knopp assignment of a batch to prototypes.

    SwAV (arXiv:2006.09882), section 3.1: the soft assignment of highest score
    plus ``epsilon`` times entropy that uses all prototypes equally. Computed
    on logarithms in float32: at epsilon 0.03, exp(score / epsilon) reaches
    e^33, past float16.

    Args:
        scores (Tensor): Cosine similarities (B, K) of all samples of all
            ranks; any floating-point type.
        epsilon (float): Weight of the entropy, from 0.005.
        iterations (int): Rounds of normalising prototypes, then samples; 1
            or more.

    Returns:
        Tensor: Assignment (B, K), float32; each row sums to 1.
    """
    scores = scores.float()
    # The first round takes any constant of a prototype out; near 0 the
    # division by a small epsilon costs the largest shares no digits.
    log_q = (scores - scores.amax(0)) / epsilon
    for _ in range(iterations):
        # Equal shares up to a constant, which the next line takes out.
        log_q = log_q - log_q.logsumexp(0, keepdim=True)
        log_q = log_q - log_q.logsumexp(1, keepdim=True)
    return log_q.softmax(1)


@MODELS.register_module()
class GlobalSwAVLoss(SwAVLoss):
    """mmpretrain's ``SwAVLoss``, right on any number of ranks.

    Upstream's Sinkhorn sums prototypes over each rank's own samples. Here the
    ranks gather their embeddings once a step and each solves the whole
    assignment, so the same global batch gives the same result on any number
    of ranks. The queue is one for all ranks, a buffer of the model: it goes
    into the checkpoint.

    The prototypes start uniformly on the unit sphere. ``MarrowRunner`` adds
    ``SwAVScheduleHook``, which says when the queue is in use, and
    ``SwAVMonitorHook`` to any training with this loss.

    Args:
        feat_dim (int): Length D of an embedding.
        queue_length (int): Embeddings the queue holds, over all ranks, a view
            of assignment; 0 for none. Defaults to 0.
        num_prototypes (int): Number K of prototypes. Defaults to 3000.
        queue_start_epoch (int): First epoch, from 0, that fills the queue; it
            is in use once full. Defaults to 15.
        freeze_prototypes_epochs (int): Epochs in which the prototypes keep
            their start. Defaults to 0.
        **kwargs: ``sinkhorn_iterations``, ``epsilon``, ``temperature``,
            ``crops_for_assign``, ``num_crops``, as upstream.

    Attributes:
        use_queue (bool): Fill the queue, and use it once it is full.
        freeze_prototypes (bool): Leave the prototypes as they are; their
            gradient is still computed.
        needed_hooks (tuple[str, ...]): Hooks that training with it needs.
        accumulation_refused (str): Why gradients of several steps do not add
            up to those of one; a loss without it may be accumulated.

    Raises:
        InputError: ``num_prototypes`` is a list, which upstream's own loss
            cannot train either; the queue's length is no number from 0, or
            less than a batch.
    """

    needed_hooks = ('SwAVScheduleHook', 'SwAVMonitorHook')
    accumulation_refused = (
        'SwAV assigns the images of a step to the prototypes with equal '
        'shares, and several small assignments are not one of all'
    )
    queue: Tensor

    def __init__(
        self,
        feat_dim: int,
        queue_length: int = 0,
        num_prototypes: int = 3000,
        queue_start_epoch: int = 15,
        freeze_prototypes_epochs: int = 0,
        **kwargs: Any,
    ) -> None:
        if not isinstance(num_prototypes, int):
            raise InputError(
                f'num_prototypes={num_prototypes}: expected one number.'
            )
        if not isinstance(queue_length, int) or queue_length < 0:
            raise InputError(
                f'queue_length={queue_length}: expected the number of '
                'embeddings over all ranks, a multiple of the global batch, '
                'or 0 for no queue.'
            )
        super().__init__(feat_dim, num_prototypes=num_prototypes, **kwargs)
        # A normal draw, normalised, is uniform on the sphere.
        nn.init.normal_(self.prototypes.weight)
        self._normalize_prototypes()
        del self.queue  # upstream's plain attribute
        size = (len(self.crops_for_assign), queue_length, feat_dim)
        self.register_buffer('queue', torch.zeros(size))
        self.register_buffer('queue_fill', torch.zeros((), dtype=torch.long))
        self._fill = 0  # queue_fill as an int, read without a GPU sync
        self.queue_start_epoch = queue_start_epoch
        self.freeze_prototypes_epochs = freeze_prototypes_epochs
        self.use_queue = False
        self.freeze_prototypes = False

    def reset_queue(self) -> None:
        """Forget the queue's embeddings."""
        self._fill = 0
        self.queue_fill.zero_()
        self.queue.zero_()

    @torch.no_grad()
    def _normalize_prototypes(self) -> None:
        weight = self.prototypes.weight
        weight.copy_(nn.functional.normalize(weight, dim=1))

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args):
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._fill = int(self.queue_fill)

    def forward(self, x: Tensor) -> Tensor:
        """Swapped-prediction loss, SwAV's equations 1 and 2.

        Args:
            x (Tensor): Unit embeddings (V·B, D) of this rank's B images, view
                after view.

        Returns:
            Tensor: The loss, a scalar; its mean over the ranks is that of the
            global batch.
        """
        if not self.freeze_prototypes:
            self._normalize_prototypes()
        views = sum(self.num_crops)
        embeddings = x.detach().float().chunk(views)
        log_p = [
            (scores.float() / self.temperature).log_softmax(1)
            for scores in self.prototypes(x).chunk(views)
        ]
        loss = x.new_zeros((), dtype=torch.float32)
        for slot, view in enumerate(self.crops_for_assign):
            q = self.assign(slot, embeddings[view])
            for other in range(views):
                if other != view:
                    loss = loss - (q * log_p[other]).sum(1).mean()
        if self.use_queue and self._fill < self.queue.size(1):
            world_size = get_dist_info()[1]
            self._fill += len(embeddings[0]) * world_size
            self.queue_fill.fill_(self._fill)
        return loss / (len(self.crops_for_assign) * (views - 1))

    @torch.no_grad()
    def assign(self, slot: int, embeddings: Tensor) -> Tensor:
        """Assign this rank's samples among those of all ranks and the queue.

        Args:
            slot (int): Place of the view in ``crops_for_assign``.
            embeddings (Tensor): (B, D), float32.

        Returns:
            Tensor: Assignment (B, K), float32.
        """
        rank, world_size = get_dist_info()
        # Row i of rank r is sample i·world + r, the order of one rank.
        batch = torch.stack(all_gather(embeddings), 1).flatten(0, 1)
        samples = batch
        if self.use_queue:
            length = self.queue.size(1)
            if length < len(batch):
                raise InputError(
                    f'queue_length {length} is less than the global batch of '
                    f'{len(batch)}: raise it to a multiple of the batch, or '
                    'set it to 0.'
                )
            if self._fill >= length:
                samples = torch.cat([batch, self.queue[slot]])
            self.queue[slot] = torch.cat([batch, self.queue[slot]])[:length]
        with torch.autocast(embeddings.device.type, enabled=False):
            scores = samples @ self.prototypes.weight.float().t()
        q = sinkhorn(scores, self.epsilon, self.sinkhorn_iterations)
        return q[: len(batch)][rank::world_size]


def swav_loss_of(model: nn.Module) -> GlobalSwAVLoss:
    """The loss of mmpretrain's SwAV or of mmselfsup's, unwrapped.

    Raises:
        InputError: The model has another one.
    """
    head = getattr(model, 'head', None)
    # mmpretrain's head has a method ``loss``, mmselfsup's the module itself.
    loss = getattr(head, 'loss_module', getattr(head, 'loss', None))
    if not isinstance(loss, GlobalSwAVLoss):
        raise InputError(
            "expected SwAV, with model.head.loss=dict(type='GlobalSwAVLoss', "
            f'...); this model has {type(loss).__name__}. Take a swav_*.py '
            'config; for other methods take SwAVScheduleHook and '
            'SwAVMonitorHook out of custom_hooks.'
        )
    return loss
