"""Fixtures: several real processes, small data sets, the command line."""

import gc
import multiprocessing
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor

# Of each process that the tests start, several at a time: with more threads
# than cores they wait for one another.
os.environ['OMP_NUM_THREADS'] = os.environ['MKL_NUM_THREADS'] = '1'
# The suite is for any machine; tests/gpu is what needs a GPU. mmengine looks
# for one when it is imported.
if 'BM_TEST_GPU' not in os.environ:
    os.environ['CUDA_VISIBLE_DEVICES'] = ''

import pytest


def pytest_configure(config):
    """Import the stack, but in xdist's own process, which runs no test."""
    if hasattr(config, 'workerinput') or not config.getoption(
        'numprocesses', None
    ):
        import cv2
        import torch

        # Threads do not follow into a forked process, which would wait.
        torch.set_num_threads(1)
        cv2.setNumThreads(0)


def pytest_collection_finish():
    """Spare what was imported from each garbage collection.

    mmengine collects with every data set; half a second each time, and
    a forked process would copy all the memory that it looks at.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope='session')
def plain_configs():
    """Configs as text stay as they are.

    Each run lays its config out six times, which takes half a second of
    processor time; the text says the same.
    """
    import mmengine.config.config

    mmengine.config.config.FormatCode = lambda text, **_: (text, False)


@pytest.fixture(autouse=True, scope='session')
def features_folder(tmp_path_factory):
    """Configs keep features among the tests' files."""
    os.environ['BM_FEATURES'] = str(tmp_path_factory.mktemp('features'))


@pytest.fixture(autouse=True, scope='session')
def python(tmp_path_factory, plain_configs):
    """The path of a ``python`` whose processes need not import the stack."""
    from tests import warm_python

    program, server = warm_python.install(tmp_path_factory.mktemp('warm'))
    yield program
    os.kill(server, signal.SIGKILL)


@pytest.fixture(autouse=True)
def forget_other_tests():
    """Drop what mmengine keeps in global variables: loggers, the scope."""
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.registry import DefaultScope
    from mmengine.visualization import Visualizer

    for kept in (DefaultScope, MessageHub, MMLogger, Visualizer):
        kept._instance_dict.clear()


def _join_and_call(rank, world_size, store, function, args):
    import torch
    import torch.distributed as dist

    os.environ['RANK'] = os.environ['LOCAL_RANK'] = str(rank)
    os.environ['WORLD_SIZE'] = str(world_size)
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{store}',
        rank=rank,
        world_size=world_size,
    )
    function(*args)
    dist.destroy_process_group()


@pytest.fixture
def run_ranks(tmp_path_factory):
    """Call a module's function in gloo processes: run(function, 2, *args)."""

    import torch.multiprocessing as mp

    def run(function, world_size, *args):
        store = tmp_path_factory.mktemp('gloo') / 'store'
        # A fork starts at once; a new process would import for seconds.
        mp.start_processes(
            _join_and_call,
            (world_size, store, function, args),
            world_size,
            start_method='fork',
        )

    return run


@pytest.fixture(scope='session')
def forked():
    """What a function returns in a forked process: forked(function, *args).

    After torch's exporter no later fork of a process can train.
    """

    def call(function, *args, **options):
        context = multiprocessing.get_context('fork')
        with ProcessPoolExecutor(1, context) as pool:
            return pool.submit(function, *args, **options).result()

    return call


@pytest.fixture(scope='session')
def cells(tmp_path_factory):
    """A collection of three classes that differ in brightness and size."""
    import cv2
    import numpy as np

    from bm_plugins.datasets.prepare import prepare

    root = tmp_path_factory.mktemp('cells')
    rng = np.random.default_rng(0)
    for code, count, level in (
        ('BLA', 30, 90),
        ('LYT', 24, 140),
        ('ABE', 8, 200),
    ):
        folder = root / 'BM_cytomorphology_data' / code
        folder.mkdir(parents=True)
        for i in range(1, count + 1):
            img = rng.normal(230, 8, (64, 64, 3))
            cv2.circle(img, (32, 32), level // 8, (level, 60, level), -1)
            img = np.clip(img + rng.normal(0, 25, 3), 0, 255)
            file = folder / f'{code}_{i:05}.jpg'
            cv2.imwrite(str(file), img.astype(np.uint8))
    prepare(root)
    return root


@pytest.fixture
def tool(tmp_path, python):
    """Run tools/<name>.py in a forked process: status, stdout, stderr.

    A fork starts at once, where a new process would import for seconds.
    """

    def run(name, *args):
        files = [tmp_path / 'stdout', tmp_path / 'stderr']
        pid = os.fork()
        if pid == 0:
            for number, file in enumerate(files, 1):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
            sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
            sys.argv = [f'tools/{name}.py', *map(str, args)]
            sys.executable = str(python)
            status = None
            try:
                runpy.run_path(f'tools/{name}.py', run_name='__main__')
            except SystemExit as end:
                status = end.code
            except BaseException:
                traceback.print_exc()
                status = 1
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status or 0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = [file.read_text() for file in files]
        for file in files:
            file.unlink()
        return status, *texts

    return run
