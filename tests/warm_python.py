"""A ``python`` that starts at once: a fork of a process that has the stack.

A new process imports torch and mmpretrain for seconds. The program that
``install`` writes stands in for ``python``: it hands arguments, environment,
folder and streams to a server, which forks; signals go to the fork, and its
status comes back.
"""

import atexit
import ctypes
import logging
import marshal
import multiprocessing.util
import os
import queue
import random
import runpy
import select
import signal
import socket
import sys
import threading
import types
from pathlib import Path

import matplotlib.pyplot  # by mmengine's visualizer
import mmpretrain.visualization  # noqa: F401
import numpy as np
import torch
import torch.distributed.run
import torch.utils.cpp_extension  # noqa: F401  by mmengine's list of versions

import bm_plugins.apis.prediction.predict
import bm_plugins.plugins  # noqa: F401

# Light: without site. What is no script, -m or -c, and what multiprocessing
# spawns, starts cold.
PROGRAM = """#!{real} -IS
import _signal, _socket, array, marshal, os, sys
args = sys.argv[1:]
given = args[1:] if args[:1] == ['-u'] else args
first = given[0] if given else '-'
option = first[0] == '-' and first not in ('-m', '-c')
if option or '--multiprocessing-fork' in args:
    os.execv({real!r}, [{real!r}, *args])
link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
link.connect({address!r})
request = marshal.dumps(
    (given, first != args[0], os.getcwd(), dict(os.environ), os.getpid(),
     os.getpgrp() == os.getpid())
)
streams = array.array('i', [0, 1, 2])
size = len(request).to_bytes(4, 'big')
link.sendmsg([size], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
link.sendall(request)
for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGUSR1):
    _signal.signal(number, lambda number, _: link.send(bytes([number])))
status = int(link.recv(9) or 1)
if status < 0:
    if status != -_signal.SIGKILL:
        _signal.signal(-status, _signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


def install(folder: Path) -> tuple[Path, int]:
    """Write ``folder/python`` and fork its server from this process.

    Returns:
        tuple[Path, int]: The program and the server's process.
    """
    program, address = folder / 'python', str(folder / 'socket')
    program.write_text(PROGRAM.format(real=sys.executable, address=address))
    program.chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    servers = queue.SimpleQueue()
    # From a thread: torchrun looks through its stack, and through all modules
    # for each frame; the tests' would be 60 more.
    arguments = (servers, listener, program)
    threading.Thread(target=_start, args=arguments, daemon=True).start()
    return program, servers.get()


def fork_of(pid: int, program: Path) -> int:
    """The process that runs what the program's process ``pid`` stands for."""
    return int((program.parent / str(pid)).read_text())


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _start(servers, listener, program):
    pid = os.fork()
    if not pid:
        try:
            _serve(listener, program)
        finally:
            os._exit(1)
    servers.put(pid)
    os.waitpid(pid, 0)  # a child dies with the thread that forked it


def _serve(listener, program):
    """Fork a keeper, and that a child, for each that connects."""
    _die_with_parent()
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir('/proc/self/fd'):  # pipes whose end others await
        if int(name) != listener.fileno():
            os.dup2(nothing, int(name))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    while True:
        link, _ = listener.accept()
        if not os.fork():
            try:
                _keep(link, program)
            finally:
                os._exit(1)
        link.close()


def _keep(link, program):
    """Fork a child, pass signals to it and its status back."""
    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(link, 4, 3)
    request = link.recv(int.from_bytes(size, 'big'), socket.MSG_WAITALL)
    *request, caller, leads = marshal.loads(request)
    pid = os.fork()
    if not pid:
        link.close()
        (program.parent / str(caller)).write_text(str(os.getpid()))
        for number, stream in enumerate(streams):
            os.dup2(stream, number, inheritable=True)
            os.close(stream)
        _become(program, *request)
    for stream in streams:
        os.close(stream)
    child = os.pidfd_open(pid)
    while True:
        ready, _, _ = select.select([link, child], [], [])
        if child in ready:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            link.send(str(status).encode())
            return
        for number in link.recv(9) or [signal.SIGKILL]:  # the caller is dead
            # Launchers signal a process that leads a group with its group.
            (os.killpg if leads else os.kill)(pid, number)


def _become(program, args, unbuffered, folder, environ):
    """Run as a new interpreter would; does not return."""
    _die_with_parent()
    os.setpgid(0, 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    _refresh(unbuffered)
    sys.executable = str(program)
    main = types.ModuleType('__main__')
    main.__builtins__ = __builtins__
    sys.modules['__main__'] = main
    first, *sys.argv = args
    own = [p for p in sys.path if p.startswith((sys.prefix, sys.base_prefix))]
    given = [p for p in environ.get('PYTHONPATH', '').split(':') if p]
    sys.path[:] = ['', *given, *own]
    status = 0
    try:
        if first == '-m':
            sys.path[0] = folder
            runpy._run_module_as_main(sys.argv[0])
        else:
            name, text = '<string>', sys.argv[0] if first == '-c' else None
            if text is None:
                name, text = first, Path(first).read_bytes()
                sys.path[0] = os.path.dirname(os.path.realpath(first))
                main.__file__ = first
            sys.argv = [first, *sys.argv[first == '-c' :]]
            exec(compile(text, name, 'exec'), vars(main))
    except SystemExit as end:
        status = end.code
        if status and not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a pipe that nobody reads
            pass
    os._exit((status or 0) & 255)


def _refresh(unbuffered):
    """Streams, signals, seeds and hooks as at a start, not the tests'."""
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115
        for number, mode in enumerate('rww')
    )
    sys.stderr.reconfigure(errors='backslashreplace', line_buffering=True)
    sys.__stdin__, sys.__stdout__ = sys.stdin, sys.stdout
    sys.__stderr__ = sys.stderr
    if unbuffered or os.environ.get('PYTHONUNBUFFERED'):
        sys.stdout.reconfigure(write_through=True)
    logging.root.handlers.clear()
    for reference in logging._handlerList:
        handler = reference()
        if type(handler) is logging.StreamHandler:
            handler.setStream(sys.stderr)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if backend := os.environ.get('MPLBACKEND'):  # read at the import
        matplotlib.rcParams['backend'] = backend
    atexit._clear()
    atexit.register(logging.shutdown)
    atexit.register(multiprocessing.util._exit_function)
    random.seed()
    np.random.seed()
    torch.seed()
    torch.set_num_threads(
        int(os.environ.get('OMP_NUM_THREADS') or os.cpu_count())
    )
