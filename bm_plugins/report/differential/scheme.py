"""Which classes are counted, and on which side of the M:E ratio."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import read_csv

DEFAULT = Path(__file__).with_name('scheme.csv')
COLUMNS = ('code', 'group', 'counted')
GROUPS = ('myeloid', 'erythroid', 'other')
_YES_NO = {'yes': True, 'no': False}


@dataclass(frozen=True)
class Scheme:
    """What the differential does with each class.

    Attributes:
        groups (dict[str, str]): Code -> ``myeloid``, ``erythroid`` or
            ``other``.
        counted (dict[str, bool]): Code -> whether its cells are part of the
            100 %.
        unknown (tuple[str, ...]): Classes that no scheme was given for; they
            are counted, in the group ``other``.
    """

    groups: dict[str, str]
    counted: dict[str, bool]
    unknown: tuple[str, ...] = ()


def read_scheme(file: str | Path | None, classes: Sequence[str]) -> Scheme:
    """Read the scheme of a laboratory, or the one that is shipped.

    The shipped one follows the ICSH guideline (Lee et al. 2008, Int. J. Lab.
    Hematol. 30:349-364, section on the nucleated differential cell count).

    Args:
        file (str, Path or None): CSV with the columns
            ``code,group,counted``, separated by commas or semicolons. Classes
            that the model does not have may be in it. None: the shipped one.
        classes (Sequence[str]): Codes of the model's classes.

    Raises:
        InputError: The file cannot be read, a column or a class is missing,
            a class is there twice, or a value is none of those expected.
    """
    rows = _read(DEFAULT if file is None else file)
    missing = tuple(code for code in classes if code not in rows)
    if missing and file is not None:
        raise InputError(
            f'{file}: no line for {", ".join(missing)}; expected one for each '
            f'class of the model. Add "{missing[0]},other,yes" or the like.'
        )
    rows |= dict.fromkeys(missing, ('other', True))
    return Scheme(
        groups={code: rows[code][0] for code in classes},
        counted={code: rows[code][1] for code in classes},
        unknown=missing,
    )


def _read(file: str | Path) -> dict[str, tuple[str, bool]]:
    rows = {}
    for number, row in read_csv(file, COLUMNS, what='scheme'):
        code = normalize('NFC', row['code'])
        group, counted = row['group'].lower(), row['counted'].lower()
        where = f'scheme {file}, line {number}, {code}'
        if group not in GROUPS:
            raise InputError(
                f'{where}: the group is "{row["group"]}"; expected one of '
                f'{", ".join(GROUPS)}.'
            )
        if counted not in _YES_NO:
            raise InputError(
                f'{where}: counted is "{row["counted"]}"; expected yes or no.'
            )
        said = group, _YES_NO[counted]
        if rows.setdefault(code, said) != said:
            raise InputError(
                f'{where}: expected each class once, by its code.'
            )
    return rows
