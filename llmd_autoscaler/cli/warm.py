"""`warm`: compiles the engine once, so that the first run need not."""

import argparse
import sys
import time

from llmd_autoscaler.cli.parser import Command, Commands


def add_to(commands: Commands) -> None:
    """The command."""
    about = "compile the engine and keep it on disk, so that no later command has to"
    parser = commands.add_parser("warm", help=about, description=about, allow_abbrev=False)
    parser.set_defaults(command=Command(_run, computes=True))


def _run(_: argparse.Namespace) -> int:
    started = time.perf_counter()
    from llmd_autoscaler.local.warm import warm  # noqa: PLC0415

    warm()
    sys.stdout.write(f"the engine is compiled ({time.perf_counter() - started:.1f} s)\n")
    return 0
