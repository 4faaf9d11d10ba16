"""The commands, and the edge of the process: every error that we raise on purpose ends here, as one line."""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from importlib.metadata import version

from llmd_autoscaler.cli import (
    compare,
    controller,
    crds,
    fit,
    local,
    page,
    predict,
    profile,
    router,
    scale,
    simulator,
    status,
    warm,
)
from llmd_autoscaler.cli.kernel_cache import kernel_cache
from llmd_autoscaler.cli.parser import PROGRAM, Command, Commands, Parser
from llmd_autoscaler.errors import AutoscalerError

_FAILED, _INTERRUPTED = 2, 130


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    given = _parsed(arguments)
    command: Command = given.command
    with contextlib.ExitStack() as stack:
        if command.computes:
            stack.enter_context(kernel_cache())
        try:
            return command.run(given)
        except AutoscalerError as error:
            sys.stderr.write(f"{PROGRAM}: {error}\n")
            return _FAILED
        except KeyboardInterrupt:
            return _INTERRUPTED


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags; a wrong one ends the process, in the words of its command."""
    parser, commands = _parsers()
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands.choices[given.name].error(f"unrecognized arguments: {' '.join(unknown)}")
    return given


def _parsers() -> tuple[Parser, Commands]:
    parser = Parser(
        prog=PROGRAM,
        description="SLO-aware autoscaling of LLM inference: the cheapest mix of vLLM instances that keeps every SLO",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(
        title="commands", dest="name", metavar="COMMAND", required=True
    )
    groups = (local, compare, controller, router, page, simulator, status, profile, fit, predict)
    for group in (*groups, scale, crds, warm):
        group.add_to(commands)
    shown = commands.add_parser("version", help="print the version", allow_abbrev=False)
    shown.set_defaults(command=Command(lambda _: _print_version()))
    return parser, commands


def _print_version() -> int:
    sys.stdout.write(_version() + "\n")
    return 0


def _version() -> str:
    return f"{PROGRAM} {version(PROGRAM)}"
