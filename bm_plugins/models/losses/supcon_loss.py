"""The supervised contrastive loss over all ranks."""

import torch
from mmengine.dist import all_gather, get_dist_info
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import normalize

from bm_plugins.errors import InputError


@MODELS.register_module()
class SupConLoss(nn.Module):
    """Pull the embeddings of a class together, push all others away.

    "Beyond Labels: Visual Representations for Bone Marrow Cell Morphology
    Recognition", equation 12, which is Khosla et al. 2020 (arXiv:2004.11362),
    equation 2, with the mean outside the logarithm:

        L = 1/N Σ_i -1/|P(i)| Σ_{p in P(i)}
            log [exp(z_i·z_p / τ) / Σ_{a ≠ i} exp(z_i·z_a / τ)]

    P(i) are the other embeddings of i's class. An anchor without any adds 0
    and is counted in N. The ranks gather their embeddings, so the same global
    batch gives the same loss, and after DDP's averaging the same gradients,
    on any number of ranks. float32 inside, whatever comes in.

    Args:
        temperature (float): τ. Defaults to 0.2, the paper's.

    Attributes:
        accumulation_refused (str): As of :class:`.GlobalSwAVLoss`.

    Raises:
        InputError: The temperature is not positive.
    """

    accumulation_refused = (
        'SupCon contrasts an image with the others of its step, and in '
        'several small batches it would never meet most of them'
    )

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(
                f'SupConLoss temperature={temperature}: expected more than 0.'
            )
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of the global batch.

        Args:
            embeddings (Tensor): This rank's (N, D), of which the directions
                count; further views are further rows.
            labels (Tensor): Their classes (N,), integers.

        Returns:
            Tensor: A scalar, the same on all ranks.

        Raises:
            InputError: There is not one label a row.
        """
        if labels.shape != embeddings.shape[:1]:
            raise InputError(
                f'SupConLoss: labels {tuple(labels.shape)} for embeddings '
                f'{tuple(embeddings.shape)}; expected one label a row.'
            )
        with torch.autocast(embeddings.device.type, enabled=False):
            # In half precision unit vectors have not quite length 1.
            z, labels = _of_all_ranks(normalize(embeddings.float()), labels)
            scores = z @ z.t() / self.temperature
            itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
            nothing = torch.finfo(scores.dtype).min  # -inf would give NaN
            log_p = scores - scores.masked_fill(itself, nothing).logsumexp(
                1, keepdim=True
            )
            positive = (labels[:, None] == labels) & ~itself
            count = positive.sum(1)
            log_p = log_p.masked_fill(~positive, 0).sum(1)
            return -(log_p / count.clamp(min=1)).mean()


def _of_all_ranks(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of all ranks; gradients reach this rank's own."""
    rank, world_size = get_dist_info()
    if world_size == 1:
        return z, labels
    if z.requires_grad:
        # Each rank has the whole loss, but of its gradient the share of its
        # own rows alone; DDP's mean divides the sum of these by the ranks.
        z.register_hook(lambda grad: grad * world_size)
    everyone = all_gather(z.detach())
    everyone[rank] = z
    return torch.cat(everyone), torch.cat(all_gather(labels))
