"""What labels buy: each route at several numbers of labels a class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bm_plugins.apis.features.feature_evaluation import evaluate_features
from bm_plugins.apis.features.feature_file import FeatureFile, read_features
from bm_plugins.datasets.splits.stratified_split import stratified_share
from bm_plugins.errors import InputError
from bm_plugins.report.runs.run_folder import Run, check_same_test, read_run
from bm_plugins.utils.run_manifest import file_facts

from .experiment import Experiment, claim, read_config

_TRAIN = ('train', 'val')


def run_routes(
    routes: Mapping[str, str],
    budgets: Sequence[int | None],
    draws: int,
    folder: Path,
    root: Path,
    processes: int,
    options: Sequence[str] = (),
    say: Callable[[str], object] = print,
) -> dict[tuple[str, int | None], list[Run]]:
    """Do what is not done yet.

    The labels of a draw are the same for every route, and those of a smaller
    number are among those of a larger one
    (:func:`bm_plugins.datasets.splits.stratified_split.stratified_share`).

    Args:
        routes (Mapping[str, str]): By name a file of features (``.h5``), on
            which a linear classifier is fitted, or a config that is trained
            and tested, as many images an epoch as with all labels.
        budgets (Sequence[int or None]): Labels of each class at most; None
            for all, of which there is one draw.
        draws (int): Choices of labels, and seeds.
        folder (Path): Gets a run's folder each; what is finished is kept.
        root (Path): The project's folder.
        processes (int): Of the trainings.
        options (Sequence[str]): ``key=value`` of these.
        say (Callable): Is told which run comes.

    Returns:
        dict: Runs by route and budget.

    Raises:
        InputError: A file or config is none, a run failed, or the routes are
            not of the same test images.
    """
    sources = {
        name: read_features(source) if source.endswith('.h5') else source
        for name, source in routes.items()
    }
    facts = {
        name: file_facts([source])[0]['sha256']
        for name, source in routes.items()
        if source.endswith('.h5')
    }
    runs: dict[tuple[str, int | None], list[Run]] = {}
    planned = [
        (budget, draw, name)
        for budget in budgets
        for draw in range(draws if budget else 1)
        for name in sources
    ]
    for number, (budget, draw, name) in enumerate(planned, 1):
        labels = f'{budget or "all"} labels a class'
        say(f'Run {number} of {len(planned)}: {name}, {labels}, draw {draw}')
        where = folder / name / f'{budget or "all"}_{draw}'
        source = sources[name]
        if isinstance(source, FeatureFile):
            claim(where, features=facts[name])
            if not (where / 'predictions.csv').is_file():
                evaluate_features(few_labels(source, budget, draw), where)
        else:
            where = _experiment(
                root, source, budget, draw, processes, options
            ).run(where)
        runs.setdefault((name, budget), []).append(read_run(where))
    check_same_test([run for group in runs.values() for run in group])
    return runs


def few_labels(
    found: FeatureFile, per_class: int | None, draw: int
) -> FeatureFile:
    """Of the labelled training cells some of each class; all test cells."""
    known = found.rows(_TRAIN)
    chosen = known[
        stratified_share(
            [found.paths[row] for row in known],
            [found.classes[found.labels[row]] for row in known],
            per_class=per_class,
            draw=draw,
        )
    ]
    rows = np.sort(np.concatenate([chosen, found.rows(('test',))]))
    return replace(
        found,
        features=found.features[rows],
        labels=found.labels[rows],
        paths=[found.paths[row] for row in rows],
        splits=[found.splits[row] for row in rows],
    )


def _experiment(
    root: Path,
    config: str,
    budget: int | None,
    draw: int,
    processes: int,
    options: Sequence[str],
) -> Experiment:
    own = [f'randomness.seed={draw}', *options]
    cfg = read_config(root / config, own)
    if not (cfg.get('train_dataloader') and cfg.get('test_dataloader')):
        raise InputError(
            f'{config} has no training or no test part: name a supervised '
            'config, or features by tools/extract_features.py.'
        )
    if budget:
        dataset = 'train_dataloader.dataset'
        own += [f'{dataset}.per_class={budget}', f'{dataset}.draw={draw}']
        sampler = cfg.train_dataloader.sampler
        if sampler.type != 'ClassBalancedSampler':
            raise InputError(
                f'{config} draws by {sampler.type}: an epoch of few labels '
                'would be short. Take one with ClassBalancedSampler.'
            )
        if not sampler.get('samples_per_class'):
            length = _training_images(cfg.train_dataloader.dataset)
            own.append(f'train_dataloader.sampler.epoch_length={length}')
    return Experiment(root, config, config, processes, own)


def _training_images(dataset: dict) -> int:
    from mmpretrain.registry import DATASETS

    return len(DATASETS.build({**dataset, 'pipeline': []}))
