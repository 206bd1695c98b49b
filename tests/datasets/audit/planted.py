"""A collection with duplicates that are known."""

import cv2
import numpy as np

from bm_plugins.datasets.audit.fingerprint import fingerprint
from bm_plugins.datasets.audit.near_duplicates import near_pairs
from bm_plugins.datasets.image_io import read_image
from bm_plugins.datasets.synthetic.collection import draw_cell

# What is done to a copy, by OpenCV, and what undoes it, in the audit's words.
TURNS = {
    'rot90': (lambda x: cv2.rotate(x, 2), 'rot270'),
    'rot180': (lambda x: cv2.rotate(x, 1), 'rot180'),
    'rot270': (lambda x: cv2.rotate(x, 0), 'rot90'),
    'mirrored': (lambda x: cv2.flip(x, 1), 'flip'),
    'upside down': (lambda x: cv2.flip(x, 0), 'flip-rot180'),
    'transposed': (lambda x: cv2.transpose(x), 'flip-rot90'),
    'transposed otherwise': (
        lambda x: cv2.rotate(cv2.transpose(x), 1),
        'flip-rot270',
    ),
}
CODES = ('BLA', 'LYT', 'EOS', 'NGS')


def collect(root, each=4):
    """Different cells, ``each`` of four classes."""
    for code in CODES:
        folder = root / code
        folder.mkdir(parents=True)
        for i in range(1, each + 1):
            write(folder / f'{code}_{i:05}.jpg', draw_cell(0, code, i))
    return root


def write(file, image, quality=95):
    cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def changed(image, how):
    """The same picture in other bytes; pixels are those of 250."""
    for name in how.split(' + ') if ' + ' in how else ():
        image = changed(image, name)
    if ' + ' in how:
        return image
    if how in TURNS:
        return TURNS[how][0](image)
    if how == 'compressed':
        return cv2.imdecode(
            cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1
        )
    if how == 'smaller':
        return cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA)
    if how == 'darker':
        return (image * 0.85).astype(np.uint8)
    if how == 'brighter':
        return np.clip(image * 1.1, 0, 255).astype(np.uint8)
    if how == 'grey':
        return cv2.cvtColor(cv2.cvtColor(image, 6), 8)
    side = image.shape[0]
    name, _, amount = how.partition(' ')
    pixels = round(float(amount or 3) * side / 250)
    if name == 'trimmed':
        return image[pixels:-pixels, pixels:-pixels]
    if name == 'cornered':
        return image[pixels:, pixels:]
    if name == 'shifted':
        return np.roll(image, (pixels, pixels), (0, 1))
    if name in ('reflected', 'blackened'):
        border = dict(reflected=cv2.BORDER_REFLECT_101, blackened=0)[name]
        move = np.float32([[1, 0, -pixels], [0, 1, pixels]])
        return cv2.warpAffine(image, move, (side, side), borderMode=border)
    if name == 'turned':
        turn = cv2.getRotationMatrix2D(2 * [side / 2 - 0.5], float(amount), 1)
        return cv2.warpAffine(
            image, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101
        )
    raise ValueError(how)


def found_copies(cells, how, root):
    """Which copies of ``cells`` (images) the audit finds, as they are changed.

    Returns the pairs (``Pair``) of a cell and its copy, and all others.
    """
    names = []
    copies = [changed(cell, how) for cell in cells]
    for number, image in enumerate([*cells, *copies]):
        names.append(f'{number}.png')
        fast = [cv2.IMWRITE_PNG_COMPRESSION, 0]
        cv2.imwrite(str(root / names[-1]), image, fast)
    prints = [fingerprint(name, root) for name in names]
    pairs = list(
        near_pairs(
            names,
            [item.phash for item in prints],
            [item.spectrum for item in prints],
            root,
        )
    )
    right = [pair for pair in pairs if pair.two == pair.one + len(cells)]
    return right, [pair for pair in pairs if pair not in right]


def plant(root):
    """Copies of the cells, and files that are none."""
    cell = root / 'BLA/BLA_00001.jpg'
    (root / 'BLA/BLA_00011.jpg').write_bytes(cell.read_bytes())
    image = read_image('LYT/LYT_00002.jpg', root)
    write(root / 'EOS/EOS_00012.jpg', changed(image, 'compressed'))
    write(root / 'LYT/LYT_00013.jpg', changed(image, 'darker'))
    (root / 'NGS/NGS_00014.jpg').write_bytes(b'no image')
    (root / 'NGS/NGS_00015.jpg').write_bytes(cell.read_bytes()[:1000])
    return root


GROUPS = {
    frozenset({'BLA/BLA_00001.jpg', 'BLA/BLA_00011.jpg'}),
    frozenset({'LYT/LYT_00002.jpg', 'LYT/LYT_00013.jpg', 'EOS/EOS_00012.jpg'}),
}
