"""All images of a collection in one memory-mapped file."""

import json
import zlib
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from bm_plugins.errors import InputError, listed
from bm_plugins.utils.progress import track

HEADER_BYTES = 4096
_MAGIC = b'bm-pack 1\n'
INDEX = np.dtype(
    [
        ('offset', '<i8'),
        ('length', '<i8'),  # in bytes; -1 of an image that cannot be read
        ('height', '<i4'),  # of pixels; else 0
        ('width', '<i4'),
        ('crc', '<u4'),
        ('unused', '<u4'),
        ('size', '<i8'),  # of the file that was packed; -1 of a missing one
        ('mtime', '<i8'),  # in ns
    ]
)


class PackedImages:
    """Images by their row in the manifest, from a file that was built before.

    The file holds a header of 4,096 bytes (the magic line, the JSON's hash,
    JSON), the index (N,) of :data:`INDEX` and the images one after another.
    Opening it looks at header, index and length; a process checks each image
    when it first reads it, and all of them by :meth:`check`.

    Processes share what is read of it through the system's page cache. A
    worker that gets a pickled one opens the file itself.

    Args:
        file (str or Path): What :func:`build_pack` wrote.

    Attributes:
        header (dict): ``kind``, ``images``, ``paths`` (hash of the paths in
            order), ``index`` and ``content`` (hashes), ``bytes`` (length).
        index (np.ndarray): (N,) of :data:`INDEX`.

    Raises:
        InputError: It is missing, of another format, or damaged.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        self._open()

    def _open(self) -> None:
        try:
            self._bytes = np.asarray(np.memmap(self.file, np.uint8, 'r'))
        except (OSError, ValueError) as error:
            raise InputError(
                f'{self.file} cannot be opened: {error}.'
            ) from error
        self.header = read_header(bytes(self._bytes[:HEADER_BYTES]), self.file)
        if len(self._bytes) != self.header['bytes']:
            raise InputError(
                f'{self.file} is damaged: {len(self._bytes)} bytes, written '
                f'were {self.header["bytes"]}.'
            )
        end = HEADER_BYTES + self.header['images'] * INDEX.itemsize
        index = self._bytes[HEADER_BYTES:end]
        if blake2b(index).hexdigest() != self.header['index']:
            raise InputError(f'{self.file} is damaged: its index is altered.')
        self.index = index.view(INDEX)
        self._seen = np.zeros(len(self.index), bool)

    def __getstate__(self) -> dict:
        return dict(file=self.file, header=self.header)

    def __setstate__(self, state: dict) -> None:
        self.file = state['file']
        self._open()
        if self.header != state['header']:
            raise InputError(
                f'{self.file} was built anew while it was in use. Start the '
                'run again.'
            )

    def __len__(self) -> int:
        return len(self.index)

    def read(self, row: int, name: str) -> np.ndarray | None:
        """One image by its row in the manifest; ``name`` is for the error.

        Returns:
            np.ndarray or None: Of kind ``jpeg`` the file's bytes (B,), of
            ``decoded`` the image (H, W, 3) in BGR, a copy; uint8. None where
            the image could not be read.

        Raises:
            InputError: The bytes are not those that were packed.
        """
        record = self.index[row]
        if record['length'] < 0:
            return None
        data = self._data(record)
        if not self._seen[row] and zlib.crc32(data) != record['crc']:
            raise InputError(
                f'{self.file} is damaged where it holds {name}. Look at all '
                'of it by tools/pack.py --check, then delete it: the next '
                'start builds it anew.'
            )
        self._seen[row] = True
        if self.header['kind'] == 'jpeg':
            return data
        return data.reshape(record['height'], record['width'], 3).copy()

    def add_to(self, info: dict) -> None:
        """Put an image where :class:`LoadCellImage` looks for it.

        ``info`` has ``path`` and ``row``, which is taken out. It gets
        ``img_bytes`` or, of kind ``decoded``, ``img``; neither if the image
        could not be read: reading its file will say so.
        """
        content = self.read(info.pop('row'), info['path'])
        if content is not None:
            kind = self.header['kind']
            info['img_bytes' if kind == 'jpeg' else 'img'] = content

    def check(self, names: Sequence[str]) -> None:
        """Read all of the file and compare it with its hashes.

        Raises:
            InputError: Images are not as they were packed; names them.
        """
        content, damaged = blake2b(), []
        records = track(self.index, 'Checking')
        for name, record in zip(names, records, strict=True):
            data = self._data(record)
            content.update(data)
            if zlib.crc32(data) != record['crc']:
                damaged.append(name)
        if damaged or content.hexdigest() != self.header['content']:
            what = listed(damaged, 10) or 'no image by its own checksum'
            raise InputError(
                f'{self.file} is damaged; {len(damaged)} image(s) are not as '
                f'they were packed: {what}. Delete it: the next start builds '
                'it anew.'
            )

    def _data(self, record: np.void) -> np.ndarray:
        start = int(record['offset'])
        return self._bytes[start : start + max(0, int(record['length']))]


def make_header(**fields: str | int) -> bytes:
    """The first 4,096 bytes of a file with these fields."""
    text = json.dumps(fields).encode()
    digest = blake2b(text, digest_size=16).hexdigest().encode()
    return (_MAGIC + digest + b'\n' + text).ljust(HEADER_BYTES)


def read_header(header: bytes, file: str | Path) -> dict:
    """The fields of what :func:`make_header` made; ``file`` is for errors.

    Raises:
        InputError: They are none, or altered.
    """
    if not header.startswith(_MAGIC):
        raise InputError(f'{file} is no pack of this version.')
    digest, _, text = header[len(_MAGIC) :].partition(b'\n')
    text = text.rstrip()
    if blake2b(text, digest_size=16).hexdigest().encode() != digest:
        raise InputError(f'{file} is damaged: its header is altered.')
    return json.loads(text)


def hash_paths(paths: Sequence[str]) -> str:
    """A hash of paths in order."""
    return blake2b('\n'.join(paths).encode()).hexdigest()
