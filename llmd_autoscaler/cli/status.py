"""`status`: what `kubectl get sl,va` would print."""

import argparse
import asyncio
import sys

from llmd_autoscaler.cli.parser import Command, Commands, add_api, add_clock
from llmd_autoscaler.clock import Clock


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "print the models and their variants as kubectl would"
    parser = commands.add_parser("status", help=about, description=about, allow_abbrev=False)
    add_api(parser)
    add_clock(parser)
    parser.set_defaults(command=Command(_run))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.controller.status_table import print_status  # noqa: PLC0415

    clock = Clock.parse(given.clock)
    sys.stdout.write(asyncio.run(print_status(given.api, clock=clock)).rstrip("\n") + "\n")
    return 0
