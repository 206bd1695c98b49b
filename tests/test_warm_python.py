"""What stands in for python behaves as python does."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.warm_python import fork_of

SHOW = """
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ['GIVEN'], input(), __name__)
print('an error', file=sys.stderr)
sys.exit(7)
"""


def test_arguments_folder_environment_streams_and_status(python, tmp_path):
    file = tmp_path / 'show.py'
    file.write_text(SHOW)
    for start in ([file], ['-u', file], ['-c', SHOW]):
        one, other = (
            subprocess.run(
                [program, *start, 'a b', '-c'],
                cwd=tmp_path,
                env=dict(os.environ, GIVEN='given'),
                input='said\n',
                capture_output=True,
                text=True,
            )
            for program in (python, sys.executable)
        )
        assert one.stdout.split() and one.returncode == 7
        assert (one.stdout, one.stderr) == (other.stdout, other.stderr)


def test_modules_and_what_is_imported(python):
    code = "import sys; print('torch' in sys.modules, sys.executable)"
    done = subprocess.run([python, '-c', code], capture_output=True, text=True)
    assert done.stdout == f'True {python}\n'
    done = subprocess.run([python, '-m', 'no.such'], capture_output=True)
    assert done.returncode == 1 and b'No module named' in done.stderr


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_signals_reach_the_fork_and_its_end_comes_back(python, number):
    process = subprocess.Popen(
        [python, '-c', 'print(1, flush=True); import time; time.sleep(60)'],
        stdout=subprocess.PIPE,
    )
    process.stdout.read(1)
    pid = fork_of(process.pid, python)
    os.kill(process.pid if number == signal.SIGTERM else pid, number)
    assert process.wait(20) == -number


def test_a_fork_ends_with_what_it_stands_for(python):
    process = subprocess.Popen(
        [python, '-c', 'print(1, flush=True); import time; time.sleep(60)'],
        stdout=subprocess.PIPE,
    )
    process.stdout.read(1)
    pid = fork_of(process.pid, python)
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    end = time.monotonic() + 20
    while os.path.exists(f'/proc/{pid}'):
        assert time.monotonic() < end
        time.sleep(0.01)
