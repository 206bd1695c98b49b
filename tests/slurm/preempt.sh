#!/usr/bin/env bash
# A run of two tasks under a real Slurm on this machine, preempted once: it
# saves, is requeued, goes on by itself and ends like one left alone.
#   tests/slurm/preempt.sh    as root, with Debian's slurm-wlm and munge
set -euo pipefail
cd "$(dirname "$0")/../.."
for command in slurmctld slurmd munged sbatch; do
    if ! command -v "$command" > /dev/null; then
        echo "error: $command is missing: apt-get install slurm-wlm munge" >&2
        exit 2
    fi
done
PATH=$PWD/.venv/bin:$PATH
DIR=$(mktemp -d)
HOST=$(hostname -s)
export SLURM_CONF=$DIR/slurm.conf
PIDS=()
finish() {
    local status=$?
    kill "${PIDS[@]}" 2> /dev/null || true
    wait 2> /dev/null || true
    if [ $status != 0 ]; then
        tail -n 15 "$DIR"/*.log "$DIR"/*.out 2> /dev/null || true
    fi
    rm -rf "$DIR"
}
trap finish EXIT

mkdir "$DIR/state" "$DIR/spool" "$DIR/munge"
chmod 711 "$DIR"
chmod 755 "$DIR/munge"
dd if=/dev/urandom of="$DIR/munge.key" bs=1024 count=1 2> /dev/null
chmod 400 "$DIR/munge.key"
munged --foreground --force --key-file="$DIR/munge.key" \
    --socket="$DIR/munge/socket" --pid-file="$DIR/munge/pid" \
    --log-file="$DIR/munged.log" --seed-file="$DIR/munge/seed" 2> /dev/null &
PIDS+=($!)

cat > "$SLURM_CONF" <<CONF
ClusterName=trial
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
CryptoType=crypto/munge
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool
SlurmctldPidFile=$DIR/slurmctld.pid
SlurmdPidFile=$DIR/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# that of a run which saved after SIGTERM
RequeueExit=75
ReturnToService=2
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=2
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 GraceTime=60
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=off
CONF
slurmctld -D -c > "$DIR/slurmctld.log" 2>&1 &
PIDS+=($!)
slurmd -D -N "$HOST" > "$DIR/slurmd.log" 2>&1 &
PIDS+=($!)
for _ in {1..60}; do
    sinfo -h -o %t 2> /dev/null | grep -q idle && break
    sleep 1
done
sinfo -h -o 'Slurm %v on %n: %t' | sort -u
scontrol --version

python tools/make_synthetic_marrow.py "$DIR/data" --images 210 > /dev/null 2>&1
python tools/prepare_matek.py "$DIR/data" > /dev/null

# submit NAME: a job of two tasks that is requeued and resumes.
submit() {
    cat > "$DIR/$1.sh" <<JOB
#!/usr/bin/env bash
export BM_DATA_ROOT=$DIR/data OMP_NUM_THREADS=1
GPUS=2 GRES= CPUS_PER_TASK=1 PYTHON=$(command -v python) \\
    tools/slurm_train.sh low "$1" configs/swav_tiny_bm.py "$DIR/$1" --resume \\
    --cfg-options train_dataloader.batch_size=8 train_dataloader.num_workers=1 \\
    train_cfg.max_epochs=12 \\
    default_hooks.checkpoint.interval=1
JOB
    sbatch --parsable --requeue --partition=low --ntasks=2 --open-mode=append \
        --output="$DIR/$1.out" "$DIR/$1.sh"
}
state() { scontrol show job "$1" | grep -o 'JobState=[A-Z]*\|Restarts=[0-9]*'; }
ended() {
    for _ in {1..300}; do
        state "$1" | grep -q 'COMPLETED\|FAILED\|CANCELLED' && return
        sleep 1
    done
    echo "job $1 has not ended" >&2
    return 1
}

whole=$(submit whole)
ended "$whole"
cut=$(submit cut)
for _ in {1..120}; do
    [ -f "$DIR/cut/epoch_2.pth" ] && break
    sleep 0.2
done
high=$(sbatch --parsable --partition=high --ntasks=2 --output="$DIR/high.out" \
    --wrap 'sleep 3')
ended "$high"
ended "$cut"
echo "left alone: $(state "$whole" | xargs)"
echo "preempted:  $(state "$cut" | xargs)"
grep -h 'stopped by SIGTERM\|Auto resumed\|resumed epoch' "$DIR/cut.out" |
    sed "s|$DIR/||"
state "$cut" | grep -q COMPLETED
state "$cut" | grep -q Restarts=1
grep -q 'stopped by SIGTERM' "$DIR/cut.out"
python - "$DIR" <<'CHECK'
import sys
from pathlib import Path

sys.path.insert(0, '.')
from tests.engine.resumable_runs import assert_equal, states

whole, cut = (Path(sys.argv[1], name) for name in ('whole', 'cut'))
assert_equal(states(cut), states(whole))
print('equal to the last bit: weights, queue, optimiser and schedules')
CHECK
