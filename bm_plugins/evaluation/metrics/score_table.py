"""The scores of a test as text."""

from collections.abc import Sequence

from bm_plugins.evaluation.functional.known_scores import SCORES

from .scores import Figure


def score_table(
    figures: dict[tuple[str, str], Figure],
    codes: Sequence[str],
    names: Sequence[str],
    min_support: int,
    protocol: str,
    classifier: str = '',
) -> str:
    """Lay out the figures, class by class and over the test.

    Args:
        figures (dict): As :func:`figures_of` gives them.
        codes, names (Sequence[str]): Of the classes (C,).
        min_support (int): Test images of the ``*_min_support`` averages.
        protocol (str): How the test images were chosen.
        classifier (str): How a linear classifier was fitted. Defaults to
            ``''``: there is none.
    """
    n = figures['accuracy', 'all'].n
    width = max(6, *map(len, codes))
    lines = [
        f'{n} test images; protocol: {protocol}. In brackets 95 % intervals '
        'over test images:',
        "Wilson's for precision, recall and accuracy, Goutte and Gaussier's "
        'for F1 of a class,',
        'else resampled (figures.csv says how).',
        *([f'classifier: {classifier}'] if classifier else []),
        f'{"code":{width}} {"name":24} {"n":>6}  {"precision":20} '
        f'{"recall":20} F1',
    ]
    few, none = [], []
    for code, name in zip(codes, names, strict=True):
        if ('f1', code) not in figures:
            none.append(code)
            continue
        three = [figures[s, code] for s in ('precision', 'recall', 'f1')]
        if three[1].n < min_support:
            few.append(code)
        cells = ' '.join(f'{figure!s:20}' for figure in three).rstrip()
        lines.append(f'{code:{width}} {name:24} {three[1].n:6}  {cells}')
    lines.append('')
    for score, (title, *_) in SCORES.items():
        if (score, 'all') not in figures or score.endswith('min_support'):
            continue
        figure = figures[score, 'all']
        line = f'{title:31} {figure!s:20} {figure.classes:2} classes'
        if score.startswith('macro'):
            line += f'; n >= {min_support} alone: '
            without = figures.get((f'{score}_min_support', 'all'))
            line += f'{without} {without.classes}' if without else 'none'
        lines.append(line)
    if few:
        lines.append(f'few test images: {" ".join(few)}')
    if none:
        lines.append(f'no test images: {" ".join(none)}')
    return '\n'.join(lines)
