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

from .cell_sections import FLAGS, sections, unseen

PARTS = Path(__file__).parent
SCRIPTS = (
    'counts',
    'csv',
    'store',
    'card',
    'gallery',
    'panel',
    'figures',
    'main',
)
TYPES = {b'\xff\xd8\xff': 'jpeg', b'\x89PN': 'png'}


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
        classes (Sequence[str]): Codes (C,).
        full_names (Sequence[str]): Names (C,).
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
