"""Break tiny runs at random moments, and write down what came of it.

make faults    writes docs/reliability.md; about ten minutes on two cores
"""

import argparse
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# One process after another is forked from here; threads would not follow.
os.environ['OMP_NUM_THREADS'] = '1'

import torch  # noqa: E402

from bm_plugins.compat.safe_loading import load  # noqa: E402
from bm_plugins.datasets.prepare import prepare  # noqa: E402
from tests import forked_runs  # noqa: E402
from tests.engine.resumable_runs import assert_equal, states  # noqa: E402

REPORT = ROOT / 'docs/reliability.md'
# A checkpoint after each iteration, the newest kept alone.
OPTIONS = [
    'default_hooks.checkpoint.interval=1',
    'default_hooks.checkpoint.max_keep_ckpts=1',
]
TEXT = """# Reliability

What `make faults` (`tests/faults.py`) does to runs of
`configs/swav_tiny_bm.py`, cut to {iterations} iterations on {images} synthetic
cells: queue, frozen prototypes and SyncBN in use, a checkpoint after each
iteration and only the newest kept. "Equal" compares weights, buffers, queue,
optimiser and schedules with those of a run that was never stopped, to the last
bit.

Measured with seed {seed} on {machine}:

| what | times | outcome |
|---|---|---|
{rows}

The test suite does the same once or more, and besides it kills a run at 20
places within the write of a checkpoint
(`tests/engine/test_checkpoint_hook.py`), resumes with averaged weights, mixup,
AdamW and other numbers of workers (`tests/engine/test_train_loop.py`), writes
into a read-only folder (`tests/utils/test_files.py`), and loads 20 crafted
checkpoints (`tests/compat/test_safe_loading.py`).

A real Slurm (22.05, one machine, two tasks, `PreemptMode=REQUEUE`) is tried by
`tests/slurm/preempt.sh`: a job of higher priority preempts the run, which
saves on SIGTERM, is requeued, goes on by `--resume` at the next batch, and
ends equal to the run that was left alone.
"""


