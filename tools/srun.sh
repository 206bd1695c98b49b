# Read by slurm_train.sh and slurm_test.sh: srun with upstream's variables.
TOOLS=$(dirname "${BASH_SOURCE[0]}")
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
GRES=${GRES-gpu:$GPUS_PER_NODE}

srun_tool() {
    # SRUN_ARGS holds several arguments, so it stands without quotes.
    PYTHONPATH="$TOOLS/..:$PYTHONPATH" \
    exec srun --partition="$1" \
        --job-name="$2" \
        ${GRES:+--gres="$GRES"} \
        --ntasks="$GPUS" \
        --ntasks-per-node="$GPUS_PER_NODE" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        $SRUN_ARGS \
        "${PYTHON:-python}" -u "$TOOLS/$3" "${@:4}" --launcher slurm
}
