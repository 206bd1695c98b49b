"""A page on which a person looks through the cells and corrects them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from pathlib import Path
from statistics import NormalDist

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from bm_plugins.errors import InputError
from bm_plugins.report.differential.differential import Differential
from bm_plugins.report.differential.notes import (
    ALL_DECIDED,
    PRECISE,
    SOME_DECIDED,
    UNTIL_ALL,
)
from bm_plugins.report.differential.scheme import GROUPS, Scheme
from bm_plugins.utils.files import atomic_write

FLAGS = ('unsure', 'unlike', '')
# A section of more doubtful cells is divided by suggested class.
LONG = 60
PARTS = Path(__file__).parent
SCRIPTS = (
    *('counts', 'csv', 'store', 'card', 'gallery', 'panel', 'figures'),
    'main',
)
TYPES = {b'\xff\xd8\xff': 'jpeg', b'\x89PN': 'png'}


def sections(
    cells: Sequence[Mapping], classes: Sequence[Mapping]
) -> list[dict]:
    """Doubtful cells, then each class; the least sure come first.

    Args:
        cells (Sequence[Mapping]): Those on the page (G,): ``code`` and
            ``corrected`` (or None) as class indices, ``flag``,
            ``confidence``. Corrected cells are all among them.
        classes (Sequence[Mapping]): Of all cells (C,): ``count`` and
            ``doubtful``, under their corrected classes.

    Returns:
        list[dict]: ``flag``; ``code``, None for doubtful cells of any class;
        ``cells``, indices; ``total``, the cells that belong there, or all
        doubtful ones where the page lacks some, for nobody knows of which
        kind those are.
    """
    order = sorted(
        range(len(cells)),
        key=lambda i: (cells[i]['code'], cells[i]['confidence']),
    )
    lost = unseen(cells, classes)
    doubtful = lost + sum(bool(cell['flag']) for cell in cells)
    found = []
    for flag in FLAGS[:2]:
        own = [i for i in order if cells[i]['flag'] == flag]
        codes = range(len(classes)) if len(own) > LONG else [None]
        for code in codes:
            here = [i for i in own if code in (None, cells[i]['code'])]
            total = doubtful if lost else len(here)
            found.append(dict(flag=flag, code=code, cells=here, total=total))
    for code, row in enumerate(classes):
        here = [
            i
            for i in order
            if not cells[i]['flag'] and cells[i]['code'] == code
        ]
        total = _sure(code, row, cells)
        found.append(dict(flag='', code=code, cells=here, total=total))
    return [section for section in found if section['cells']]


def unseen(cells: Sequence[Mapping], classes: Sequence[Mapping]) -> int:
    """Doubtful cells, not corrected, that the page does not show."""
    shown = sum(
        bool(cell['flag']) and cell['corrected'] is None for cell in cells
    )
    return sum(row['doubtful'] for row in classes) - shown


def _sure(code: int, row: Mapping, cells: Sequence[Mapping]) -> int:
    """All cells suggested as this class and not flagged."""
    corrected = [cell for cell in cells if cell['corrected'] is not None]
    came = sum(cell['corrected'] == code for cell in corrected)
    left = sum(not cell['flag'] and cell['code'] == code for cell in corrected)
    return row['count'] - row['doubtful'] - came + left


@dataclass(frozen=True)
class ReportCell:
    """One cell of the gallery.

    Attributes:
        path (str): As in predictions.csv; the corrections name it.
        code (str): Suggested class.
        confidence (float): Calibrated probability of it, 0 to 1.
        set (tuple[str, ...]): Classes of the prediction set, the likeliest
            first: the keys 1 to 9 choose among them.
        flag (str): Empty, ``'unsure'`` or ``'unlike'``.
        picture (bytes): A small JPEG or PNG; 96 to 160 px a side is good.
        corrected (str, optional): The class that a person chose or confirmed
            before. Defaults to None.
    """

    path: str
    code: str
    confidence: float
    set: tuple[str, ...]
    flag: str
    picture: bytes
    corrected: str | None = None


def write_cell_report(
    file: str | Path,
    cells: Sequence[ReportCell],
    differential: Differential,
    scheme: Scheme,
    classes: Sequence[str],
    full_names: Sequence[str],
    counts: Sequence[int],
    facts: Mapping[str, str],
    title: str = 'Bone-marrow differential',
    cautions: Sequence[str] = (),
) -> None:
    """Write one HTML file that needs neither a server nor the network.

    Args:
        file (str or Path): The page.
        cells (Sequence[ReportCell]): The gallery (G,), in any order: all
            cells, or as many as a page can bear, with all that are doubtful
            or corrected before any other.
        differential (Differential): Of all cells, ``corrected`` ones under
            their corrected class and not among the doubtful.
        scheme (Scheme): Group of each class, and whether it is counted.
        classes, full_names (Sequence[str]): Codes and names (C,).
        counts (Sequence[int]): Cells of each class (C,), of all cells; the
            page's counts start from them.
        facts (Mapping[str, str]): Rows of "About".
        title (str): Heading of the page. What follows a colon, as in
            ``'Bone-marrow differential: patient_7'``, names the exported
            corrections too.
        cautions (Sequence[str]): Limits of the model, for "About". Defaults
            to none.

    Raises:
        InputError: A picture is neither JPEG nor PNG, a code or flag is
            unknown, or the file cannot be written.
    """
    index = {code: number for number, code in enumerate(classes)}
    shown = [_cell(cell, index) for cell in cells]
    rows = {row.code: row for row in differential.rows}
    estimated = any(row.adjusted is not None for row in rows.values())
    table = [
        dict(
            code=code,
            name=name,
            title=code if name == code else f'{code} {name}',
            group=scheme.groups[code],
            counted=scheme.counted[code],
            count=int(count),
            doubtful=rows[code].doubtful,
        )
        for code, name, count in zip(classes, full_names, counts, strict=True)
    ]
    data = dict(
        digest=_digest(shown),
        z2=NormalDist().inv_cdf(0.975) ** 2,
        total=differential.total,
        precise=PRECISE,
        ratio=differential.has_ratio,
        whole=len(shown) == sum(map(int, counts)),
        trust=dict(
            all=ALL_DECIDED,
            some=SOME_DECIDED + UNTIL_ALL[estimated],
            written=differential.trust,
        ),
        warnings=len(differential.warnings),
        classes=table,
        sections=sections(shown, table),
        unseen=unseen(shown, table),
        cells=shown,
    )
    style = (PARTS / 'page.css').read_text(encoding='utf-8')
    script = '\n'.join(
        (PARTS / f'{name}.js').read_text(encoding='utf-8') for name in SCRIPTS
    )
    script = f"(() => {{\n'use strict';\n{script}}})();\n"
    environment = Environment(
        loader=PackageLoader('bm_plugins.report.cell_page', '.'),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(fixed=fixed)
    text = environment.get_template('page.html.j2').render(
        title=title,
        differential=differential,
        ratio=_ratio,
        estimated=estimated,
        rows=sorted(
            differential.rows,
            key=lambda row: (not row.counted, GROUPS.index(row.group)),
        ),
        index=index,
        smears=[*dict.fromkeys(row.smear for row in differential.by_smear)],
        in_smear={(x.code, x.smear): x for x in differential.by_smear},
        classes=table,
        facts=facts,
        cautions=cautions,
        shown=len(shown),
        all_cells=sum(row['count'] for row in table),
        data=data,
        style=Markup(style),
        script=Markup(script),
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
    )
    with atomic_write(file) as partial:
        partial.write_text(text, encoding='utf-8', errors='replace')


def fixed(value: float | None, digits: int = 1) -> str:
    """A number as JavaScript's ``toFixed`` writes it: halves go up."""
    if value is None:
        return '–'
    step = Decimal(1).scaleb(-digits)
    return str(Decimal(value).quantize(step, ROUND_HALF_UP))


