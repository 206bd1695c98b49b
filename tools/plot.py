#!/usr/bin/env python3
"""Pictures of runs.

tools/plot.py run RUN --out DIR
    confusion matrix, scores class by class, reliability diagram;
    RUN is the --work-dir of tools/test.py
tools/plot.py curves RUN... --out DIR
    training curves; each RUN is the --work-dir of tools/train.py
tools/plot.py tsne configs/linear_bm.py CHECKPOINT --out DIR
tools/plot.py tsne features.h5 --out DIR
    t-SNE of the frozen features, and its coordinates as CSV; features.h5 is
    a file of tools/extract_features.py
tools/plot.py prototypes configs/swav_bm.py CHECKPOINT --out DIR
    the cells nearest to SwAV's prototypes, and their list as CSV
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.choices import PARTS
from bm_plugins.errors import InputError


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, draw, name the files and note what was read."""
    args = parse(argv)
    from bm_plugins.utils.files import make_folder
    from bm_plugins.utils.run_manifest import write_run_manifest

    make_folder(args.out)
    for file in args.draw(args):
        print(f'Wrote {file}')
    write_run_manifest(args.out, f'run_{args.what}.json', **facts(args))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, with the function that draws."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/plot.py run work_dirs/linear_bm '
        '--out work_dirs/pictures',
        formatter_class=argparse.RawTextHelpFormatter,
    )
    what = parser.add_subparsers(required=True, metavar='WHAT')

    def add(name: str, draw, help: str) -> argparse.ArgumentParser:
        command = what.add_parser(name, help=help, description=help)
        command.set_defaults(what=f'plot_{name}', draw=draw)
        command.add_argument(
            '--out', type=Path, required=True, metavar='DIR', help='a folder'
        )
        return command

    run = add('run', draw_run, 'pictures of a tested run')
    run.add_argument('run', metavar='RUN')
    run.add_argument('--min-support', type=int, default=10)
    run.add_argument(
        '--temperature',
        type=float,
        help='of tools/calibrate.py: a reliability diagram after it, too',
    )
    curves = add('curves', draw_curves, 'training curves')
    curves.add_argument('runs', nargs='+', metavar='RUN')
    embedding = add('tsne', draw_embedding, 't-SNE of frozen features')
    embedding.add_argument('--perplexity', type=float, default=30)
    embedding.add_argument(
        '--per-class', type=int, default=100, help='images at most'
    )
    embedding.set_defaults(split=['test'])
    gallery = add('prototypes', draw_prototypes, 'cells of each prototype')
    gallery.add_argument('--count', type=int, default=20, help='prototypes')
    gallery.add_argument('--cells', type=int, default=10, help='of each')
    gallery.add_argument(
        '--per-class', type=int, help='images at most; default: all'
    )
    gallery.set_defaults(split=['train'])
    for command in (embedding, gallery):
        in_file = command is embedding
        command.add_argument(
            'config', help='config' + (', or .h5 file' if in_file else '')
        )
        command.add_argument(
            'checkpoint',
            nargs='?' if in_file else None,
            help='.pth file' + ('; none: untrained' if in_file else ''),
        )
        command.add_argument(
            '--split',
            nargs='+',
            choices=PARTS,
            help='parts to take the images from; default: '
            + command.get_default('split')[0],
        )
        command.add_argument('--seed', type=int, default=0)
        command.add_argument(
            '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE'
        )
    return parser.parse_args(argv)


def facts(args: argparse.Namespace) -> dict:
    """What a picture is made of."""
    from bm_plugins.utils import run_manifest

    if args.draw is draw_run:
        names = ('predictions', 'figures', 'per_class')
        files = [Path(args.run, f'{name}.csv') for name in names]
        return dict(inputs=run_manifest.file_facts(files))
    if args.draw is draw_curves:
        logs = [Path(run).glob('*/vis_data/scalars.json') for run in args.runs]
        files = [file for found in logs for file in sorted(found)]
        return dict(inputs=run_manifest.file_facts(files))
    seeds = dict(seed=args.seed)
    if args.config.endswith('.h5'):
        return dict(inputs=run_manifest.file_facts([args.config]), seeds=seeds)
    from mmpretrain.registry import DATASETS

    from bm_plugins.engine.features.frozen_features import labelled
    from bm_plugins.experiments.experiment import read_config

    cfg = read_config(Path(args.config), args.cfg_options)
    part = 'test' if args.draw is draw_embedding else 'train'
    dataset = labelled(cfg[f'{part}_dataloader'].dataset, args.split)
    given = args.checkpoint
    known = given != 'none' and Path(given).is_file()  # or a URL
    return dict(
        config=run_manifest.config_facts(cfg),
        data={part: run_manifest.data_facts(DATASETS.build(dataset))},
        checkpoint=run_manifest.file_facts([given])[0] if known else given,
        seeds=seeds,
    )


