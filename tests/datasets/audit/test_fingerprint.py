import csv
import hashlib
import os

import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image

from bm_plugins.datasets.audit.fingerprint import fingerprint, fingerprints
from bm_plugins.errors import InputError
from tests.datasets.audit.planted import collect, plant


def names(root):
    return sorted(p.relative_to(root).as_posix() for p in root.rglob('*.jpg'))


def test_hashes(tmp_path):
    root = plant(collect(tmp_path))
    found = fingerprint('LYT/LYT_00003.jpg', root)
    file = root / found.path
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    other = imagehash.phash(Image.open(file).convert('L'))
    assert imagehash.hex_to_hash(found.phash) - other <= 2
    grey = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2GRAY)
    assert found.phash == str(imagehash.phash(Image.fromarray(grey)))
    assert len(found.spectrum) == 208
    assert found.size == file.stat().st_size and not found.fault
    broken = fingerprint('NGS/NGS_00014.jpg', root)
    assert (broken.sha256, broken.phash, broken.spectrum) == ('', '', '')
    assert broken.fault == 'cannot be decoded'


def test_goes_on_where_it_was_stopped(tmp_path):
    root, file = plant(collect(tmp_path / 'cells')), tmp_path / 'found.csv'
    paths = names(root)
    whole = fingerprints(paths, root, file, workers=2)
    # Killed within a line: what stands before it is taken as it is.
    lines = file.read_text().splitlines(keepends=True)
    marked = lines[1].replace(whole[0].sha256, 'f' * 64)
    file.write_text(''.join([lines[0], marked, *lines[2:9], lines[9][:70]]))
    again = fingerprints(paths, root, file)
    assert again[0].sha256 == 'f' * 64 and again[1:] == whole[1:]
    assert fingerprints(paths, root, file) == again
    # A file that changed is read again.
    os.utime(root / paths[0], ns=(1, 1))
    anew = fingerprints(paths, root, file)
    assert anew[0].sha256 == whole[0].sha256 and anew[0].modified == 1
    assert anew[1:] == whole[1:]
    file.write_text('')  # killed before the first line
    assert fingerprints(paths, root, file)[1:] == whole[1:]
    with open(file, newline='') as stream:
        assert next(csv.reader(stream))[0] == 'path'


def test_faults_are_looked_at_anew(tmp_path):
    """A file may be as it was, and the others' range another one."""
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), values.astype(np.uint16))
    file = tmp_path / 'found.csv'
    (found,) = fingerprints(['a.png'], tmp_path, file, bits=12)
    assert 'another range' in found.fault
    (found,) = fingerprints(['a.png'], tmp_path, file, bits=8)
    assert not found.fault and len(found.sha256) == 64
    assert fingerprints(['a.png'], tmp_path, file, bits=8) == [found]


def test_bad_input(tmp_path):
    root, file = collect(tmp_path / 'cells', 1), tmp_path / 'found.csv'
    file.write_text('a,b\n')
    with pytest.raises(InputError, match='not what this tool writes'):
        fingerprints(names(root), root, file)
    # Of an earlier version, which knew no spectra.
    file.write_text('path,size,modified,sha256,phash,fault\n')
    with pytest.raises(InputError, match='earlier version.*Remove it'):
        fingerprints(names(root), root, file)
    with pytest.raises(InputError, match='cannot write'):
        fingerprints(names(root), root, tmp_path / 'gone' / 'found.csv')
    with pytest.raises(InputError, match='--workers 0'):
        fingerprints(names(root), root, file, workers=0)
