"""What a vision transformer's tokens attend to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode


class _Watch(TorchFunctionMode):
    """Computes the weights of each attention once more."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def __torch_function__(
        self,
        function: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if function is scaled_dot_product_attention:
            query, key = args[:2]
            scale = kwargs.get('scale') or query.size(-1) ** -0.5
            weights = query @ key.transpose(-2, -1) * scale
            self.seen.append(weights.softmax(-1))
        return function(*args, **kwargs)


@contextmanager
def watch_attention() -> Iterator[list[Tensor]]:
    """Record the attention of each layer that uses torch's own.

    mmpretrain's and timm's vision transformers do. Masks are not looked at;
    plain vision transformers have none.

    Yields:
        list[Tensor]: Gets one (B, heads, N, N) a layer, rows sum to 1.
    """
    with _Watch() as watch:
        yield watch.seen


def attention_rollout(
    attentions: Sequence[Tensor], grid: tuple[int, int], class_token: bool
) -> Tensor:
    """How much of each patch reaches the features.

    Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers"
    (arXiv:2005.00928), section 3: the product over the layers of
    (A + I) / 2, A being the mean over the heads. Read where the features are
    taken from: at the class token, or as the mean over the patches.

    Args:
        attentions (Sequence[Tensor]): One (1, heads, N, N) a layer. The
            patches are the last of the N tokens.
        grid (tuple[int, int]): Rows h and columns w of patches.
        class_token (bool): Whether the features are the first token's.

    Returns:
        Tensor: (h, w), the least taken off, as each patch gets some.
    """
    size = attentions[0].size(-1)
    total = torch.eye(size, dtype=torch.float64)
    for attention in attentions:
        mean = attention[0].double().mean(0)
        total = (mean + torch.eye(size, dtype=torch.float64)) / 2 @ total
    patches = grid[0] * grid[1]
    row = total[0] if class_token else total[size - patches :].mean(0)
    flow = row[size - patches :].view(grid).float()
    return flow - flow.min()
