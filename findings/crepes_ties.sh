#!/usr/bin/env bash
# crepes takes a class into a prediction set if its p-value is at least
# 1 - confidence, in floats. At a tie, which unsmoothed p-values of few
# calibration images often are (1 / (n + 1) of n), rounding decides: of a p-value
# of exactly 1/10 at confidence .9 the class is in, of 1/20 at .95 it is out.
# Seen with crepes 0.9.1: confidence, p-value of the second class, its set
#   0.9 0.1 [1 1]
#   0.95 0.05 [1 0]
#   0.98 0.02 [1 0]
#   0.99 0.01 [1 0]
# It also imports scikit-learn without naming it among its requirements.
# Fails where that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q crepes==0.9.1 numpy==2.4.6 \
    scikit-learn==1.9.1 # which it imports, and does not ask for
"$folder/venv/bin/python" - <<'PYTHON' | tee "$folder/seen"
import numpy as np
from crepes import ConformalClassifier

for images, confidence in ((9, 0.9), (19, 0.95), (49, 0.98), (99, 0.99)):
    # The scores that all calibration images have are below that of class 2.
    fitted = ConformalClassifier().fit(np.linspace(0, 0.5, images))
    cell = np.array([[0.1, 0.9]])
    p = fitted.predict_p(cell, smoothing=False)[0, 1]
    found = fitted.predict_set(cell, confidence=confidence, smoothing=False)
    print(confidence, round(float(p), 4), found[0])
PYTHON
diff "$folder/seen" - <<'SEEN'
0.9 0.1 [1 1]
0.95 0.05 [1 0]
0.98 0.02 [1 0]
0.99 0.01 [1 0]
SEEN
