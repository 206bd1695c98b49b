"""What it takes to tell, years later, where a result came from."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bm_plugins.version import __version__

from .dist import rank_and_size
from .environment import machine
from .files import atomic_write, make_folder

if TYPE_CHECKING:
    from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
# What a command may import or read as its config.
_SOURCES = ('*.py', '*.json', '*.yml', '*.yaml')
_IMPORTED = datetime.now(timezone.utc)  # about when the program started


def write_run_manifest(
    folder: str | Path,
    name: str = 'run.json',
    *,
    started: datetime | None = None,
    finished: bool = True,
    **facts: Any,
) -> Path:
    """Write, beside a result, what it was made of and by what.

    By itself it notes the command line, the times (UTC), the code (version,
    and commit where it runs from a git checkout), the machine with the
    versions of the packages, and the number of processes. None of the code's
    facts holds an absolute path.

    Args:
        folder (str or Path): The result's folder; made if it is missing.
        name (str): The file. Defaults to ``'run.json'``; another one where
            the folder holds other results too.
        started (datetime, optional): When the work began. Defaults to None:
            when this module was imported, about the start of the program.
        finished (bool): Whether the work is done; else ``ended`` is null.
        **facts: What it was made of, as JSON or by :func:`config_facts`,
            :func:`data_facts` and :func:`file_facts`: ``config``, ``data``,
            ``inputs``, ``seeds``. Those of the same name replace its own.

    Raises:
        InputError: The disk is full, or the folder cannot be written to.
    """
    ended = datetime.now(timezone.utc) if finished else None
    manifest = dict(
        command=command_line(),
        started=_text(started or _IMPORTED),
        ended=ended and _text(ended),
        code=code_version(),
        machine=machine(),
        world_size=rank_and_size()[1],
    )
    text = json.dumps(manifest | facts, indent=2, default=str)
    file = make_folder(folder) / name
    with atomic_write(file) as partial:
        partial.write_text(text + '\n', encoding='utf-8')
    return file


def config_facts(config: 'Config') -> dict[str, str]:
    """A config's file name, all that it says, and its SHA-256."""
    text = config.pretty_text
    return dict(
        name=Path(config.filename or 'config.py').name,
        sha256=sha256(text.encode()).hexdigest(),
        text=text,
    )


def data_facts(dataset: Any) -> dict[str, Any]:
    """What part of which collection a data set holds.

    Args:
        dataset: A :class:`bm_plugins.datasets.Matek`, or any other with a
            length.

    Returns:
        dict: ``images``, the number; of a :class:`Matek` also ``manifest``
        (relative to the folder above its data root) with ``sha256``,
        ``split``, ``fold`` and, with labels, ``images_by_class``.
    """
    facts = dict(type=type(dataset).__name__, images=len(dataset))
    file = getattr(dataset, 'ann_file', None)
    if not file or not os.path.isfile(file):
        return facts
    facts |= file_facts([file], above(dataset.data_root))[0]
    facts['manifest'] = facts.pop('file')
    for name in ('split', 'fold'):
        if hasattr(dataset, name):
            facts[name] = getattr(dataset, name)
    if getattr(dataset, 'with_label', False):
        codes = dataset.metainfo['classes']
        counts = np.bincount(dataset.get_gt_labels(), minlength=len(codes))
        facts['images_by_class'] = {
            code: int(n) for code, n in zip(codes, counts, strict=True) if n
        }
    return facts


def file_facts(
    files: Sequence[str | Path], relative_to: str | Path | None = None
) -> list[dict[str, str]]:
    """Names and SHA-256 of files that a result was made of.

    The names are relative to a folder, by default the working directory.
    """
    found = []
    for file in map(Path, files):
        with open(file, 'rb') as stream:
            digest = sha256()
            while block := stream.read(2**20):
                digest.update(block)
        name = Path(os.path.relpath(file, relative_to or '.')).as_posix()
        found.append(dict(file=name, sha256=digest.hexdigest()))
    return found


def above(folder: str | Path) -> Path:
    """The folder above, so that a relative name starts with ``folder``'s."""
    return Path(os.path.abspath(folder)).parent


def command_line() -> str:
    """The command, its script relative to the project where it is in it."""
    script, *args = sys.argv or ['']
    if script.startswith('bm '):  # of bm_plugins.cli
        return f'{script} {shlex.join(args)}'
    file = Path(script).resolve()
    if script and file.is_relative_to(ROOT):
        script = file.relative_to(ROOT).as_posix()
    return shlex.join([script, *args])


def code_version(root: Path = ROOT) -> dict[str, Any]:
    """Version of the package; commit of the checkout that it runs from.

    ``bm_plugins``; ``git_commit`` and ``git_dirty`` (whether tracked files
    differ from it, or modules and configs are not tracked), both None where
    there is no checkout, or no git to ask.
    """
    commit = dirty = None
    if (root / '.git').exists():
        commit = _git(root, 'rev-parse', 'HEAD')
        changes = _git(root, 'status', '--porcelain', '-uno')
        if changes == '':
            others = ('ls-files', '--others', '--exclude-standard', '--')
            changes = _git(root, *others, *_SOURCES)
        dirty = None if changes is None else bool(changes)
    return dict(bm_plugins=__version__, git_commit=commit, git_dirty=dirty)


def _git(root: Path, *args: str) -> str | None:
    try:
        result = subprocess.run(
            ['git', '-C', str(root), *args],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if result.returncode else result.stdout.strip()


def _text(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec='milliseconds')
