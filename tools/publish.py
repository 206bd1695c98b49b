#!/usr/bin/env python3
"""Write a trained model as one file for tools/predict.py, with its model card.

CONFIG and CHECKPOINT are
- a linear_*_bm.py config and the checkpoint of a pretraining; the classifier
  is fitted on the train part alone, so that the val part can calibrate it; or
- the config and checkpoint of a supervised training that left out the val
  part, as resnext50_val_bm.py does.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.choices import CALIBRATION
from bm_plugins.errors import InputError

EPILOG = """\
example: tools/publish.py configs/linear_bm.py \\
             work_dirs/swav_bm/epoch_200.pth --out work_dirs/cells.bundle
         tools/publish.py --card work_dirs/cells.bundle
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Publish a model, or print the card of a published one."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', metavar='CONFIG', type=Path, nargs='?')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', nargs='?')
    parser.add_argument('--out', metavar='FILE', type=Path)
    parser.add_argument(
        '--calibration',
        choices=CALIBRATION,
        default='val',
        help='val: the val part, kept out of training (default); test: half '
        'of the test part, for models trained on train and val; the other '
        'half is measured',
    )
    parser.add_argument(
        '--per-class',
        metavar='N',
        type=int,
        default=50,
        help='training cells of each class to carry along (default 50)',
    )
    parser.add_argument(
        '--um-per-px',
        metavar='X',
        help='µm per pixel of the training images; default: as '
        "tools/prepare_matek.py noted it in the manifest's stamp",
    )
    parser.add_argument(
        '--cfg-options', metavar='KEY=VALUE', nargs='+', default=[]
    )
    parser.add_argument(
        '--card', metavar='BUNDLE', type=Path, help='print its model card'
    )
    args = parser.parse_args(argv)
    if args.card:
        from bm_plugins.apis.bundle.bundle_file import load_bundle

        print(load_bundle(args.card).card, end='')
        return
    usage = 'expected CONFIG CHECKPOINT --out FILE, or --card BUNDLE; see '
    usage += '--help.'
    if not (args.config and args.out):
        raise InputError(usage)
    from bm_plugins.utils.files import check_output

    check_output(args.out)
    from bm_plugins.apis.bundle.bundle_file import save_bundle
    from bm_plugins.apis.publishing.publish import publish
    from bm_plugins.experiments.experiment import own_weights, read_config

    cfg = read_config(args.config, args.cfg_options)
    checkpoint = args.checkpoint or own_weights(cfg)
    if not checkpoint:
        raise InputError(usage)
    bundle = publish(
        cfg,
        checkpoint,
        args.calibration,
        args.per_class,
        um_per_px=args.um_per_px,
    )
    digest = save_bundle(bundle, args.out)
    for figure in bundle.info['figures']:
        if figure['of'] == 'all':
            print(
                '{score:22} {value:.3f} [{low:.3f}, {high:.3f}]  n {n}, '
                '{classes} classes'.format(**figure)
            )
    for caution in bundle.info['cautions']:
        print(f'caution: {caution}')
    size = args.out.stat().st_size / 2**20
    print(f'Written to {args.out}: {size:.1f} MiB, SHA-256 {digest[:16]}.')
    print(f'Its model card: tools/publish.py --card {args.out}')


if __name__ == '__main__':
    cli.run(main)
