"""``python -m bm_plugins``: what needs no script of tools/."""

import argparse
import sys
from collections.abc import Sequence


def main(
    argv: Sequence[str] | None = None, prog: str = 'python -m bm_plugins'
) -> int:
    """Run the command.

    Args:
        argv (Sequence[str], optional): Defaults to the command line's.
        prog (str): How the command was called, for its help.

    Returns:
        int: The exit status.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description='See tools/ for the rest.'
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    doctor = commands.add_parser(
        'doctor',
        help='is this machine ready, and what to do if not',
        description='Look at versions, GPU, processes, data and disk. The '
        'status is 0 if there is no problem, else 1.',
        epilog=f'example: {prog} doctor --data data/synthetic',
    )
    doctor.add_argument(
        '--data', metavar='PATH', help='your collection; default BM_DATA_ROOT'
    )
    args = parser.parse_args(argv)
    from bm_plugins.doctor.examine import examine

    return examine(args.data)


if __name__ == '__main__':
    from bm_plugins import cli

    cli.run(lambda: sys.exit(main()))
