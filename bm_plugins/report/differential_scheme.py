"""Which classes are counted, and on which side of the M:E ratio."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

DEFAULT = Path(__file__).with_name('differential_scheme.csv')
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

    Returns:
        Scheme: Of these classes.

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
    for number, line in _lines(file):
        code, group, counted = ((line[x] or '').strip() for x in COLUMNS)
        where = f'{file}, line {number}, {code or "without a code"}'
        if not code + group + counted:
            continue
        if not code or code in rows:
            raise InputError(
                f'{where}: expected each class once, by its code.'
            )
        if group.lower() not in GROUPS:
            raise InputError(
                f'{where}: the group is "{group}"; expected one of '
                f'{", ".join(GROUPS)}.'
            )
        if counted.lower() not in _YES_NO:
            raise InputError(
                f'{where}: counted is "{counted}"; expected yes or no.'
            )
        rows[code] = group.lower(), _YES_NO[counted.lower()]
    return rows


def _lines(file: str | Path) -> list[tuple[int, dict]]:
    # Spreadsheets write a byte order mark, and semicolons in some countries.
    try:
        lines = Path(file).read_text(encoding='utf-8-sig').splitlines()
        head = lines[0] if lines else ''
        reader = csv.DictReader(lines, delimiter=';' if ';' in head else ',')
        found = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, 'strerror', None) or 'it is no CSV in UTF-8'
        raise InputError(
            f'cannot read the scheme {file}: {reason}; expected a CSV file '
            f'with the columns {",".join(COLUMNS)}.'
        ) from error
    if not {*COLUMNS} <= {*(reader.fieldnames or ())}:
        raise InputError(
            f'{file}: expected the columns {",".join(COLUMNS)}, found '
            f'{head[:80] or "nothing"}.'
        )
    return found
