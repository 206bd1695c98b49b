"""Every fold of a config, trained and tested."""

import time
from collections.abc import Sequence
from pathlib import Path

from bm_plugins.datasets.manifest import read_manifest
from bm_plugins.errors import InputError
from bm_plugins.report.runs.folds import write_folds
from bm_plugins.report.runs.run_folder import Run, read_run
from bm_plugins.utils.progress import duration

from .experiment import Experiment, linear_config, read_config

_EVERYTHING = "train_dataloader.dataset.split=('train','val','test')"


def cross_validate(
    root: Path,
    config: str,
    folder: Path,
    folds: int = 5,
    gpus: int = 1,
    linear: str | None = None,
    transductive: bool = False,
    options: Sequence[str] = (),
    test_options: Sequence[str] = (),
) -> tuple[list[Run], str]:
    """Run what is missing and write ``summary.csv``.

    Args:
        root (Path): The project's folder.
        config (str): A training config.
        folder (Path): Gets ``fold_<k>/{train,test}``, and
            ``pretraining/train`` where it is transductive.
        folds (int): Number of folds, as in the manifest. Defaults to 5.
        gpus (int): GPUs of a run, or processes without any. Defaults to 1.
        linear (str, optional): Linear evaluation config of a pretraining.
            Defaults to None: found by its backbone.
        transductive (bool): Pretrain once, without labels, on all images.
            Defaults to False.
        options (Sequence[str]): ``key=value`` of the training.
        test_options (Sequence[str]): ``key=value`` of the test.

    Raises:
        InputError: The manifest has other folds, the config cannot be run
            so, or a fold failed.
    """
    cfg = read_config(Path(config), options)
    if 'train_cfg' not in cfg:
        raise InputError(
            f'{config} trains nothing. Give the pretraining, and this one by '
            '--linear.'
        )
    _check_folds(cfg, folds)
    test = linear or linear_config(root, config)
    reads_labels = cfg.train_dataloader.dataset.get('with_label', True)
    if transductive and reads_labels:
        raise InputError(
            f'--transductive: {config} trains with labels, so that test '
            'images must stay out of it. It is for pretraining without '
            'labels, as configs/swav_bm.py.'
        )
    start, pretrained = time.monotonic(), None
    if transductive:
        print('Pretraining once, on all images', flush=True)
        pretrained = Experiment(
            root, config, test, gpus, [*options, _EVERYTHING]
        ).run_training(folder / 'pretraining')
    runs = []
    for fold in range(folds):
        passed = duration(time.monotonic() - start)
        print(f'Fold {fold}, {fold + 1} of {folds}, at {passed}', flush=True)
        experiment = Experiment(
            root,
            None if transductive else config,
            test,
            gpus,
            options,
            test_options,
            {'BM_FOLD': str(fold)},
        )
        try:
            tested = experiment.run(folder / f'fold_{fold}', pretrained)
        except InputError as error:
            raise InputError(f'fold {fold}: {error}') from error
        runs.append(read_run(tested))
    protocol = runs[0].protocol.removesuffix('; fold 0 tests')
    if transductive:
        protocol += (
            '; transductive: pretraining saw the test images, without labels'
        )
    elif test != config:
        protocol += '; pretraining saw no test image of its fold'
    write_folds(runs, folder, protocol)
    return runs, protocol


def _check_folds(cfg, folds: int) -> None:
    dataset = cfg.train_dataloader.dataset
    if folds < 2:
        raise InputError(f'--folds {folds}: expected 2 or more.')
    if 'fold' not in dataset:
        raise InputError(
            "the config's data set has no fold; give it "
            "fold='{{$BM_FOLD:none}}', as in configs/_base_/datasets."
        )
    file = Path(dataset.data_root, dataset.get('ann_file', 'split.csv'))
    found = {*read_manifest(file, False)[3]} - {None}
    if found != set(range(folds)):
        raise InputError(
            f'--folds {folds}: the folds in {file} are '
            f'{" ".join(map(str, sorted(found))) or "none"}. Write it by '
            f'tools/prepare_matek.py --folds {folds} (with --ignore-folders '
            'where folders name the parts), or give another number.'
        )
