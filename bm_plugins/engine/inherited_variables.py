"""Variables of a config that the one it inherits has used already."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.config import Config

from bm_plugins.errors import InputError


def check_variables(cfg: Config, uses: Callable[[Config, str], list]) -> None:
    """Refuse a variable that a file sets where it was used before.

    mmengine puts values in place of names file by file: a ``train_pipeline``
    of a child does not reach the data loader of its parent.

    Args:
        cfg (Config): Is left alone if it comes from no Python file.
        uses (Callable): Which keys of a config have the value of a variable.

    Raises:
        InputError: With the keys to set.
    """
    file = Path(cfg.filename or '')
    if file.suffix != '.py' or not file.is_file():
        return
    own, read = _names(file)
    idle = [name for name in sorted(own - read) if name in cfg]
    idle = [name for name in idle if not uses(cfg, name)]
    for name in idle:
        for base in _bases(file):
            if any(name in own & read for own, read in _chain(base)):
                keys = ' and '.join(uses(Config.fromfile(base), name))
                raise InputError(
                    f'{file}: {name} is a variable, which {base.name} has '
                    'used already, so that setting it here changes nothing. '
                    f'Set {keys or "what it is to change"}.'
                )


def _names(file: Path) -> tuple[set[str], set[str]]:
    """What a file sets at its top, and what it reads."""
    tree = ast.parse(file.read_text(encoding='utf-8'))
    targets = [
        t for n in tree.body if isinstance(n, ast.Assign) for t in n.targets
    ]
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
    return (
        {target.id for target in targets if isinstance(target, ast.Name)},
        {name.id for name in names if isinstance(name.ctx, ast.Load)},
    )


def _bases(file: Path) -> list[Path]:
    """The Python files that a file inherits."""
    found = [
        Path(Config._get_cfg_path(base, str(file))[0])
        for base in Config._get_base_files(str(file))
    ]
    return [base for base in found if base.suffix == '.py' and base.is_file()]


def _chain(file: Path) -> Iterator[tuple[set[str], set[str]]]:
    """:func:`_names` of a file and of all that it inherits."""
    yield _names(file)
    for base in _bases(file):
        yield from _chain(base)
