#!/usr/bin/env bash
# Train on several GPUs, or on several processes without any (gloo).
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them.
# MAX_RESTARTS=N starts the processes again after a failure; add --resume.
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [arguments of tools/train.py]" >&2
    exit 2
fi
exec "${PYTHON:-python}" "$(dirname "$0")/torchrun.py" "$2" train.py "$1" \
    --launcher pytorch "${@:3}"
