#!/usr/bin/env bash
# mmengine's DictAction, by which OpenMMLab's tools read --cfg-options, takes
# the spaces out of every text, quoted or not: a class or a folder named by it
# becomes another one without a word.
# Seen with mmengine 0.10.7:
#   name=Small Lymph -> {'name': 'SmallLymph'}
#   root="my cells" -> {'root': 'mycells'}
#   classes=["Small Lymph", "Large Lymph"] -> {'classes': ['SmallLymph', 'LargeLymph']}
# Fails where that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q mmengine==0.10.7 'setuptools<81'
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null | tee "$folder/seen"
import argparse

from mmengine.config import DictAction

parser = argparse.ArgumentParser()
parser.add_argument('--cfg-options', nargs='+', action=DictAction)
for option in (
    'name=Small Lymph',
    'root="my cells"',
    'classes=["Small Lymph", "Large Lymph"]',
):
    read = parser.parse_args(['--cfg-options', option]).cfg_options
    print(option, '->', read)
PYTHON
diff "$folder/seen" - <<'SEEN'
name=Small Lymph -> {'name': 'SmallLymph'}
root="my cells" -> {'root': 'mycells'}
classes=["Small Lymph", "Large Lymph"] -> {'classes': ['SmallLymph', 'LargeLymph']}
SEEN
