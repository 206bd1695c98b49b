#!/usr/bin/env bash
# A 16-bit RGB TIFF whose planes lie one after another (PlanarConfiguration 2,
# as microscope programs write it) is read by OpenCV and by Pillow without an
# error, and with other pixels. tifffile reads it right.
# Seen with opencv-python-headless 5.0.0.93, Pillow 13.0.0, tifffile 2026.3.3:
#   opencv: (20, 30, 3) uint16, right: False
#   pillow: RGB, right: False
#   tifffile: right: True
# Fails where that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 \
    Pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/planar.tif" <<'PYTHON' | tee "$folder/seen"
import sys

import cv2
import numpy as np
import tifffile
from PIL import Image

file = sys.argv[1]
rgb = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), np.uint16)
planes = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
tifffile.imwrite(file, planes, photometric='rgb', planarconfig='separate')
found = cv2.imread(file, cv2.IMREAD_UNCHANGED)
right = np.array_equal(found[..., ::-1], rgb)
print(f'opencv: {found.shape} {found.dtype}, right: {right}')
with Image.open(file) as image:
    pixels = np.asarray(image).astype(int)
    # Pillow keeps the high byte of 16-bit colours
    right = np.abs(pixels - (rgb >> 8)).max() <= 1
    print(f'pillow: {image.mode}, right: {right}')
found = np.moveaxis(tifffile.imread(file), 0, 2)
print(f'tifffile: right: {np.array_equal(found, rgb)}')
PYTHON
diff "$folder/seen" - <<'SEEN'
opencv: (20, 30, 3) uint16, right: False
pillow: RGB, right: False
tifffile: right: True
SEEN
