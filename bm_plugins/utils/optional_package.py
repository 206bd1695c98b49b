"""Packages that one tool needs and the others do not."""

from importlib.util import find_spec

from bm_plugins.errors import InputError


def need_packages(purpose: str, *names: str) -> None:
    """Make sure that optional packages are installed.

    Args:
        purpose (str): What needs them, for the error.
        *names (str): As they are imported and installed.

    Raises:
        InputError: One is missing.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise InputError(
            f'{purpose} needs packages that are not installed: '
            f'pip install {" ".join(missing)}'
        )
