"""torchrun as dist_train.sh and dist_test.sh call it: GPUS SCRIPT ARGUMENTS.

Reads upstream's variables NNODES, NODE_RANK, MASTER_ADDR and PORT, besides
MAX_RESTARTS; on one node without PORT a free one is taken. A process that
failed has said why, so no traceback of torchrun's own follows.
"""

import logging
import os
import socket
import sys
from pathlib import Path

from torch.distributed import DistNetworkError, run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

TOOLS = Path(__file__).resolve().parent
USAGE_ERROR = 2  # that of bm_plugins.cli, whose message says it all


def main() -> None:
    """Start the processes and wait for them."""
    gpus, script, *arguments = sys.argv[1:]
    if not gpus.isdecimal() or int(gpus) < 1:
        stop(f'GPUS={gpus}: expected the number of processes on this node.')
    # As many threads a process as there are cores for it.
    threads = str(max((os.cpu_count() or 1) // int(gpus), 1))
    os.environ.setdefault('OMP_NUM_THREADS', threads)
    os.environ.setdefault('MKL_NUM_THREADS', threads)
    nodes = os.environ.get('NNODES', '1')
    port = os.environ.get('PORT') or ('29500' if nodes != '1' else free_port())
    address = os.environ.get('MASTER_ADDR', '127.0.0.1')
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    try:
        run.main(
            [
                f'--nnodes={nodes}',
                f'--node_rank={os.environ.get("NODE_RANK", "0")}',
                f'--master_addr={address}',
                f'--master_port={port}',
                f'--nproc_per_node={gpus}',
                f'--max_restarts={os.environ.get("MAX_RESTARTS", "0")}',
                str(TOOLS / script),
                *arguments,
            ]
        )
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode == USAGE_ERROR:
            sys.exit(USAGE_ERROR)
        how = (
            f'with status {failure.exitcode}'
            if failure.exitcode > 0
            else f'by signal {-failure.exitcode}'
        )
        stop(f'process {rank} of this node ended {how}; see above.')
    except SignalException as error:
        stop(f'stopped by {error.sigval.name}.')
    except DistNetworkError as error:
        stop(f'{address}:{port}: {str(error).splitlines()[0]}. Set PORT.')


def free_port() -> str:
    """A TCP port that is free now."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


def stop(message: str) -> None:
    """End with one line."""
    print(f'error: {message}', file=sys.stderr)
    sys.exit(1)


if __name__ == '__main__':
    main()
