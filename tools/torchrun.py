#!/usr/bin/env python3
"""Start a tool on several GPUs or processes, as the launch scripts do.

Reads upstream's variables NNODES, NODE_RANK, MASTER_ADDR and PORT, besides
MAX_RESTARTS; one node needs none of them. A process that failed has said why,
so no traceback of torchrun's own follows.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# Those of bm_plugins.cli, whose message says it all.
SAID = (2, os.EX_TEMPFAIL)


def main(argv: Sequence[str] | None = None) -> None:
    """Start the processes and wait for them."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/torchrun.py 2 train.py configs/swav_tiny_bm.py '
        '--launcher pytorch',
    )
    parser.add_argument('gpus', metavar='GPUS', help='of this node')
    parser.add_argument('script', metavar='SCRIPT', help='of this folder')
    parser.add_argument('arguments', nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    gpus, script, arguments = args.gpus, args.script, args.arguments
    if not gpus.isdecimal() or int(gpus) < 1:
        stop(f'GPUS={gpus}: expected the number of processes on this node.')
    import torch
    from torch.distributed import DistNetworkError, run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import (
        ChildFailedError,
    )

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if script != 'predict.py' and 0 < there < int(gpus):  # NCCL shares none
        stop(
            f'GPUS={gpus}: this node has {there}. Give {there} at most, or '
            'run without GPUs by CUDA_VISIBLE_DEVICES= before the command.'
        )
    # As many threads a process as there are cores for it.
    threads = str(max((os.cpu_count() or 1) // int(gpus), 1))
    os.environ.setdefault('OMP_NUM_THREADS', threads)
    os.environ.setdefault('MKL_NUM_THREADS', threads)
    restarts = os.environ.get('MAX_RESTARTS', '0')
    where = rendezvous(restarts != '0')
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    try:
        run.main(
            [
                *where,
                f'--nproc_per_node={gpus}',
                f'--max_restarts={restarts}',
                str(TOOLS / script),
                *arguments,
            ]
        )
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode in SAID:
            sys.exit(failure.exitcode)
        how = (
            f'with status {failure.exitcode}'
            if failure.exitcode > 0
            else f'by signal {-failure.exitcode}'
        )
        stop(f'process {rank} of this node ended {how}; see above.')
    except SignalException as error:
        if error.sigval == signal.SIGTERM:
            sys.exit(os.EX_TEMPFAIL)  # try again, with --resume
        stop(f'stopped by {error.sigval.name}.')
    except DistNetworkError as error:
        why = str(error).partition('\n')[0]
        stop(f'{" ".join(where)}: {why}. Set PORT.')


def rendezvous(restarts: bool) -> list[str]:
    """torchrun's arguments for how the processes find each other.

    A static address is upstream's way. Its store outlives a restart, so that
    new processes would read the addresses of the old ones and wait for ever;
    c10d makes a new store each time, if it is not to share its own.
    """
    os.environ['TORCH_DISABLE_SHARE_RDZV_TCP_STORE'] = '1'
    nodes = os.environ.get('NNODES', '1')
    address = os.environ.get('MASTER_ADDR', '127.0.0.1')
    port = os.environ.get('PORT', '29500')
    if nodes == '1':
        return ['--standalone', '--local-addr=127.0.0.1']
    if restarts:
        return [
            f'--nnodes={nodes}',
            '--rdzv-backend=c10d',
            f'--rdzv-endpoint={address}:{port}',
        ]
    return [
        f'--nnodes={nodes}',
        f'--node_rank={os.environ.get("NODE_RANK", "0")}',
        f'--master_addr={address}',
        f'--master_port={port}',
    ]


def stop(message: str) -> None:
    """End with one line."""
    print(f'error: {message}', file=sys.stderr)
    sys.exit(1)


if __name__ == '__main__':
    main()
