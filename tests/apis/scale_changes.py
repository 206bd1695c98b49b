"""Cells at other scales, and how often they are called as the originals.

    python -m tests.apis.scale_changes BUNDLE COLLECTION UM_PER_PX OUT

makes the table of docs/laboratory.md: the test cells of a collection are
changed, written to OUT and predicted with and without their scale.
"""

import csv
import sys
from pathlib import Path

import cv2
import numpy as np

from bm_plugins.apis.prediction.predict import predict
from bm_plugins.datasets.layout import find_image_folder
from bm_plugins.datasets.manifest import read_manifest


def crop(image, across, down=None):
    """The middle of an image."""
    height = round((down or across) * image.shape[0])
    width = round(across * image.shape[1])
    top = (image.shape[0] - height) // 2
    left = (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def around(image):
    """A field 1.6 times as wide: the image itself, again on all sides."""
    more = [round(0.3 * side) for side in image.shape[:2]]
    return cv2.copyMakeBorder(
        image, *(more[0],) * 2, *(more[1],) * 2, cv2.BORDER_WRAP
    )


def resized(image, times):
    """Another number of pixels for the same field."""
    kind = cv2.INTER_AREA if times < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, None, times, times, interpolation=kind)


def jpeg(image, quality=60):
    """An image, compressed."""
    content = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[
        1
    ]
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


# What is done to an image, and how many of its pixels one of the result is.
CHANGES = {
    'original': (lambda image: image, 1),
    'JPEG of quality 60': (jpeg, 1),
    '0.5 x the pixels': (lambda image: resized(image, 0.5), 2),
    '2 x the pixels': (lambda image: resized(image, 2), 0.5),
    'cropped to 80 %': (lambda image: crop(image, 0.8), 1),
    'cropped to 64 %': (lambda image: crop(image, 0.64), 1),
    'cropped to 40 %': (lambda image: crop(image, 0.4), 1),
    'field of 160 %': (around, 1),
    'field of 160 %, 0.5 x the pixels': (
        lambda image: resized(around(image), 0.5),
        2,
    ),
    'the middle half of its rows': (
        lambda image: crop(image, 1, 0.5),
        1,
    ),
}


def changed(images, name, out):
    """Write images of one change.

    Args:
        images (Iterable[tuple[str, np.ndarray]]): Names and images.
        name (str): One of ``CHANGES``.
        out (Path): Folder to make.
    """
    out.mkdir(parents=True)
    for file, image in images:
        cv2.imwrite(str(out / file), CHANGES[name][0](image))


def called(bundle, cells, out, um_per_px=None):
    """Codes and fields of cells, and the warnings.

    Returns:
        tuple[np.ndarray, list[str], tuple[str, ...]]: All by file name.
    """
    said = predict(bundle, cells, out, um_per_px=um_per_px, workers=0)
    with open(out / 'predictions.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    codes = np.array([row['code'] for row in rows])
    return codes, [row['field'] for row in rows], said.differential.warnings


def main(bundle, root, um_per_px, out):
    """Print the table."""
    folder, out = find_image_folder(root), Path(out)
    paths, labels, splits, _ = read_manifest(Path(root, 'split.csv'))
    tests = [
        (path.replace('/', '_') + '.png', label, Path(folder, path))
        for path, label, split in zip(paths, labels, splits, strict=True)
        if split == 'test'
    ]
    labels = np.array([label for _, label, _ in sorted(tests)])
    images = [(name, cv2.imread(str(file))) for name, _, file in tests]
    first = None
    print('| image | scale given | as the original | right | field |')
    print('|---|---|---|---|---|')
    for number, (name, (_, ratio)) in enumerate(CHANGES.items()):
        cells = out / f'{number}'
        changed(images, name, cells)
        for scale in (None, ratio * float(um_per_px)):
            place = out / f'{number}_{scale}'
            codes, fields, warnings = called(bundle, cells, place, scale)
            first = codes if first is None else first
            said = ', '.join(sorted({*fields} - {''})) or '–'
            print(
                f'| {name} | {scale or "no"} | {(codes == first).mean():.3f} '
                f'| {(codes == labels).mean():.3f} | {said} |'
            )
            print(*warnings[-5:], sep='\n', file=sys.stderr)


if __name__ == '__main__':
    main(*sys.argv[1:])
