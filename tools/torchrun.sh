# Read by dist_train.sh and dist_test.sh: torchrun with upstream's variables.
TOOLS=$(dirname "${BASH_SOURCE[0]}")
PYTHON=${PYTHON:-python}
# As many threads a process as there are cores for it.
CORES=$(nproc 2>/dev/null || echo 1)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES > GPUS ? CORES / GPUS : 1))}
export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}

torchrun_tool() {
    PYTHONPATH="$TOOLS/..:$PYTHONPATH" \
    exec "$PYTHON" -m torch.distributed.run \
        --nnodes="${NNODES:-1}" \
        --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" \
        --master_port="${PORT:-29500}" \
        --nproc_per_node="$GPUS" \
        --max_restarts="${MAX_RESTARTS:-0}" \
        "$TOOLS/$1" "${@:2}"
}