class Faults:
    """The runs, and a row of the report for each kind of fault."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.data = folder / 'data'
        self.rows: list[str] = []
        self.number = 0

    def start(self, folder, ranks, *args, options=()):
        """Start a run: its processes."""
        return forked_runs.start(
            folder, ranks, self.data, *args, options=[*OPTIONS, *options]
        )

    def note(self, what: str, times: int, outcome: str) -> None:
        """Add a row."""
        self.rows.append(f'| {what} | {times} | {outcome} |')
        print(self.rows[-1], flush=True)

    def new_folder(self) -> Path:
        """A work folder for the next run."""
        self.number += 1
        return self.folder / str(self.number)

    def make_references(self) -> None:
        """Runs that nothing stops, and how long they take."""
        self.whole = {ranks: self.new_folder() for ranks in (1, 2)}
        self.seconds = {}
        for ranks, folder in self.whole.items():
            start = time.monotonic()
            assert not any(forked_runs.statuses(self.start(folder, ranks))), (
                f'see {folder}.log'
            )
            self.seconds[ranks] = time.monotonic() - start
        print(f'references: {self.seconds}', flush=True)

    def equal(self, folder: Path, ranks: int) -> bool:
        """Whether a run ended as the one that nothing stopped."""
        try:
            assert_equal(states(folder), states(self.whole[ranks]))
        except AssertionError:
            return False
        return True

    def reached(self, folder: Path) -> int:
        """The iteration that can be resumed; 0 before the first."""
        last = folder / 'last_checkpoint'
        return load(last.read_text())['meta']['iter'] if last.exists() else 0

    def resume(self, folder: Path, ranks: int) -> bool:
        """Whether the rest runs and ends as if nothing had been."""
        done = forked_runs.statuses(self.start(folder, ranks, '--resume'))
        return not any(done) and self.equal(folder, ranks)

    def kill(self, ranks: int, times: int) -> None:
        """SIGKILL of all processes at a random moment."""
        loads = equal = 0
        at = []
        for _ in range(times):
            folder = self.new_folder()
            pids = self.start(folder, ranks)
            time.sleep(self.seconds[ranks] * self.random.uniform(0.2, 1))
            forked_runs.end(pids)
            at.append(self.reached(folder))
            loads += 1
            equal += self.resume(folder, ranks)
        self.note(
            f'SIGKILL of all at a random moment, {ranks} process(es); '
            '`--resume`',
            times,
            f'{loads} left a checkpoint that loads (or none before the '
            f'first), {equal} ended equal; stopped after iterations '
            f'{min(at)} to {max(at)}',
        )

    def terminate(self, ranks: int, times: int) -> None:
        """SIGTERM of one process at a random moment."""
        saved = equal = 0
        for _ in range(times):
            folder = self.new_folder()
            pids = self.start(folder, ranks)
            forked_runs.wait_for(folder / 'last_checkpoint')
            time.sleep(self.seconds[ranks] * self.random.uniform(0, 0.3))
            os.kill(self.random.choice(pids), signal.SIGTERM)
            done = forked_runs.statuses(pids)
            saved += done == [os.EX_TEMPFAIL] * ranks
            equal += self.resume(folder, ranks)
        self.note(
            f'SIGTERM of one of {ranks} process(es); `--resume`',
            times,
            f'{saved} saved and ended with status 75 on every process, '
            f'{equal} ended equal',
        )

    def lose_a_rank(self, times: int) -> None:
        """SIGKILL of one of two processes, without a launcher."""
        seconds = []
        for _ in range(times):
            folder = self.new_folder()
            pids = self.start(folder, 2)
            forked_runs.wait_for(folder / 'last_checkpoint')
            self.random.shuffle(pids)
            os.kill(pids[0], signal.SIGKILL)
            start = time.monotonic()
            assert forked_runs.statuses(pids)[1] != 0
            seconds.append(time.monotonic() - start)
        self.note(
            'SIGKILL of one of 2 processes, no launcher to end the other',
            times,
            f'the other ended by itself, after {max(seconds):.1f} s at most',
        )

    def restart(self, times: int) -> None:
        """SIGKILL of one of two under torchrun with MAX_RESTARTS."""
        equal = 0
        for _ in range(times):
            folder = self.new_folder()
            options = [*forked_runs.OPTIONS, *OPTIONS]
            process = subprocess.Popen(
                [
                    *['tools/dist_train.sh', 'configs/swav_tiny_bm.py', '2'],
                    *['--work-dir', folder, '--resume', '--cfg-options'],
                    *[*options, 'train_dataloader.batch_size=8'],
                ],
                cwd=ROOT,
                env=dict(
                    os.environ,
                    BM_DATA_ROOT=str(self.data),
                    MAX_RESTARTS='1',
                    PATH=f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
                ),
                stdout=subprocess.DEVNULL,
            )
            forked_runs.wait_for(folder / 'last_checkpoint')
            children = Path(f'/proc/{process.pid}/task/{process.pid}/children')
            pids = [int(pid) for pid in children.read_text().split()]
            os.kill(self.random.choice(pids), signal.SIGKILL)
            equal += process.wait(300) == 0 and self.equal(folder, 2)
        self.note(
            'SIGKILL of one of 2 processes, `MAX_RESTARTS=1`, `--resume`',
            times,
            f'{equal} went on by themselves and ended equal',
        )

    def fill_the_disk(self, times: int) -> None:
        """A work folder on a disk too small for the next checkpoint."""
        size = (
            Path((self.whole[1] / 'last_checkpoint').read_text())
            .stat()
            .st_size
        )
        clear = intact = equal = 0
        for _ in range(times):
            disk = self.folder / 'disk'
            disk.mkdir(exist_ok=True)
            room = int(size * self.random.uniform(1.2, 1.9))
            mount = ['mount', '-t', 'tmpfs', '-o', f'size={room}', 'tmpfs']
            if subprocess.run([*mount, disk], stderr=-3).returncode:
                self.note('a full disk', 0, 'not run: mount is not allowed')
                return
            try:
                folder = disk / 'run'
                folder.mkdir()
                log = Path(f'{self.new_folder()}.log')
                Path(f'{folder}.log').symlink_to(log)
                done = forked_runs.statuses(self.start(folder, 1))
                said = log.read_text()
                clear += done == [2] and 'No space left on device' in said
                names = sorted(p.name for p in folder.glob('*.pth*'))
                intact += names == [f'iter_{self.reached(folder)}.pth']
                subprocess.run(
                    ['mount', '-o', f'remount,size={size * 9}', disk],
                    check=True,
                )
                equal += self.resume(folder, 1)
            finally:
                # A loader's worker may take seconds to notice its end.
                subprocess.run(['umount', '--lazy', disk], check=True)
        self.note(
            'a disk that is full in the middle of a checkpoint; made larger; '
            '`--resume`',
            times,
            f'{clear} ended with status 2 and one clear line, {intact} with '
            f'the old checkpoint whole and nothing else, {equal} ended equal',
        )

    def change_the_processes(self) -> None:
        """Resume on another number of processes."""
        for one, other in ((1, 2), (2, 1)):
            folder = self.new_folder()
            pids = self.start(folder, one)
            forked_runs.wait_for(folder / 'iter_12.pth')
            forked_runs.end(pids)
            done = forked_runs.statuses(self.start(folder, other, '--resume'))
            assert not any(done), f'see {folder}.log'
            ours = states(folder)['state_dict']
            whole = states(self.whole[one])['state_dict']
            apart = max(
                float((ours[key] - value).norm() / value.norm())
                for key, value in whole.items()
                if key.endswith('.weight')
            )
            self.note(
                f'SIGKILL on {one} process(es), `--resume` on {other}',
                1,
                f'went on; weights {apart:.0e} apart from those of {one} at '
                'most (rounding)',
            )


def main() -> None:
    """Run all and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--kills', type=int, default=10, help='on one process, and on two'
    )
    args = parser.parse_args()
    os.chdir(ROOT)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        faults = Faults(Path(name), args.seed)
        draw = [sys.executable, 'tools/make_synthetic_marrow.py', faults.data]
        subprocess.run([*draw, '--images', '168'], check=True)
        prepare(faults.data)
        faults.make_references()
        for ranks in (1, 2):
            faults.kill(ranks, args.kills)
            faults.terminate(ranks, args.kills // 2)
        faults.lose_a_rank(3)
        faults.restart(2)
        faults.fill_the_disk(3)
        faults.change_the_processes()
        last = (faults.whole[1] / 'last_checkpoint').read_text()
        iterations = load(last)['meta']['iter']
    REPORT.write_text(
        TEXT.format(
            iterations=iterations,
            images=168,
            seed=args.seed,
            machine=(
                f'{os.cpu_count()} CPU cores, Python '
                f'{platform.python_version()}, torch {torch.__version__}'
            ),
            rows='\n'.join(faults.rows),
        )
    )
    print(f'Wrote {REPORT.relative_to(ROOT)}')


if __name__ == '__main__':
    main()
