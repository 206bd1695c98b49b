"""A marrow differential: percentages by class, and what limits them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.intervals import wilson
from bm_plugins.evaluation.functional.prevalence import SlideShares

from .notes import (
    adjusted_notes,
    general_notes,
    left_out_note,
    ratio_notes,
    trust,
    warnings_of,
)
from .scheme import Scheme


@dataclass(frozen=True)
class DifferentialRow:
    """A class; percentages are None where its cells are not counted.

    Attributes:
        code, full_name (str): Of the class.
        group (str): ``myeloid``, ``erythroid`` or ``other``.
        counted (bool): Whether its cells are part of the 100 %.
        count (int): Cells under this suggested class, the doubtful ones too.
        doubtful (int): Those of them that are set apart.
        percent (float or None): Of all counted cells.
        low, high (float or None): Ends of its 95 % interval (Wilson), percent;
            None unless a person has decided on every cell.
        percent_sure (float or None): Of the counted cells that are not
            doubtful.
        adjusted (float or None): Percent by :class:`SlideShares`; None too
            where the class's errors are not known.
        adjusted_low, adjusted_high (float or None): Ends of its 95 % interval.
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
        smear, code (str): Of the smear and the class.
        count (int): Cells under this class.
        percent (float or None): Of the smear's counted cells; None without
            one, and so are the ends.
        low, high (float or None): Ends of its 95 % interval (Wilson), percent;
            None too unless a person has decided on every cell.
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
        me_low (float or None): Lower end of its 95 % interval; None unless a
            person has decided on every cell.
        me_high (float or None): Upper end; None where there is none.
        me_adjusted (tuple[float or None, ...]): The ratio by
            :class:`SlideShares`, and the ends of its 95 % interval.
        trust (str): Which figures to go by, and why.
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
    me_adjusted: tuple[float | None, float | None, float | None]
    trust: str
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
    estimate: SlideShares | None = None,
    smears: Mapping[str, Sequence[int]] | None = None,
    decided: int = 0,
) -> Differential:
    """Percentages by class with intervals, the M:E ratio, and warnings.

    Args:
        counts (np.ndarray): Cells under each suggested class (C,), or under
            the one that a person chose.
        doubtful (np.ndarray): Those of them that are set apart (C,).
        scheme (Scheme): Which classes are counted, and their groups.
        classes, full_names (Sequence[str]): Codes and names (C,).
        estimate (SlideShares): By the model's own suggestions, whatever a
            person has decided since. It is not shown where all is decided.
            Defaults to none.
        smears (Mapping[str, Sequence[int]]): Smear -> its cells of each class
            (C,). Defaults to none, for not known.
        decided (int): Cells whose class a person chose or confirmed. Defaults
            to 0.

    Raises:
        InputError: The lengths differ, or more cells of a class are doubtful
            than there are.
    """
    counts, doubtful = np.asarray(counts), np.asarray(doubtful)
    _check(counts, doubtful, classes, full_names)
    counted = np.array([scheme.counted[code] for code in classes], bool)
    groups = np.array([scheme.groups[code] for code in classes])
    checked = bool(decided == counts.sum())
    if checked or not counts[counted].sum():
        estimate = None
    adjusted, me_adjusted = _adjusted(counted, groups, estimate)
    shares = _shares(counts, doubtful, counted, checked)
    columns = np.stack([*shares, *adjusted.T], 1)
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
    ratio = myeloid_erythroid(**sums)
    by_smear = {name: np.asarray(own) for name, own in (smears or {}).items()}
    smears = {name: int(x[counted].sum()) for name, x in by_smear.items()}
    total = int(counts[counted].sum())
    apart = int(doubtful[counted].sum())
    return Differential(
        rows,
        total,
        int(counts.sum()) - total,
        apart,
        *(ratio if checked else (ratio[0], None, None)),
        me_adjusted=me_adjusted,
        trust=trust(total, decided, checked, rows),
        warnings=warnings_of(total, apart, scheme, smears),
        notes=(
            *general_notes(classes, smears),
            *left_out_note({x.code: x.count for x in rows if not x.counted}),
            *ratio_notes(
                {x.code: x.group for x in rows if x.counted},
                **sums,
                checked=checked,
            ),
            *_adjusted_notes(
                classes, counted, estimate, me_adjusted == (None,) * 3
            ),
        ),
        by_smear=tuple(_smear_rows(by_smear, classes, counted, checked)),
    )


