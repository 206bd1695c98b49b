#!/usr/bin/env bash
# cv2.phaseCorrelate(one, two, window) multiplies its inputs by the window in
# place: the caller's arrays are altered, and the same call made again gives
# another response. Without a window it leaves them alone.
# Seen with opencv-python-headless 5.0.0.93:
#   float32 window input kept: False responses equal: False
#   float32 none input kept: True responses equal: True
#   float64 window input kept: False responses equal: False
#   float64 none input kept: True responses equal: True
# Fails where that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' | tee "$folder/seen"
import cv2
import numpy as np

rng = np.random.default_rng(0)
image = cv2.GaussianBlur(rng.random((64, 64)), (0, 0), 2)
for kind, depth in ((np.float32, cv2.CV_32F), (np.float64, cv2.CV_64F)):
    hanning = cv2.createHanningWindow((64, 64), depth)
    for name, window in (('window', [hanning]), ('none', [])):
        one = image.astype(kind)
        two = np.roll(one, (3, 5), (0, 1))
        before = one.copy()
        found = [cv2.phaseCorrelate(one, two, *window)[1] for _ in range(3)]
        kept = np.array_equal(one, before)
        equal = max(found) - min(found) < 1e-6
        print(kind.__name__, name, 'input kept:', kept, 'responses equal:', equal)
PYTHON
diff "$folder/seen" - <<'SEEN'
float32 window input kept: False responses equal: False
float32 none input kept: True responses equal: True
float64 window input kept: False responses equal: False
float64 none input kept: True responses equal: True
SEEN
