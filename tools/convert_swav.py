#!/usr/bin/env python3
"""Convert a SwAV checkpoint between mmpretrain and mmselfsup.

The weights only, prototypes included; every one must find its place.
For mmselfsup's own SwAV the config is configs/swav_mmselfsup_bm.py.
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
        epilog='example: tools/convert_swav.py configs/swav_bm.py '
        'FROM_MMSELFSUP.pth OUT.pth',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='of the SwAV that is to load it')
    parser.add_argument('checkpoint', help='of the other SwAV')
    parser.add_argument('output', help='file to write')
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        raise InputError(
            f'config {args.config} does not exist; see the configs folder.'
        )
    if Path(args.output).exists():
        raise InputError(f'{args.output} exists; choose another name.')
    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import MODELS

    from bm_plugins import plugins  # noqa: F401
    from bm_plugins.compat.safe_loading import load
    from bm_plugins.engine.checkpoints.conversions import convert_swav
    from bm_plugins.utils.files import atomic_write

    checkpoint = load(args.checkpoint)
    cfg = Config.fromfile(args.config)
    init_default_scope('mmpretrain')
    model = MODELS.build(cfg.model)
    weights = convert_swav(checkpoint, model, args.checkpoint)
    meta = dict(converted_from=Path(args.checkpoint).name)
    if 'dataset_meta' in checkpoint.get('meta', {}):
        meta['dataset_meta'] = checkpoint['meta']['dataset_meta']
    with atomic_write(args.output) as partial, open(partial, 'wb') as stream:
        torch.save(dict(meta=meta, state_dict=weights), stream)
    print(f'Wrote {len(weights)} weights to {args.output}')


if __name__ == '__main__':
    cli.run(main)
