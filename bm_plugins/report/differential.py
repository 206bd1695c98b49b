"""A marrow differential: percentages by class, and what limits them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..evaluation.adjusted_counts import (
    adjusted_interval,
    adjusted_shares,
    errors_known,
)
from ..evaluation.intervals import wilson
from .differential_notes import (
    adjusted_notes,
    general_notes,
    left_out_note,
    ratio_notes,
    warnings_of,
)
from .differential_scheme import Scheme
from .myeloid_erythroid import myeloid_erythroid


@dataclass(frozen=True)
class DifferentialRow:
    """A class; percentages are None where its cells are not counted.

    Attributes:
        code (str): Of the class.
        full_name (str): Of the class.
        group (str): ``myeloid``, ``erythroid`` or ``other``.
        counted (bool): Whether its cells are part of the 100 %.
        count (int): Cells under this suggested class, the doubtful ones too.
        doubtful (int): Those of them that are set apart.
        percent (float or None): Of all counted cells.
        low (float or None): Lower end of its 95 % interval (Wilson), percent.
        high (float or None): Upper end.
        percent_sure (float or None): Of the counted cells that are not
            doubtful.
        adjusted (float or None): Percent, adjusted for the errors seen in
            validation; None too where these are not known.
        adjusted_low (float or None): Lower end of its 95 % interval.
        adjusted_high (float or None): Upper end.
    """

    code: str
    full_name: str
    group: str
    counted: bool
    count: int
    doubtful: int
    percent: float | None
    low: float | None
    high: float | None
    percent_sure: float | None
    adjusted: float | None
    adjusted_low: float | None
    adjusted_high: float | None


@dataclass(frozen=True)
class SmearRow:
    """A counted class in one smear.

    Attributes:
        smear (str): Its name.
        code (str): Of the class.
        count (int): Cells under this class.
        percent (float or None): Of the smear's counted cells; None without
            one, and so are the ends.
        low (float or None): Lower end of its 95 % interval (Wilson), percent.
        high (float or None): Upper end.
    """

    smear: str
    code: str
    count: int
    percent: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Differential:
    """A marrow differential.

    Attributes:
        rows (tuple[DifferentialRow, ...]): One a class, in the model's order.
        total (int): Counted cells, the 100 %.
        left_out (int): Cells of the classes that are not counted.
        doubtful (int): Doubtful ones of the counted cells.
        me_ratio (float or None): Myeloid by erythroid cells; None without an
            erythroid cell.
        me_low (float or None): Lower end of its 95 % interval.
        me_high (float or None): Upper end; None where there is none.
        warnings (tuple[str, ...]): What should be looked at first.
        notes (tuple[str, ...]): How to read the figures.
        by_smear (tuple[SmearRow, ...]): Each counted class in each of several
            smears, smear after smear; none where there are no several.
    """

    rows: tuple[DifferentialRow, ...]
    total: int
    left_out: int
    doubtful: int
    me_ratio: float | None
    me_low: float | None
    me_high: float | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    by_smear: tuple[SmearRow, ...] = ()

    @property
    def has_ratio(self) -> bool:
        """Whether the scheme has counted classes on both sides of M:E."""
        groups = {row.group for row in self.rows if row.counted}
        return groups >= {'myeloid', 'erythroid'}


def differential(
    counts: np.ndarray,
    doubtful: np.ndarray,
    scheme: Scheme,
    classes: Sequence[str],
    full_names: Sequence[str],
    confusion: np.ndarray | None = None,
    smears: Mapping[str, Sequence[int]] | None = None,
) -> Differential:
    """Percentages by class with intervals, the M:E ratio, and warnings.

    Args:
        counts (np.ndarray): Cells under each suggested class (C,), or under
            the one that a person chose.
        doubtful (np.ndarray): Those of them that are set apart (C,).
        scheme (Scheme): Which classes are counted, and their groups.
        classes (Sequence[str]): Codes (C,).
        full_names (Sequence[str]): Names (C,).
        confusion (np.ndarray): Validation counts (C, C), true classes in
            rows, for the adjusted estimate. It is for the model's suggestions
            alone: cells that a person corrected would be corrected twice.
            Defaults to none.
        smears (Mapping[str, Sequence[int]]): Smear -> its cells of each class
            (C,). Defaults to none, for not known.

    Returns:
        Differential: All that the report shows.

    Raises:
        InputError: The lengths differ, or more cells of a class are doubtful
            than there are.
    """
    counts, doubtful = np.asarray(counts), np.asarray(doubtful)
    _check(counts, doubtful, classes, full_names, confusion)
    counted = np.array([scheme.counted[code] for code in classes], bool)
    groups = np.array([scheme.groups[code] for code in classes])
    adjusted = _adjusted(counts, counted, confusion)
    columns = np.stack([*_shares(counts, doubtful, counted), *adjusted], 1)
    rows = tuple(
        DifferentialRow(
            code,
            full_names[i],
            scheme.groups[code],
            scheme.counted[code],
            int(counts[i]),
            int(doubtful[i]),
            *(None if np.isnan(x) else float(100 * x) for x in columns[i]),
        )
        for i, code in enumerate(classes)
    )
    sums = {
        group: int(counts[counted & (groups == group)].sum())
        for group in ('myeloid', 'erythroid')
    }
    by_smear = {name: np.asarray(own) for name, own in (smears or {}).items()}
    smears = {name: int(x[counted].sum()) for name, x in by_smear.items()}
    total = int(counts[counted].sum())
    apart = int(doubtful[counted].sum())
    return Differential(
        rows,
        total,
        int(counts.sum()) - total,
        apart,
        *myeloid_erythroid(**sums),
        warnings=warnings_of(total, apart, scheme, smears),
        notes=(
            *general_notes(classes, smears),
            *left_out_note({x.code: x.count for x in rows if not x.counted}),
            *ratio_notes({x.code: x.group for x in rows if x.counted}, **sums),
            *_adjusted_notes(classes, counted, confusion),
        ),
        by_smear=tuple(_smear_rows(by_smear, classes, counted)),
    )


def _smear_rows(
    by_smear: Mapping[str, np.ndarray],
    classes: Sequence[str],
    counted: np.ndarray,
) -> Iterator[SmearRow]:
    for name, counts in by_smear.items() if len(by_smear) > 1 else ():
        share, low, high, _ = _shares(counts, np.zeros_like(counts), counted)
        for i in counted.nonzero()[0]:
            shown = (share[i], low[i], high[i])
            yield SmearRow(
                name,
                classes[i],
                int(counts[i]),
                *(None if np.isnan(x) else float(100 * x) for x in shown),
            )


def _check(
    counts: np.ndarray,
    doubtful: np.ndarray,
    classes: Sequence[str],
    full_names: Sequence[str],
    confusion: np.ndarray | None,
) -> None:
    number = len(classes)
    shapes = [counts.shape, doubtful.shape, (len(full_names),)]
    expected = [(number,)] * 3
    if confusion is not None:
        shapes.append(np.shape(confusion))
        expected.append((number, number))
    if shapes != expected:
        raise InputError(
            f'differential of {number} classes: counts, doubtful cells, names '
            f'and confusion matrix have the shapes {shapes}; expected '
            f'{expected}.'
        )
    if ((doubtful < 0) | (doubtful > counts)).any():
        wrong = int(((doubtful < 0) | (doubtful > counts)).argmax())
        raise InputError(
            f'differential: {doubtful[wrong]} of {counts[wrong]} cells of '
            f'{classes[wrong]} are doubtful; expected 0 to all of them.'
        )


def _adjusted_notes(
    classes: Sequence[str], counted: np.ndarray, confusion: np.ndarray | None
) -> list[str]:
    if confusion is None:
        return adjusted_notes(None)
    kept_raw = counted & ~errors_known(confusion)
    return adjusted_notes([classes[i] for i in kept_raw.nonzero()[0]])


def _shares(
    counts: np.ndarray, doubtful: np.ndarray, counted: np.ndarray
) -> list[np.ndarray]:
    """Share, lower and upper end, share of the sure; NaN where not shown."""
    total, sure = counts[counted].sum(), (counts - doubtful)[counted].sum()
    low, high = wilson(np.where(counted, counts, 0), total)
    nan = np.full(len(counts), np.nan)
    shown = [counts / total, low, high] if total else [nan] * 3
    shown.append((counts - doubtful) / sure if sure else nan)
    return [np.where(counted, column, np.nan) for column in shown]


def _adjusted(
    counts: np.ndarray, counted: np.ndarray, confusion: np.ndarray | None
) -> list[np.ndarray]:
    """Adjusted share, lower and upper end; NaN where there is none."""
    if confusion is None or not counts[counted].sum():
        return [np.full(len(counts), np.nan)] * 3
    ends = adjusted_interval(counts, confusion, counted)
    columns = [adjusted_shares(counts, confusion, counted), *ends.T]
    return [np.where(errors_known(confusion), x, np.nan) for x in columns]