def _smear_rows(
    by_smear: Mapping[str, np.ndarray],
    classes: Sequence[str],
    counted: np.ndarray,
    checked: bool,
) -> Iterator[SmearRow]:
    for name, counts in by_smear.items() if len(by_smear) > 1 else ():
        none = np.zeros_like(counts)
        share, low, high, _ = _shares(counts, none, counted, checked)
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
) -> None:
    number = len(classes)
    shapes = [counts.shape, doubtful.shape, (len(full_names),)]
    if shapes != [(number,)] * 3:
        raise InputError(
            f'differential of {number} classes: counts, doubtful cells and '
            f'names have the shapes {shapes}; expected {(number,)} each.'
        )
    if ((doubtful < 0) | (doubtful > counts)).any():
        wrong = int(((doubtful < 0) | (doubtful > counts)).argmax())
        raise InputError(
            f'differential: {doubtful[wrong]} of {counts[wrong]} cells of '
            f'{classes[wrong]} are doubtful; expected 0 to all of them.'
        )


def _adjusted_notes(
    classes: Sequence[str],
    counted: np.ndarray,
    estimate: SlideShares | None,
    without_ratio: bool,
) -> list[str]:
    if estimate is None:
        return adjusted_notes(None)
    kept_raw = (counted & ~estimate.measured).nonzero()[0]
    return adjusted_notes([classes[i] for i in kept_raw], without_ratio)


def _shares(
    counts: np.ndarray,
    doubtful: np.ndarray,
    counted: np.ndarray,
    checked: bool,
) -> list[np.ndarray]:
    """Share, lower and upper end, share of the sure; NaN where not shown."""
    total, sure = counts[counted].sum(), (counts - doubtful)[counted].sum()
    nan = np.full(len(counts), np.nan)
    ends = [nan, nan]
    if checked:
        ends = wilson(np.where(counted, counts, 0), total)
    shown = [counts / total, *ends] if total else [nan] * 3
    shown.append((counts - doubtful) / sure if sure else nan)
    return [np.where(counted, column, np.nan) for column in shown]


def _adjusted(
    counted: np.ndarray, groups: np.ndarray, estimate: SlideShares | None
) -> tuple[np.ndarray, tuple[float | None, float | None, float | None]]:
    """Adjusted share and its ends (C, 3), NaN where there is none; M:E."""
    columns = np.full((len(counted), 3), np.nan)
    if estimate is None:
        return columns, (None,) * 3
    shown = counted & estimate.measured
    for i in shown.nonzero()[0]:
        part = np.arange(len(counted)) == i
        columns[i, 1:] = estimate.interval(part, counted)
    shares = estimate.shares(counted, columns[:, 1:])
    columns[shown, 0] = shares[shown]
    sides = [counted & (groups == x) for x in ('myeloid', 'erythroid')]
    return columns, _adjusted_ratio(estimate, *sides, shares)


def _adjusted_ratio(
    estimate: SlideShares,
    myeloid: np.ndarray,
    erythroid: np.ndarray,
    shares: np.ndarray,
) -> tuple[float | None, float | None, float | None]:
    """M:E of the shares, and its ends by those of M / (M + E)."""
    both = myeloid | erythroid
    known = [(estimate.measured & side).any() for side in (myeloid, erythroid)]
    if not all(known) or not shares[both].sum():
        return (None,) * 3
    low, high = estimate.interval(myeloid, both)
    share = np.clip(shares[myeloid].sum() / shares[both].sum(), low, high)
    return tuple(
        float(x / (1 - x)) if x < 1 - 1e-9 else None
        for x in (share, low, high)
    )


def myeloid_erythroid(
    myeloid: int, erythroid: int
) -> tuple[float | None, float | None, float | None]:
    """The M:E ratio and its 95 % interval.

    The interval is Wilson's of p = M / (M + E), whose ends go through
    p / (1 - p): the ratio rises with p, so that the confidence stays.

    Returns:
        tuple[float or None, ...]: The ratio, the lower and the upper end.
        Without an erythroid cell the ratio and the upper end are None, as
        both have no bound; without any cell the lower end is, too.
    """
    if not myeloid + erythroid:
        return None, None, None
    low, high = wilson(myeloid, myeloid + erythroid)
    if not erythroid:
        return None, float(low / (1 - low)), None
    return (
        myeloid / erythroid,
        float(low / (1 - low)),
        float(high / (1 - high)),
    )
