"""The launch scripts: several processes, several nodes, Slurm, a kill."""

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bm_plugins.compat.safe_loading import load
from tests.warm_python import fork_of

ROOT = Path(__file__).resolve().parents[2]
SWAV = 'configs/swav_tiny_bm.py'
LINEAR = 'configs/linear_tiny_bm.py'
SMALL = [
    '--cfg-options',
    'train_dataloader.batch_size=8',
    'train_dataloader.num_workers=1',
    'default_hooks.checkpoint.interval=1',
]


@pytest.fixture
def start(cells, python):
    """Start a script; variables by keyword. None outlives the test."""
    processes = []

    def popen(*args, **env):
        path = f'{python.parent}:{os.environ["PATH"]}'
        env = {'BM_DATA_ROOT': str(cells), 'PATH': path, **env}
        process = subprocess.Popen(
            list(map(str, args)),
            cwd=ROOT,
            env=dict(os.environ, **env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return process

    yield popen
    for process in processes:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def finished(process):
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    return out


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


def workers_of(process, python):
    """The processes that torchrun has started."""
    pid = fork_of(process.pid, python)
    children = Path(f'/proc/{pid}/task/{pid}/children')
    return [int(pid) for pid in children.read_text().split()]


def wait_for(file, process):
    end = time.monotonic() + 240
    while not file.is_file():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def figures(folder):
    with open(folder / 'predictions.csv') as file:
        rows = {row['path']: row for row in csv.DictReader(file)}
    codes = [key for key in next(iter(rows.values())) if key[:2] == 'p_']
    scores = {
        path: torch.tensor([float(row[code]) for code in codes])
        for path, row in rows.items()
    }
    return (folder / 'per_class.csv').read_text(), scores


@pytest.mark.slow
def test_kill_resume_test(start, python, tool, cells, tmp_path, monkeypatch):
    command = ['tools/dist_train.sh', SWAV, 2, '--work-dir', tmp_path]
    options = [*SMALL, 'train_cfg.max_epochs=8']
    process = start(*command, *options)
    wait_for(tmp_path / 'epoch_2.pth', process)
    os.kill(workers_of(process, python)[0], signal.SIGKILL)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.search(r'error: process [01] .* by signal 9', out)
    assert not (tmp_path / 'epoch_8.pth').exists()

    process = start(*command, '--resume', *options)
    wait_for(tmp_path / 'epoch_4.pth', process)
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == os.EX_TEMPFAIL
    assert out.count('stopped by SIGTERM') == 1 and 'Traceback' not in out
    assert (tmp_path / 'interrupted.pth').is_file()

    out = finished(start(*command, '--resume', *options))
    first = int(re.search(r'Epoch\(train\) +\[(\d+)\]', out)[1])
    assert first >= 5
    checkpoint = (tmp_path / 'last_checkpoint').read_text()
    assert checkpoint.endswith('epoch_8.pth')
    state = load(checkpoint)
    assert state['meta']['epoch'] == 8
    assert state['meta']['iter'] == 8 * (49 // 16)

    alone, shared = tmp_path / 'alone', tmp_path / 'shared'
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    test = ['test', LINEAR, checkpoint, '--work-dir', alone]
    status, _, errors = tool(*test)
    assert status == 0, errors
    test = ['tools/dist_test.sh', LINEAR, checkpoint, 2, '--work-dir', shared]
    finished(start(*test))
    table, scores = figures(alone)
    other_table, other_scores = figures(shared)
    assert table == other_table
    assert scores.keys() == other_scores.keys()
    for path, score in scores.items():
        torch.testing.assert_close(
            score, other_scores[path], atol=1e-4, rtol=0
        )


@pytest.mark.slow
@pytest.mark.parametrize('restarts', ['0', '1'])
def test_two_nodes_on_loopback(start, tmp_path, restarts):
    port = free_port()
    nodes = [
        start(
            *['tools/dist_train.sh', SWAV, 1, '--work-dir', tmp_path],
            *[*SMALL, 'train_cfg.max_epochs=1'],
            NNODES='2',
            NODE_RANK=str(rank),
            PORT=port,
            MAX_RESTARTS=restarts,
        )
        for rank in range(2)
    ]
    out = [finished(node) for node in nodes]
    assert 'Saving checkpoint' in ''.join(out)
    state = load(str(tmp_path / 'epoch_1.pth'))
    assert state['meta']['iter'] == 49 // 16


@pytest.mark.slow
def test_restarts_after_a_lost_process(start, python, tmp_path):
    """MAX_RESTARTS=1 and --resume carry a run over a killed process."""
    process = start(
        *['tools/dist_train.sh', SWAV, 2, '--work-dir', tmp_path],
        *['--resume', *SMALL, 'train_cfg.max_epochs=8'],
        MAX_RESTARTS='1',
    )
    wait_for(tmp_path / 'epoch_2.pth', process)
    os.kill(workers_of(process, python)[1], signal.SIGKILL)
    finished(process)
    assert (tmp_path / 'epoch_8.pth').is_file()


@pytest.mark.slow
def test_bad_input_is_said_once(start):
    args = ['tools/dist_train.sh', SWAV, 2]
    process = start(*args, BM_DATA_ROOT='no/such', PYTHON=sys.executable)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out.count('error: ') == 1 and 'no/such' in out
    assert 'Traceback' not in out


@pytest.mark.parametrize('script', ['dist_train', 'dist_test'])
def test_usage(start, script):
    process = start(f'tools/{script}.sh', SWAV)
    out, _ = process.communicate()
    assert process.returncode == 2 and 'usage' in out


@pytest.mark.slow
def test_the_papers_config_on_four_processes(start, tmp_path):
    """The user's own command, the model unmodified, batch and views cut."""
    out = finished(
        start(
            *['tools/dist_train.sh', 'configs/swav_bm.py', 4],
            *['--work-dir', tmp_path, '--cfg-options'],
            'train_dataloader.batch_size=2',
            'train_dataloader.num_workers=0',
            'train_dataloader.dataset.indices=8',
            'train_dataloader.dataset.pipeline.1.views.0.size=64',
            'default_hooks.checkpoint=None',
            'train_cfg.max_epochs=1',
            'default_hooks.logger.interval=1',
        )
    )
    losses = re.findall(r'loss: ([\d.]+)', out)
    assert len(losses) == 1
    # At the start every prototype is as likely: ln 1000 = 6.9.
    assert 6 < float(losses[0]) < 8


SRUN = """#!/usr/bin/env bash
# Stands in for srun: its processes on this machine, one after another.
echo "srun $*"
while [[ $1 == --* ]]; do
    case $1 in --ntasks=*) TASKS=${1#*=} ;; esac
    shift
done
export SLURM_NTASKS=$TASKS SLURM_NODELIST=here
for ((i = 0; i < TASKS; i++)); do
    SLURM_PROCID=$i SLURM_LOCALID=$i "$@" &
    PIDS+=($!)
done
for pid in "${PIDS[@]}"; do wait "$pid" || exit 1; done
"""


@pytest.mark.slow
def test_slurm(start, python, tmp_path):
    srun = tmp_path / 'bin/srun'
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    env = dict(
        PATH=f'{srun.parent}:{python.parent}:/usr/bin:/bin',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=free_port(),
        GPUS='2',
        SRUN_ARGS='--mem=4G --time=10',
    )
    train = ['tools/slurm_train.sh', 'night', 'marrow', SWAV, tmp_path]
    out = finished(
        start(*train, *SMALL, 'train_cfg.max_epochs=1', GRES='', **env)
    )
    assert '--partition=night --job-name=marrow --ntasks=2' in out
    assert '--mem=4G --time=10' in out
    checkpoint = tmp_path / 'epoch_1.pth'
    state = load(str(checkpoint))
    assert state['meta']['iter'] == 49 // 16  # two processes of 8
    test = ['tools/slurm_test.sh', 'night', 'marrow', LINEAR, checkpoint]
    out = finished(start(*test, '--work-dir', tmp_path / 'test', **env))
    assert '--gres=gpu:2' in out and 'macro_f1' in out
    # An interpreter that has imported nothing finds what it needs, too.
    env.update(GPUS='1', PYTHON=sys.executable)
    process = start(*test[:3], LINEAR, tmp_path / 'none.pth', **env)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 1 and 'Traceback' not in out
    assert out.count('error: ') == 1 and 'none.pth does not exist' in out


def test_more_processes_than_gpus(tool, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    status, _, error = tool('torchrun', 3, 'train.py', SWAV)
    assert status == 1 and error.startswith('error: GPUS=3: this node has 2.')
    assert len(error.splitlines()) == 1
