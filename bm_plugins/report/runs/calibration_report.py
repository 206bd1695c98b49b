"""How far a run's probabilities can be trusted, before and after scaling."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.calibration import (
    apply_temperature,
    debiased_calibration_error,
    fit_temperature,
)
from bm_plugins.evaluation.functional.intervals import bootstrap_means
from bm_plugins.utils.csv_file import write_csv

from .run_folder import Run


@dataclass(frozen=True)
class CalibrationScore:
    """A score before and after temperature scaling.

    Attributes:
        score (str): ``calibration_error`` or ``negative_log_likelihood``.
        before, before_ends: Of the probabilities as they are; 95 % interval.
        after, after_ends: At the fitted temperature; 95 % interval.
    """

    score: str
    before: float
    before_ends: tuple[float, float]
    after: float
    after_ends: tuple[float, float]


def calibrate(
    run: Run, fitted_on: Run, replicates: int = 1000, seed: int = 0
) -> tuple[float, list[CalibrationScore]]:
    """Fit a temperature on one run and measure it on another.

    Args:
        run (Run): The test.
        fitted_on (Run): The same model on other images, as the validation
            part.
        replicates (int): Bootstrap draws. Defaults to 1000.
        seed (int): Their seed. Defaults to 0.

    Raises:
        InputError: The runs have different classes, or images in common.
    """
    if run.codes != fitted_on.codes:
        raise InputError(
            f'{fitted_on.folder} has the classes {" ".join(fitted_on.codes)}, '
            f'{run.folder} {" ".join(run.codes)}: give two tests of one model.'
        )
    common = {*run.paths} & {*fitted_on.paths}
    if common:
        raise InputError(
            f'{fitted_on.folder} and {run.folder} have {len(common)} images '
            f'in common, as {min(common)}: fit the temperature on images that '
            'are not tested, as the val part.'
        )
    temperature = fit_temperature(fitted_on.scores, fitted_on.labels)
    before = _scores(run.scores, run.labels, replicates, seed)
    after = _scores(
        apply_temperature(run.scores, temperature),
        run.labels,
        replicates,
        seed,
    )
    return temperature, [
        CalibrationScore(score, *before[score], *after[score])
        for score in before
    ]


def _scores(
    scores: np.ndarray, labels: np.ndarray, replicates: int, seed: int
) -> dict[str, tuple]:
    loss = -np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-12))
    error, low, high, _ = debiased_calibration_error(
        scores, labels, replicates=replicates, seed=seed
    )
    return {
        'calibration_error': (error, (low, high)),
        'negative_log_likelihood': (
            float(loss.mean()),
            bootstrap_means(loss, replicates, seed),
        ),
    }


def calibration_text(
    run: Run,
    fitted_on: Run,
    temperature: float,
    scores: list[CalibrationScore],
) -> str:
    """The result in words and figures."""
    direction = 'over' if temperature > 1 else 'under'
    lines = [
        f'{len(run.labels)} test images; protocol: {run.protocol}.',
        f'Temperature {temperature:.3f}, fitted on {len(fitted_on.labels)} '
        f'images of {fitted_on.folder}: the probabilities were '
        f'{direction}confident there.',
        'In brackets 95 % intervals over test images, given the temperature; '
        'a calibration',
        'error from 0 on: perfect calibration would look like this too.',
        f'{"":28}{"as it is":24}at the temperature',
    ]
    for item in scores:
        cells = [
            f'{value:.3f} [{low:.3f}, {high:.3f}]'
            for value, (low, high) in (
                (item.before, item.before_ends),
                (item.after, item.after_ends),
            )
        ]
        name = item.score.replace('_', ' ')
        lines.append(f'{name:28}{cells[0]:24}{cells[1]}')
    return '\n'.join(lines)


def write_calibration(
    file: Path, run: Run, temperature: float, scores: list[CalibrationScore]
) -> None:
    """Write the figures as CSV, a row before and one after."""
    rows = []
    for item in scores:
        for used, value, (low, high) in (
            (1.0, item.before, item.before_ends),
            (temperature, item.after, item.after_ends),
        ):
            numbers = [f'{x:.6f}' for x in (used, value, low, high)]
            rows.append((item.score, *numbers, len(run.labels), run.protocol))
    header = ['score', 'temperature', 'value', 'low', 'high', 'n', 'protocol']
    write_csv(file, header, rows)
