#!/usr/bin/env bash
# Test under Slurm.
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS as upstream's. On nodes
# without GPUs set GRES= (empty): GPUS then counts processes, on gloo.
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [arguments]" >&2
    exit 2
fi
. "$(dirname "$0")/srun.sh"
srun_tool "$1" "$2" test.py "$3" "$4" "${@:5}"
