#!/usr/bin/env bash
# Train under Slurm.
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS as upstream's. On nodes
# without GPUs set GRES= (empty): GPUS then counts processes, on gloo.
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG WORK_DIR [arguments]" >&2
    exit 2
fi
. "$(dirname "$0")/srun.sh"
srun_tool "$1" "$2" train.py "$3" --work-dir="$4" "${@:5}"
