"""Folders to write to."""

from pathlib import Path

from bm_plugins.errors import InputError


def make_folder(folder: str | Path) -> Path:
    """Make a folder and those above it, where they are missing.

    Args:
        folder (str or Path): The folder.

    Returns:
        Path: The folder.

    Raises:
        InputError: It cannot be made, or a file has its name.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f'folder {folder} cannot be made: {error.strerror}. Name another.'
        ) from error
    return folder
