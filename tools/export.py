#!/usr/bin/env python3
"""Write a bundle in formats that need neither mmpretrain nor this project.

Each file takes float32 RGB images (batch, 3, H, W) of 0 to 255, any batch,
and gives `probabilities` (calibrated), `logits` and `features`. It is written
only if it agrees with PyTorch to 1e-4 on real images: the bundle's own
reference cells, or those of --check.

formats:
  onnx         model.onnx, opset 18, for onnxruntime and others
  torchscript  model.torchscript, for torch.jit.load, Python or C++; torch
               deprecates it in favour of pt2
  pt2          model.pt2, for torch.export.load
  timm         timm/, the backbone alone, for
               timm.create_model('local-dir:DIR/timm', pretrained=True);
               ResNet and ResNeXt only
"""

import argparse
from collections.abc import Sequence

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the bundle, export and say how well it agrees."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/export.py marrow.bundle --out exported '
        '--formats onnx pt2',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('bundle', metavar='BUNDLE', help='of tools/publish.py')
    parser.add_argument('--out', metavar='DIR', required=True)
    parser.add_argument(
        '--formats',
        nargs='+',
        metavar='FORMAT',
        default=['onnx', 'torchscript', 'pt2'],
        help='see above (default: onnx torchscript pt2)',
    )
    parser.add_argument(
        '--check', metavar='FOLDER', help='folder of images to check on'
    )
    parser.add_argument(
        '--images',
        type=int,
        default=100,
        help='how many to check on at most (default: %(default)s)',
    )
    args = parser.parse_args(argv)
    from bm_plugins.apis.bundle.bundle_file import load_bundle
    from bm_plugins.apis.exporting.check import check_images
    from bm_plugins.apis.exporting.export import check_formats, export
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest

    bundle = load_bundle(args.bundle)
    check_formats(bundle, args.formats)
    images = check_images(bundle, args.images, args.check)
    origin = args.check or 'the bundle'
    print(
        f'Comparing with PyTorch on {len(images)} images of {origin}.',
        flush=True,
    )
    written = export(bundle, args.formats, args.out, images)
    for name in args.formats:
        print(f'{name}: writing and comparing', flush=True)
        done = next(written)
        print(
            f'{done.name}: {done.file}, largest difference '
            f'{done.difference:.1e}',
            flush=True,
        )
    write_run_manifest(args.out, inputs=file_facts([args.bundle]))


if __name__ == '__main__':
    cli.run(main)
