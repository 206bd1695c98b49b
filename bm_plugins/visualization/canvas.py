"""What all pictures share: the file, and marks that can be told apart."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bm_plugins.utils.files import atomic_write

# Okabe and Ito 2008, told apart by the colour-blind; three shapes of each.
_COLOURS = (
    *('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00'),
    '#000000',
)
_SHAPES = ('o', '^', 's', 'D', 'v', 'P')
BLUE, ORANGE = _COLOURS[0], _COLOURS[5]


def mark(number: int) -> tuple[str, str]:
    """Colour and marker of a class, another for each of 42."""
    return (
        _COLOURS[number % len(_COLOURS)],
        _SHAPES[number // len(_COLOURS) % len(_SHAPES)],
    )


def new_figure(width: float, height: float) -> Figure:
    """A figure of that many inches, with a layout that cuts nothing off."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, file: Path, dpi: int = 120) -> None:
    """Write a PNG, whole or not at all.

    Raises:
        InputError: It cannot be written.
    """
    with atomic_write(file) as partial, open(partial, 'wb') as stream:
        figure.savefig(stream, format='png', dpi=dpi)


def note(figure: Figure, text: str) -> None:
    """What the picture rests on, in small print below it."""
    figure.supxlabel(text, fontsize=8, x=0.01, ha='left')


def title(code: str, name: str) -> str:
    """A class's name and code."""
    return name if name == code else f'{name} ({code})'