def draw_run(args: argparse.Namespace) -> list[Path]:
    """Confusion matrix, scores by class, reliability."""
    if args.temperature is not None and args.temperature <= 0:
        raise InputError(
            f'--temperature {args.temperature}: expected one above 0.'
        )
    from bm_plugins.report.runs.run_folder import read_run
    from bm_plugins.visualization.run_plots import run_pictures

    return run_pictures(
        read_run(args.run), args.out, args.min_support, args.temperature
    )


def draw_curves(args: argparse.Namespace) -> list[Path]:
    """Training curves."""
    from bm_plugins.visualization.canvas import save
    from bm_plugins.visualization.curves import curves_picture, read_curves

    names = [Path(run).name for run in args.runs]
    if len({*names}) < len(names):
        names = args.runs
    runs = {
        name: read_curves(run)
        for name, run in zip(names, args.runs, strict=True)
    }
    file = args.out / 'curves.png'
    save(curves_picture(runs), file)
    return [file]


def draw_embedding(args: argparse.Namespace) -> list[Path]:
    """t-SNE."""
    _at_least_one(args, 'per_class')
    if args.config.endswith('.h5'):
        return draw_tsne_of_file(args)
    if args.checkpoint is None:
        raise InputError(
            f'{args.config} needs a checkpoint, or none for untrained '
            'features; a file of features ends in .h5.'
        )
    from bm_plugins.experiments.experiment import read_config
    from bm_plugins.visualization.tsne import write_tsne

    return write_tsne(
        read_config(Path(args.config), args.cfg_options),
        None if args.checkpoint == 'none' else args.checkpoint,
        args.out,
        args.split,
        args.per_class,
        args.seed,
        args.perplexity,
    )


def draw_tsne_of_file(args: argparse.Namespace) -> list[Path]:
    """t-SNE of features in a file."""
    if args.checkpoint or args.cfg_options:
        raise InputError(
            f'{args.config} holds features: leave out the checkpoint and '
            '--cfg-options.'
        )
    import torch

    from bm_plugins.apis.features.feature_file import read_features
    from bm_plugins.engine.features.features import some_rows
    from bm_plugins.engine.features.frozen_features import Features
    from bm_plugins.visualization.tsne import chosen, draw_tsne

    read = read_features(args.config)
    rows = read.rows(args.split)
    rows = rows[some_rows(read.labels[rows], args.per_class, args.seed)]
    paths = [read.paths[row] for row in rows]
    found = Features(
        torch.from_numpy(read.features[rows]).double(),
        torch.from_numpy(read.labels[rows]),
        paths,
        paths,
        read.classes,
        read.full_names,
    )
    said = chosen(args.per_class, args.split, Path(args.config).name)
    return draw_tsne(found, args.out, said, args.seed, args.perplexity)


def draw_prototypes(args: argparse.Namespace) -> list[Path]:
    """Gallery of prototypes."""
    _at_least_one(args, 'count', 'cells', 'per_class')
    from bm_plugins.experiments.experiment import read_config
    from bm_plugins.visualization.prototypes import write_prototypes

    return write_prototypes(
        read_config(Path(args.config), args.cfg_options),
        args.checkpoint,
        args.out,
        args.split,
        args.count,
        args.cells,
        args.per_class,
        args.seed,
    )


def _at_least_one(args: argparse.Namespace, *names: str) -> None:
    for name in names:
        value = getattr(args, name)
        if value is not None and value < 1:
            flag = name.replace('_', '-')
            raise InputError(f'--{flag} {value}: expected 1 or more.')


if __name__ == '__main__':
    cli.run(main)
