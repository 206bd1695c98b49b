#!/usr/bin/env bash
# Predict on several GPUs, or on several processes without any.
#   tools/dist_predict.sh BUNDLE GPUS [arguments of tools/predict.py]
#   tools/dist_predict.sh cells.bundle 2 slides/patient_7 --out DIR
# Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them, and
# DIR on a disk that they share.
if [ $# -lt 3 ]; then
    echo "usage: $0 BUNDLE GPUS CELLS --out DIR [arguments of tools/predict.py]" >&2
    exit 2
fi
exec "${PYTHON:-python}" "$(dirname "$0")/torchrun.py" "$2" predict.py "$1" \
    --launcher pytorch "${@:3}"
