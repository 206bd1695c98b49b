#!/usr/bin/env bash
# Test on several GPUs, or on several processes without any (gloo).
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
# Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them.
# The untrained baseline: none as CHECKPOINT and --cfg-options load_from=None.
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of tools/test.py]" >&2
    exit 2
fi
exec "${PYTHON:-python}" "$(dirname "$0")/torchrun.py" "$3" test.py "$1" "$2" \
    --launcher pytorch "${@:4}"
