"""The command `llmd-autoscaler`, also `python -m llmd_autoscaler`."""

import sys
from collections.abc import Sequence

from llmd_autoscaler.cli.command_line import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 2 where something must be written otherwise."""
    return run(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
