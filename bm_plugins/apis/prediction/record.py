"""Which prediction a folder holds, so that no two are mixed."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from bm_plugins.errors import InputError
from bm_plugins.utils.dist import from_first
from bm_plugins.utils.files import atomic_write, make_folder

TABLES = ('predictions.csv', 'skipped.csv')
PAGES = ('differential.csv', 'report.html')
BY_SMEAR = 'differential_by_smear.csv'  # of several smears alone
# Classes at the slide's own shares, where these can be estimated.
SLIDE = 'slide_classes.csv'
# What makes two predictions different, and how a message calls it.
_NAMES = dict(
    cells='folder content (or list of images)',
    bundle='bundle',
    error_rate='--error-rate',
    chunk='--chunk',
    features='--features',
    bits='range of 16-bit values',
    um_per_px='--um-per-px',
)


@contextmanager
def open_record(
    folder: str | Path,
    identity: dict[str, Any],
    overwrite: bool,
    cells: str | Path,
) -> Iterator[tuple['PredictionRecord | None', str, bool]]:
    """Claim an output folder for all processes of a run, and release it.

    Args:
        folder (str or Path): As for :class:`PredictionRecord`, and the rest.
        identity (dict): As this process sees it.
        overwrite (bool): As there.
        cells (str or Path): What is predicted, for the error.

    Yields:
        tuple: The record in rank 0, None in the others; its key; and whether
        all was predicted before.

    Raises:
        InputError: As there; or the processes do not see the same cells.
    """
    record = None

    def claim() -> tuple[str, str, bool]:
        nonlocal record
        record = PredictionRecord(folder, identity, overwrite)
        return identity['cells'], record.key, record.finished is not None

    try:
        listed, key, finished = from_first(claim)
        if listed != identity['cells']:
            raise InputError(
                f'{cells} is not the same for all processes: files come or '
                'go. Wait until it is complete.'
            )
        yield record, key, finished
    finally:
        if record is not None:
            record.release()


class PredictionRecord:
    """The record ``prediction.json`` of an output folder.

    Args:
        folder (str or Path): The output folder.
        identity (dict): ``cells``, ``bundle``, ``error_rate``, ``chunk``,
            ``features``, ``bits`` and ``um_per_px`` of the prediction.
        overwrite (bool): Delete another or a finished prediction that is
            there; this one goes on where it was stopped.

    Attributes:
        key (str): SHA-256 of the identity.
        finished (dict or None): What was noted when all was predicted.
        report (dict or None): What differential and report were made of.

    Raises:
        InputError: The folder holds another prediction or such files, is
            being written by another run, or cannot be written.
    """

    def __init__(
        self,
        folder: str | Path,
        identity: dict[str, Any],
        overwrite: bool = False,
    ) -> None:
        self.folder = make_folder(folder)
        self.file = self.folder / 'prediction.json'
        self.parts = self.folder / 'parts'
        self.identity = identity
        text = json.dumps(identity, sort_keys=True)
        self.key = sha256(text.encode()).hexdigest()
        self.finished = self.report = None
        self._check_features()
        self._lock()
        try:
            if not overwrite:
                self._read()
            elif not self._is_begun():
                self._clear()
            if self.finished is None:
                self._write()
        except BaseException:
            self.release()
            raise

    def finish(self, **notes: Any) -> None:
        """Note that predictions are complete; the parts go."""
        self.finished = notes
        self._write()
        self._delete_parts()

    def release(self) -> None:
        """Let other runs write; to be called at the end, however it comes."""
        (self.parts / 'lock').unlink(missing_ok=True)
        with suppress(OSError):  # parts are there, for the next run
            self.parts.rmdir()
        os.close(self._held)

    @contextmanager
    def remade_report(self, made_of: dict[str, Any]) -> Iterator[None]:
        """Note what differential and report are made of, once both are there.

        Till then it is not known.
        """
        self.report = None
        self._write()
        yield
        self.report = made_of
        self._write()

    def _is_begun(self) -> bool:
        """Whether this very prediction was begun and not finished."""
        try:
            known = json.loads(self.file.read_text(encoding='utf-8'))
            found = known['identity'], known['finished']
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return found == (self.identity, None)

    def _read(self) -> None:
        try:
            known = json.loads(self.file.read_text(encoding='utf-8'))
            was = known['identity']
            self.finished, self.report = known['finished'], known['report']
        except FileNotFoundError:
            found = [file for file in self._outputs() if file.exists()]
            if found:
                raise InputError(
                    f'{found[0]} is there, of another origin. Name another '
                    'place, or replace it by --overwrite.'
                ) from None
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f'{self.file} cannot be read ({type(error).__name__}). Choose '
                'another --out, or start anew by --overwrite.'
            ) from error
        differ = [
            name
            for key, name in _NAMES.items()
            if was.get(key) != self.identity.get(key)
        ]
        if differ:
            raise InputError(
                f'{self.folder} holds the prediction of another '
                f'{", another ".join(differ)}. Choose another --out, or '
                'delete what is there by --overwrite.'
            )
        if self.finished is not None:
            self._check_complete()

    def _check_features(self) -> None:
        features = self.identity['features']
        if features and not Path(features).parent.is_dir():
            raise InputError(
                f'--features {features}: its folder does not exist. Make it.'
            )

    def _outputs(self) -> list[Path]:
        """The files of predictions, features first, then the report's."""
        features = self.identity['features']
        files = [Path(features)] if features else []
        return files + [self.folder / name for name in TABLES + PAGES]

    def _check_complete(self) -> None:
        """Refuse a prediction of which a file has gone."""
        gone = [file for file in self._outputs() if not file.exists()]
        if gone and gone[0].name not in PAGES:
            raise InputError(
                f'{gone[0]} of a complete prediction has gone. Put it back, '
                'or predict anew by --overwrite.'
            )
        if gone:
            self.report = None

    def _lock(self) -> None:
        """Held until this process ends, however it does."""
        make_folder(self.parts)
        try:
            self._held = os.open(self.parts / 'lock', os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise InputError(
                f'{self.folder} cannot be written: {error.strerror}. Choose '
                'another --out.'
            ) from error
        try:
            # Of this process alone, where flock's would live in its workers.
            fcntl.lockf(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._held)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise InputError(
                    f'{self.parts / "lock"} cannot be locked: '
                    f'{error.strerror}. Choose an --out on another disk.'
                ) from error
            raise InputError(
                f'another run is writing to {self.folder}. Wait for it, or '
                'choose another --out.'
            ) from error

    def _clear(self) -> None:
        others = (self.file, self.folder / BY_SMEAR, self.folder / SLIDE)
        for file in (*others, *self._outputs()):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise InputError(
                    f'{file} cannot be deleted: {error.strerror}. Choose '
                    'another --out.'
                ) from error
        self._delete_parts()

    def _delete_parts(self) -> None:
        for file in self.parts.glob('*.npz*'):
            file.unlink(missing_ok=True)

    def _write(self) -> None:
        known = dict(
            identity=self.identity,
            finished=self.finished,
            report=self.report,
        )
        with atomic_write(self.file) as partial:
            partial.write_text(json.dumps(known, indent=2) + '\n')
