"""`scale`: a profile for a setup that nobody measured, predicted from one that was."""

import argparse
import sys
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands, add_clock
from llmd_autoscaler.clock import Clock


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "predict a capacity profile for another accelerator, parallelism, precision or model"
    parser = commands.add_parser("scale", help=about, description=about, allow_abbrev=False)
    parser.add_argument(
        "--profile",
        required=True,
        metavar="NAME|FILE",
        help="the measured profile to scale: of the catalogue, or a YAML file",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.yaml", help="write the profile here"
    )
    group = parser.add_argument_group("what is predicted; default: as in the profile")
    group.add_argument("--accelerator", default="", help="accelerator, such as MI300X-192GB")
    group.add_argument(
        "--accelerator-count",
        type=_count,
        metavar="N",
        help="accelerators of one instance, as tensor parallelism",
    )
    group.add_argument("--precision", default="", help="bf16 or fp8")
    group.add_argument(
        "--model", default="", help="model, such as meta-llama/Llama-3.1-70B-Instruct"
    )
    add_clock(parser)
    parser.set_defaults(command=Command(_run))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.profiling.scaled_profile import Wanted, scale_file  # noqa: PLC0415

    wanted = Wanted(
        model=given.model,
        accelerator=given.accelerator,
        accelerator_count=given.accelerator_count,
        precision=given.precision,
    )
    scale_file(
        given.profile,
        wanted,
        given.out,
        now_s=Clock.parse(given.clock).now_s(),
        to=sys.stdout,
    )
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)
