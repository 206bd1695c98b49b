"""Compare evaluated runs on the same test images, by a paired bootstrap.

  python tools/compare_runs.py --before untrained_0 untrained_1 \\
      --after pretrained_0 pretrained_1

Each folder holds the predictions.csv of tools/test.py; the first before is
paired with the first after (say, the same seed), and so on.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bm_plugins import cli  # noqa: E402
from bm_plugins.errors import InputError  # noqa: E402
from bm_plugins.evaluation.paired_bootstrap import (  # noqa: E402
    interval,
    macro_f1_differences,
)
from bm_plugins.evaluation.per_class import (  # noqa: E402
    averages,
    confusion_matrix,
)


def main() -> None:
    """Read the runs, print each pair and the mean of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    runs = dict(nargs='+', type=Path, required=True, metavar='DIR')
    parser.add_argument('--before', **runs)
    parser.add_argument('--after', **runs)
    parser.add_argument('--replicates', type=int, default=10_000)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()

    tables = [read(folder) for folder in args.before + args.after]
    first = {path: label for path, (label, _) in tables[0].items()}
    for folder, table in zip(args.before + args.after, tables, strict=True):
        if first != {path: label for path, (label, _) in table.items()}:
            raise InputError(
                f'{folder}: its test images or labels are not those of '
                f'{args.before[0]}; compare runs on the same manifest.'
            )
    codes = sorted(
        {code for t in tables for pair in t.values() for code in pair}
    )
    index = {code: i for i, code in enumerate(codes)}
    labels = np.array([index[label] for label in first.values()])
    predictions = [
        np.array([index[table[path][1]] for path in first]) for table in tables
    ]
    before = predictions[: len(args.before)]
    after = predictions[len(args.before) :]
    observed, draws = macro_f1_differences(
        labels, before, after, args.replicates, args.seed
    )

    def macro_f1(run: np.ndarray) -> float:
        matrix = confusion_matrix(labels, run, len(codes))
        return averages(matrix, 1)['macro_f1']

    print(
        f'Macro F1 over {len(set(labels.tolist()))} classes with test images, '
        f'{len(labels)} images; difference with its 95 % interval\n'
        f'(paired bootstrap over the images, {args.replicates} draws).\n'
    )
    print('pair   before   after   difference')
    values = np.array(
        [
            [macro_f1(a), macro_f1(b)]
            for a, b in zip(before, after, strict=True)
        ]
    )
    pairs = zip(values, observed, draws, strict=True)
    rows = [(str(i), pair) for i, pair in enumerate(pairs, 1)]
    rows.append(('mean', (values.mean(0), observed.mean(), draws.mean(0))))
    for name, pair in rows:
        (a, b), difference, drawn = pair
        low, high = interval(drawn)
        print(
            f'{name:6} {a:.4f}  {b:.4f}  {difference:+.4f} '
            f'[{low:+.4f}, {high:+.4f}]'
        )


def read(folder: Path) -> dict[str, tuple[str, str]]:
    """Label and prediction of each path in a run's predictions.csv."""
    file = folder / 'predictions.csv'
    if not file.is_file():
        raise InputError(
            f'{file} does not exist; give the --work-dir of tools/test.py.'
        )
    with open(file, newline='') as stream:
        return {
            row['path']: (row['label'], row['pred'])
            for row in csv.DictReader(stream)
        }


if __name__ == '__main__':
    cli.run(main)
