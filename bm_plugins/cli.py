"""The command ``bm``, and errors of any tool in one line."""

import atexit
import gc
import importlib
import importlib.util
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import InputError, Preempted
from .utils.dist import process_group

PACKAGE = Path(__file__).resolve().parent
DOCTOR = 'Is this machine ready, and what to do if not?'


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``bm NAME ARGUMENTS``, which is ``tools/NAME.py ARGUMENTS``.

    Args:
        argv (Sequence[str], optional): Defaults to the command line's.
    """
    run(_command, sys.argv[1:] if argv is None else argv)


def _command(argv: Sequence[str]) -> None:
    name, *rest = argv or ['--help']
    if name in ('-h', '--help'):
        print('usage: bm COMMAND ARGUMENTS; bm COMMAND --help says more.\n')
        told = {name: _headline(file) for name, file in tools().items()}
        for name, line in sorted((told | {'doctor': DOCTOR}).items()):
            print(f'  {name:22}{line}')
        return
    name = name.replace('-', '_')
    if name == 'doctor':
        from .doctor.examine import main

        sys.exit(main(rest))
    if name not in tools():
        near = get_close_matches(name, [*tools(), 'doctor'], 1)
        hint = f'did you mean {near[0]}?' if near else 'see bm --help.'
        raise InputError(f'bm has no command {argv[0]}; {hint}')
    sys.argv = [f'bm {name}', *rest]
    load_tool(name).main(rest)


def tools() -> dict[str, Path]:
    """The scripts by name."""
    checkout = (PACKAGE.parent / 'setup.py').is_file()
    root = PACKAGE.parent if checkout else PACKAGE / '.mim'  # of a wheel
    files = sorted(root.glob('tools/*.py'))
    return {file.stem: file for file in files}


def load_tool(name: str) -> ModuleType:
    """The module ``tools/<name>.py``."""
    spec = importlib.util.spec_from_file_location(f'bm_{name}', tools()[name])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _headline(file: Path) -> str:
    """The first line of a tool's docstring."""
    return file.read_text(encoding='utf-8').split('"""')[1].splitlines()[0]


def run(main: Callable[..., Any], *args: Any) -> None:
    """Run ``main``; an error or a signal ends it by one line.

    The status is 2 for an InputError, 130 for Ctrl-C, 141 where nobody reads
    what is printed, and 75 for Preempted, which asks a scheduler to try again.

    Args:
        main (Callable): The function; what it returns is not looked at.
        *args: Its arguments.
    """
    # What the stack imports stays: to look for garbage in it, time and again
    # and once more at the end, takes a third of a short command.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    try:
        _import_own()
        main(*args)
    except InputError as error:
        if os.environ.get('RANK', '0') != '0':
            # Rank 0 mostly finds the same; the launcher then ends this one.
            time.sleep(5)
        # A data loader's worker puts its traceback before the message.
        name = type(error).__name__
        message = str(error).rpartition(f'{name}: ')[2].strip()
        print(f'error: {message}', file=sys.stderr, flush=True)
        _end(2)
    except KeyboardInterrupt:
        if os.environ.get('RANK', '0') == '0':
            print('stopped by SIGINT.', file=sys.stderr, flush=True)
        _end(128 + signal.SIGINT)
    except BrokenPipeError:
        out = select.poll()
        out.register(1, 0)
        if not any(what & select.POLLERR for _, what in out.poll(0)):
            raise
        # `| head` has seen enough; what is left would be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        _end(128 + signal.SIGPIPE)
    except Preempted as stopped:
        if os.environ.get('RANK', '0') == '0':
            print(stopped, file=sys.stderr, flush=True)
        _end(os.EX_TEMPFAIL)
    if group := process_group():
        group.destroy_process_group()


def _import_own() -> None:
    """Import the modules that ``BM_IMPORTS`` names (docs/extend.md)."""
    for name in os.environ.get('BM_IMPORTS', '').split():
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise InputError(
                f'BM_IMPORTS: {name} cannot be imported ({error}). Name '
                'modules, with spaces between them, and put the folder above '
                'them into PYTHONPATH.'
            ) from error


def _end(status: int) -> None:
    if process_group():
        # Tearing down beside waiting processes may abort or hang.
        os._exit(status)
    sys.exit(status)
