"""What a differential says in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.evaluation.functional.prevalence import MIN_SUPPORT

from .scheme import Scheme

# Lee et al. 2008, section on the nucleated differential cell count.
PRECISE, PLAIN, SMEARS = 500, 300, 2
DOUBTFUL_SHARE = 0.1
ALL_DECIDED = (
    'Go by the counts: a person has decided on every cell. The 95 % intervals '
    'are of chance in which cells were counted.'
)
SOME_DECIDED = (
    "A person has decided on {} of the cells; the others are the model's "
    'suggestions, mistakes included. '
)
# By whether there are estimated percentages.
UNTIL_ALL = {
    True: 'Until all are decided, go by the intervals of the estimated '
    "percentages, which are of the model's own suggestions.",
    False: 'Until all are decided, no interval can be given.',
}
# Percent left to classes without an estimate that must be said at once.
_REST = 5
# Smears up to which each has its number in the notes.
_LISTED = 10


def warnings_of(
    total: int,
    doubtful: int,
    scheme: Scheme,
    smears: Mapping[str, int] | None,
) -> tuple[str, ...]:
    """Sentences on what should be looked at before the figures are used.

    Of ``total`` counted cells, ``doubtful`` of them, by smear.
    """
    found = []
    if not total:
        found.append('There is no counted cell, so there are no percentages.')
    elif total < PRECISE:
        found.append(
            f'Only {total} nucleated cells were counted. ICSH (Lee et al. '
            f'2008) asks for at least {PRECISE} where a precise percentage '
            f'matters for the diagnosis, and for at least {PLAIN} otherwise.'
        )
    for smear, cells in (smears or {}).items():
        if not cells and len(smears) > 1:
            found.append(f'Smear {smear} has no counted cell.')
    if doubtful > DOUBTFUL_SHARE * total:
        found.append(
            f'{doubtful} of {total} counted cells '
            f'({100 * doubtful / total:.1f} %) are doubtful: the model '
            'hesitates between classes, or they look like none of the cells '
            'that it knows. Look at them before using the percentages. '
            'A weak model has this effect; so has another stain or scanner '
            'than in training.'
        )
    if scheme.unknown:
        found.append(
            f'The counting scheme does not name {", ".join(scheme.unknown)}: '
            'their cells are counted, on neither side of the M:E ratio. Give '
            'a scheme file that names them.'
        )
    return tuple(found)


def general_notes(
    classes: Sequence[str], smears: Mapping[str, int] | None
) -> list[str]:
    """What holds for every differential of these classes."""
    absent = (
        ' It has no class for megakaryocytes or mast cells.'
        if {*classes} <= {*CLASSES}
        else ''
    )
    return [
        'Research use only, not for diagnosis.',
        'The model puts every cell into one of its classes.'
        f'{absent} Cells of a kind that it does not know are counted under '
        'another class, unless a person corrects them.',
        _smear_note(smears),
    ]


def _smear_note(smears: Mapping[str, int] | None) -> str:
    used = {name: cells for name, cells in (smears or {}).items() if cells}
    if len(used) > _LISTED:
        return f'The counted cells come from {len(used)} smears.'
    if len(used) >= SMEARS:
        each = ', '.join(f'{name}: {cells}' for name, cells in used.items())
        return (
            'Counted cells by subfolder, each taken as a smear of one '
            f'patient: {each}.'
        )
    known = (
        'All counted cells come from one smear.'
        if used
        else 'From how many smears the cells come is not known.'
    )
    return (
        f'{known} ICSH asks for at least {SMEARS} where a precise percentage '
        'matters for the diagnosis.'
    )


def left_out_note(left_out: Mapping[str, int]) -> list[str]:
    """A sentence on the cells that are not part of the 100 %, by class."""
    cells = {code: number for code, number in left_out.items() if number}
    if not cells:
        return []
    each = ', '.join(f'{code}: {number}' for code, number in cells.items())
    return [f'Cells left out of all percentages by the scheme: {each}.']


def ratio_notes(
    groups: Mapping[str, str], myeloid: int, erythroid: int, checked: bool
) -> list[str]:
    """What the M:E ratio is of, and why it or an end of it is missing.

    Args:
        groups (Mapping[str, str]): Counted class -> its group.
        myeloid (int): Myeloid cells.
        erythroid (int): Erythroid cells.
        checked (bool): A person has decided on every cell, so that the ratio
            has an interval.
    """
    sides = [
        ' '.join(code for code, group in groups.items() if group == side)
        for side in ('myeloid', 'erythroid')
    ]
    if not all(sides):
        return [
            'There is no M:E ratio: the scheme has no '
            f'{"erythroid" if sides[0] else "myeloid"} class.'
        ]
    notes = [
        f'The M:E ratio is that of the classes {sides[0]} to {sides[1]}: '
        f'{myeloid} to {erythroid} cells.'
    ]
    if 'BLA' in groups and groups['BLA'] == 'myeloid':
        notes.append(
            'Blasts (BLA) are taken as myeloid in it. The model does not tell '
            'myeloblasts from lymphoblasts; where they are lymphoid, put them '
            'into the group "other" of the scheme.'
        )
    if not erythroid:
        notes.append(
            'There is no M:E ratio of the counts, as no erythroid cell was '
            'counted.'
            + (' Of its interval only the lower end is known.' * checked)
            if myeloid
            else 'There is no M:E ratio of the counts, as neither a myeloid '
            'nor an erythroid cell was counted.'
        )
    elif not myeloid:
        notes.append('The M:E ratio is 0, as no myeloid cell was counted.')
    return notes


def adjusted_notes(
    not_adjusted: Sequence[str] | None, without_ratio: bool = False
) -> list[str]:
    """What the adjusted estimate assumes.

    Args:
        not_adjusted (Sequence[str] or None): Counted classes without an
            adjusted figure. None: there is no estimate.
        without_ratio (bool): The M:E ratio has none. Defaults to False.
    """
    if not_adjusted is None:
        return [
            'There are no estimated percentages: they are for slides of which '
            'a person has not decided on all cells, by models that say for '
            'which mixture of classes they were fitted.'
        ]
    notes = [
        "The estimated percentages allow for this slide's own mixture of "
        'cells and for the errors that the model made on its calibration '
        'images. Their 95 % intervals include chance in the cells counted and '
        'in those images. They hold if each kind of cell looks here as it '
        'does there: another stain or scanner may break that, and no figure '
        'here shows it.'
    ]
    if without_ratio:
        notes.append(
            'The M:E ratio is not estimated: of one of its sides no class is.'
        )
    if not_adjusted:
        notes.append(
            f'Not estimated: {", ".join(not_adjusted)}. The model was tried '
            f'on fewer than {MIN_SUPPORT} calibration images of each, or '
            'recognised none: look at these cells yourself.'
        )
    return notes


def trust(
    total: int,
    decided: int,
    checked: bool,
    rows: Sequence[Any],
) -> str:
    """Which figures to go by, for whoever reads them first.

    Of ``total`` counted cells a person has chosen or confirmed the class of
    ``decided``, which are all cells where ``checked``.
    """
    if not total:
        return ''
    if checked:
        return ALL_DECIDED
    shown = [row for row in rows if row.adjusted is not None]
    if decided:
        return SOME_DECIDED.format(f'{decided:,}') + UNTIL_ALL[bool(shown)]
    if not shown:
        return (
            "The counts are the model's suggestions, mistakes included. How "
            'far they are off on this slide is not known, so that no interval '
            'can be given: look through the cells.'
        )
    text = (
        'Go by the intervals of the estimated percentages. The counts are the '
        "model's suggestions; they are off where one kind of cell prevails or "
        'the model confuses kinds, and the estimate allows for both. Where a '
        'count in % lies within its interval, neither is shown to be the '
        'better.'
    )
    away = [
        row.code
        for row in shown
        if not row.adjusted_low <= row.percent <= row.adjusted_high
    ]
    if away:
        text += (
            f' Here the count in % of {", ".join(away)} lies outside of its '
            'estimated interval.'
        )
    rest = 100 - sum(row.adjusted for row in shown)
    if rest > _REST:
        text += (
            f' The estimate leaves {rest:.0f} % to classes that have none: '
            'look through their cells.'
        )
    return text
