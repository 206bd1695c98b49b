import os
import resource
import shutil
import signal
import sys
from pathlib import Path

import pytest
from mmengine.hooks import Hook

from bm_plugins.compat.safe_loading import load
from bm_plugins.engine.hooks import checkpoint_hook
from bm_plugins.errors import InputError
from tests.engine.small_swav import small_swav


def keep_last(number, **kwargs):
    hook = dict(
        type='SafeCheckpointHook', interval=1, max_keep_ckpts=number, **kwargs
    )
    return dict(checkpoint=hook)


def run(cells, folder, epochs, **kwargs):
    settings = dict(
        default_hooks=keep_last(1),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
    )
    runner = small_swav(cells, folder, **(settings | kwargs))
    runner.train()
    return runner


def files(folder):
    return sorted(path.name for path in folder.glob('*.pth*'))


def test_the_newest_are_kept(cells, tmp_path):
    run(cells, tmp_path, 4, default_hooks=keep_last(2))
    assert files(tmp_path) == ['epoch_3.pth', 'epoch_4.pth']
    last = (tmp_path / 'last_checkpoint').read_text()
    assert last == str(tmp_path / 'epoch_4.pth')
    assert load(last)['meta']['progress'] == dict(
        world_size=1, batch_size=9, epoch_length=4
    )


def test_old_ones_go_after_a_resume_too(cells, tmp_path):
    run(cells, tmp_path, 2, default_hooks=keep_last(2))
    (tmp_path / 'epoch_9.pth.partial').write_text('half')
    (tmp_path / 'interrupted.pth').write_text('a signal left it')
    run(
        cells,
        tmp_path,
        4,
        default_hooks=keep_last(2),
        resume=True,
    )
    assert files(tmp_path) == ['epoch_3.pth', 'epoch_4.pth']


class Count(Hook):
    """Kill this process at the n-th call of the next save."""

    def __init__(self, at):
        self.at, self.calls = at, 0

    def before_save_checkpoint(self, runner, checkpoint):
        sys.setprofile(self.profile)

    def profile(self, frame, event, argument):
        self.calls += 1
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def one_more_epoch_in_a_fork(runner, at):
    """Status and, where it lives, the calls of the second save."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            hook = Count(at)
            runner.register_hook(hook)
            runner.train_loop.run_epoch()
            sys.setprofile(None)
            os.write(write, str(hook.calls).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        calls = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), calls


@pytest.mark.slow
def test_twenty_kills_during_the_write(cells, tmp_path):
    folder, before = tmp_path / 'run', tmp_path / 'before'
    runner = run(cells, folder, 1)
    shutil.copytree(folder, before)
    status, calls = one_more_epoch_in_a_fork(runner, 0)
    assert status == 0
    calls = int(calls)
    assert calls > 200
    epochs = []
    # The last calls put the file in place and remove the old one.
    late = [calls - n for n in range(0, 40, 4)]
    for at in [1 + n * calls // 10 for n in range(10)] + late:
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        status, _ = one_more_epoch_in_a_fork(runner, at)
        assert status == -signal.SIGKILL
        state = load((folder / 'last_checkpoint').read_text())
        epochs.append(state['meta']['epoch'])
        for file in folder.glob('*.pth'):
            load(str(file))
    assert len(epochs) == 20
    assert set(epochs) == {1, 2}


def test_no_room_for_a_checkpoint(cells, tmp_path):
    run(cells, tmp_path, 1)
    size = (tmp_path / 'epoch_1.pth').stat().st_size
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))
    try:
        with pytest.raises(InputError, match=r'epoch_2.pth: File too large'):
            run(cells, tmp_path, 2, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert files(tmp_path) == ['epoch_1.pth']
    last = (tmp_path / 'last_checkpoint').read_text()
    assert load(last)['meta']['epoch'] == 1


class Scores(Hook):
    """Hand the checkpoint hook a score after each epoch."""

    priority = 'LOWEST'

    def __init__(self, scores):
        self.scores = scores
        self.best = []

    def after_train_epoch(self, runner):
        hook = next(
            hook
            for hook in runner.hooks
            if isinstance(hook, checkpoint_hook.SafeCheckpointHook)
        )
        scores = self.scores[runner.epoch]
        hook.after_val_epoch(runner, scores)
        folder = Path(runner.work_dir)
        self.best.append(sorted(p.name for p in folder.glob('best*')))


def test_the_best_one_goes_after_the_better_one_is_there(cells, tmp_path):
    runner = small_swav(
        cells,
        tmp_path,
        default_hooks=keep_last(1, save_best='f1', rule='greater'),
    )
    hook = Scores([dict(f1=f1) for f1 in (0.1, 0.3, 0.2, 0.4)])
    runner.register_hook(hook)
    runner.train()
    assert hook.best == [
        ['best_f1_epoch_0.pth'],
        ['best_f1_epoch_1.pth'],
        ['best_f1_epoch_1.pth'],
        ['best_f1_epoch_3.pth'],
    ]


def test_one_best_for_each_score(cells, tmp_path):
    runner = small_swav(
        cells,
        tmp_path,
        default_hooks=keep_last(
            1, save_best=['f1', 'accuracy'], rule='greater'
        ),
    )
    scores = [(0.1, 0.9), (0.3, 0.8), (0.2, 0.95), (0.1, 0.1)]
    hook = Scores([dict(f1=f1, accuracy=a) for f1, a in scores])
    runner.register_hook(hook)
    runner.train()
    assert hook.best[-1] == [
        'best_accuracy_epoch_2.pth',
        'best_f1_epoch_1.pth',
    ]
