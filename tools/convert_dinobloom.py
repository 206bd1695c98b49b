#!/usr/bin/env python3
"""Convert DinoBloom's published weights to a timm model's.

DinoBloom-S.pth, -B.pth, -L.pth and -G.pth of doi:10.5281/zenodo.10908163, or
DINOv2's own files without registers. Writes a safetensors file, every weight
of which fits the model, and prints what to set to evaluate it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.errors import InputError


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and convert."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/convert_dinobloom.py DinoBloom-S.pth '
        'dinobloom_s.safetensors',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('checkpoint', help='as published')
    parser.add_argument('output', help='.safetensors file to write')
    args = parser.parse_args(argv)
    if not args.output.endswith('.safetensors'):
        raise InputError(
            f'{args.output}: expected a name that ends in .safetensors.'
        )
    if Path(args.output).exists():
        raise InputError(f'{args.output} exists; choose another name.')
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    from bm_plugins.compat.safe_loading import load
    from bm_plugins.engine.checkpoints.checkpoint_keys import backbone_weights
    from bm_plugins.engine.checkpoints.conversions import (
        convert_dinobloom,
        timm_name,
    )
    from bm_plugins.models import TimmEncoder
    from bm_plugins.utils.files import atomic_write

    weights = convert_dinobloom(load(args.checkpoint, 'cpu'), args.checkpoint)
    name, size = timm_name(weights, args.checkpoint)
    with torch.device('meta'):
        model = TimmEncoder(name, size)
    backbone_weights(weights, model, args.checkpoint)  # each has its place
    told = dict(
        model_name=name,
        img_size=str(size),
        converted_from=Path(args.checkpoint).name,
    )
    with atomic_write(args.output) as partial:
        try:
            save_file(
                {k: v.contiguous().clone() for k, v in weights.items()},
                partial,
                metadata=told,
            )
        except SafetensorError as error:  # hides the disk's own error
            raise OSError(str(error)) from error
    print(
        f'Wrote {len(weights)} weights to {args.output}. Evaluate them by\n'
        f'  BM_TIMM={name} BM_TIMM_SIZE={size} \\\n'
        f'      tools/test.py configs/linear_timm_bm.py {args.output}'
    )


if __name__ == '__main__':
    cli.run(main)