def _ratio(value: float | None, low: float | None, high: float | None) -> str:
    if low is None:
        return fixed(value, 2)
    if high is None:
        return f'above {fixed(low, 2)}'
    return f'{fixed(value, 2)} ({fixed(low, 2)}–{fixed(high, 2)})'


def _cell(cell: ReportCell, index: Mapping[str, int]) -> dict:
    kind = TYPES.get(cell.picture[:3])
    if kind is None:
        raise InputError(f'picture of {cell.path}: expected JPEG or PNG.')
    if cell.flag not in FLAGS:
        raise InputError(
            f'flag of {cell.path} is {cell.flag!r}; expected one of '
            f'{", ".join(FLAGS[:2])}, or none.'
        )
    try:
        return dict(
            path=cell.path,
            code=index[cell.code],
            confidence=round(float(cell.confidence), 4),
            set=[index[code] for code in cell.set],
            flag=cell.flag,
            corrected=None
            if cell.corrected is None
            else index[cell.corrected],
            picture=f'data:image/{kind};base64,'
            + base64.b64encode(cell.picture).decode(),
        )
    except KeyError as error:
        raise InputError(
            f'class {error} of {cell.path} is none of the model: '
            f'{", ".join(index)}.'
        ) from error


def _digest(cells: list[dict]) -> str:
    """Names these predictions; corrections in a browser belong to them."""
    kept = [{**cell, 'corrected': None} for cell in cells]
    return sha256(json.dumps(kept).encode()).hexdigest()


def _csp_hash(text: str) -> str:
    digest = sha256(text.encode()).digest()
    return f'sha256-{base64.b64encode(digest).decode()}'
