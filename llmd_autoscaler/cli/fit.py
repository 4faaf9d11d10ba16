"""`fit`: a capacity profile from points that were measured before."""

import argparse
import sys
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands, add_clock
from llmd_autoscaler.cli.variant import add_variant, variant_of
from llmd_autoscaler.clock import Clock


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "fit a capacity profile to measured points, offline"
    parser = commands.add_parser("fit", help=about, description=about, allow_abbrev=False)
    parser.add_argument(
        "--points",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE.jsonl",
        help="points, one JSON object a line (.gz too); the format is in docs/points.md",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.yaml", help="write the profile here"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write a page with charts here, too"
    )
    parser.add_argument(
        "--like",
        metavar="NAME|FILE",
        help="take KV cache, flags and names from this profile where no flag says them",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (%(default)s)")
    add_variant(parser)
    add_clock(parser)
    parser.set_defaults(command=Command(_run, computes=True))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.profiling.offline import Outputs, fit_files  # noqa: PLC0415

    fit_files(
        given.points,
        variant_of(given, out=given.out),
        Outputs(given.out, given.report, sys.stdout),
        seed=given.seed,
        now_s=Clock.parse(given.clock).now_s(),
    )
    return 0
