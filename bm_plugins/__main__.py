"""``python -m bm_plugins``: what needs no script of tools/."""

import argparse
import sys

from bm_plugins.doctor.examine import examine


def main() -> int:
    """Run the command.

    Returns:
        int: The exit status.
    """
    parser = argparse.ArgumentParser(
        prog='python -m bm_plugins', description='See tools/ for the rest.'
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    doctor = commands.add_parser(
        'doctor',
        help='is this machine ready, and what to do if not',
        description='Look at versions, GPU, processes, data and disk. The '
        'status is 0 if there is no problem, else 1.',
        epilog='example: python -m bm_plugins doctor --data data/synthetic',
    )
    doctor.add_argument(
        '--data', metavar='PATH', help='your collection; default BM_DATA_ROOT'
    )
    return examine(parser.parse_args().data)


if __name__ == '__main__':
    sys.exit(main())
