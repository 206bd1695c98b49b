#!/usr/bin/env bash
# OpenCV multiplies the colours of an 8-bit TIFF by its alpha channel, though
# the file says that alpha is unassociated (ExtraSamples 2): a cell masked by a
# program comes out darkened. The same pixels as PNG it leaves alone, and in
# both IMREAD_COLOR and IMREAD_UNCHANGED.
# Seen with opencv-python-headless 5.0.0.93 and Pillow 13.0.0, of the colour
# (200, 100, 50) with alpha 128:
#   png IMREAD_COLOR [200, 100, 50]
#   png IMREAD_UNCHANGED [200, 100, 50, 128]
#   tif IMREAD_COLOR [100, 50, 25]
#   tif IMREAD_UNCHANGED [100, 50, 25, 128]
# Fails where that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 \
    Pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON' | tee "$folder/seen"
import sys

import cv2
from PIL import Image

image = Image.new('RGBA', (9, 9), (200, 100, 50, 128))
for ending in ('png', 'tif'):
    file = f'{sys.argv[1]}/a.{ending}'
    image.save(file)
    with Image.open(file) as read:  # what stands in the file
        assert read.getpixel((4, 4)) == (200, 100, 50, 128)
        if ending == 'tif':
            assert read.tag_v2[338] == (2,)  # unassociated
    for name in ('IMREAD_COLOR', 'IMREAD_UNCHANGED'):
        blue, green, red, *alpha = cv2.imread(file, getattr(cv2, name))[4, 4]
        found = [int(value) for value in (red, green, blue, *alpha)]
        print(ending, name, found)
PYTHON
diff "$folder/seen" - <<'SEEN'
png IMREAD_COLOR [200, 100, 50]
png IMREAD_UNCHANGED [200, 100, 50, 128]
tif IMREAD_COLOR [100, 50, 25]
tif IMREAD_UNCHANGED [100, 50, 25, 128]
SEEN
