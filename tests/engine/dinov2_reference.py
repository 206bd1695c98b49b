"""DINOv2 as its paper describes it, in float64, and weights to run it with.

Keys and shapes are those of the published files, written down by hand.
"""

import torch
from torch import Tensor


def published(
    width: int, depth: int, tokens: int, hidden: int, swiglu: bool = False
) -> dict[str, Tensor]:
    """Random weights in the layout of DinoBloom's files.

    Args:
        width (int): Length of the features.
        depth (int): Blocks.
        tokens (int): The class token and the patches.
        hidden (int): Width of the feed-forward network.
        swiglu (bool): Gate it, as in the giant model.
    """
    shapes = {
        'cls_token': (1, 1, width),
        'pos_embed': (1, tokens, width),
        'mask_token': (1, width),
        'patch_embed.proj.weight': (width, 3, 14, 14),
        'patch_embed.proj.bias': (width,),
        'norm.weight': (width,),
        'norm.bias': (width,),
    }
    network = {
        'mlp.fc1.weight': (hidden, width),
        'mlp.fc1.bias': (hidden,),
        'mlp.fc2.weight': (width, hidden),
        'mlp.fc2.bias': (width,),
    }
    if swiglu:
        network = {
            'mlp.w12.weight': (2 * hidden, width),
            'mlp.w12.bias': (2 * hidden,),
            'mlp.w3.weight': (width, hidden),
            'mlp.w3.bias': (width,),
        }
    for block in range(depth):
        for name, shape in {
            'norm1.weight': (width,),
            'norm1.bias': (width,),
            'attn.qkv.weight': (3 * width, width),
            'attn.qkv.bias': (3 * width,),
            'attn.proj.weight': (width, width),
            'attn.proj.bias': (width,),
            'ls1.gamma': (width,),
            'norm2.weight': (width,),
            'norm2.bias': (width,),
            **network,
            'ls2.gamma': (width,),
        }.items():
            shapes[f'blocks.{block}.{name}'] = shape
    generator = torch.Generator().manual_seed(0)

    def draw(shape: tuple[int, ...]) -> Tensor:
        scale = shape[-1] ** -0.5 if len(shape) == 2 else 0.5
        return scale * torch.randn(shape, generator=generator)

    teacher = {f'backbone.{k}': draw(shape) for k, shape in shapes.items()}
    teacher['dino_head.mlp.0.weight'] = draw((8, width))
    teacher['ibot_head.last_layer.weight_v'] = draw((8, width))
    return dict(teacher=teacher)


def forward(teacher: dict[str, Tensor], image: Tensor, heads: int) -> Tensor:
    """The class token (D,) of one image (3, H, W), after the last norm."""
    w = {k.removeprefix('backbone.'): v.double() for k, v in teacher.items()}
    width = w['cls_token'].shape[-1]
    kernel = w['patch_embed.proj.weight'].reshape(width, -1)
    patches = [
        kernel @ image[:, i : i + 14, j : j + 14].double().reshape(-1)
        + w['patch_embed.proj.bias']
        for i in range(0, image.shape[1], 14)
        for j in range(0, image.shape[2], 14)
    ]
    x = torch.stack([w['cls_token'][0, 0], *patches]) + w['pos_embed'][0]

    def norm(x: Tensor, name: str) -> Tensor:
        x = x - x.mean(1, keepdim=True)
        x = x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt()
        return x * w[f'{name}.weight'] + w[f'{name}.bias']

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f'{name}.weight'].t() + w[f'{name}.bias']

    def attention(x: Tensor, name: str) -> Tensor:
        size = width // heads
        q, k, v = linear(x, f'{name}.qkv').split(width, 1)
        mixed = []
        for first in range(0, width, size):
            own = slice(first, first + size)
            scores = q[:, own] @ k[:, own].t() / size**0.5
            mixed.append(scores.softmax(1) @ v[:, own])
        return linear(torch.cat(mixed, 1), f'{name}.proj')

    def network(x: Tensor, name: str) -> Tensor:
        if f'{name}.w12.weight' in w:
            gate, value = linear(x, f'{name}.w12').chunk(2, 1)
            return linear(gate * gate.sigmoid() * value, f'{name}.w3')
        hidden = linear(x, f'{name}.fc1')
        hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2  # GELU
        return linear(hidden, f'{name}.fc2')

    block = 0
    while (name := f'blocks.{block}') + '.norm1.weight' in w:
        x = x + w[f'{name}.ls1.gamma'] * attention(
            norm(x, f'{name}.norm1'), f'{name}.attn'
        )
        x = x + w[f'{name}.ls2.gamma'] * network(
            norm(x, f'{name}.norm2'), f'{name}.mlp'
        )
        block += 1
    return norm(x, 'norm')[0]
