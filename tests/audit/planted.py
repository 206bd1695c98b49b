"""A collection with duplicates that are known."""

import cv2
import numpy as np

from bm_plugins.datasets.image_io import read_image
from bm_plugins.datasets.synthetic.collection import draw_cell

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
    """The same picture in other bytes."""
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
    name, _, pixels = how.partition(' ')
    pixels = int(pixels or 3)
    if name == 'trimmed':
        return image[pixels:-pixels, pixels:-pixels]
    if name == 'shifted':
        return np.roll(image, (pixels, pixels), (0, 1))
    if how == 'grey':
        return cv2.cvtColor(cv2.cvtColor(image, 6), 8)
    raise ValueError(how)


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
