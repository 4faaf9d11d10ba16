"""`compare`: our controller beside the simple laws, the best static fleet and the bound, on the same traffic."""

import argparse
import sys
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands, above_zero
from llmd_autoscaler.local.options import Options

_DEFAULT = Options()


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "compare this autoscaler with simple ones on the same traffic, in virtual time"
    parser = commands.add_parser("compare", help=about, description=about, allow_abbrev=False)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="requests to replay; default: Azure chat of 2023",
    )
    source.add_argument("--scenario", metavar="NAME", help="traffic that hurts, by its name")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="DIR",
        help="folder of YAML resources to run; default: Llama 70B on 4 x A100",
    )
    parser.add_argument(
        "--rate-scale",
        type=above_zero,
        metavar="FACTOR",
        help=f"how many times as many requests ({_DEFAULT.rate_scale:g}; of a scenario 1)",
    )
    parser.add_argument(
        "--until", type=above_zero, metavar="SECONDS", help="replay only so much of the traffic"
    )
    parser.add_argument(
        "--seed",
        type=int,
        nargs="+",
        default=[_DEFAULT.seed],
        metavar="N",
        help=f"of classes, start-up times and ties; several are compared one by one ({_DEFAULT.seed})",
    )
    parser.add_argument(
        "--policies", metavar="NAME,NAME...", help="who is compared; default: all that there are"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write a page with charts here, too"
    )
    parser.add_argument(
        "--json", action="store_true", help="print every run as JSON on the last line, too"
    )
    parser.set_defaults(command=Command(_run, computes=True))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.local.compare import CompareOptions, run  # noqa: PLC0415
    from llmd_autoscaler.local.sweep import NAMES  # noqa: PLC0415

    scale = 1.0 if given.scenario else _DEFAULT.rate_scale
    options = CompareOptions(
        run=Options(
            trace=given.trace,
            scenario=given.scenario,
            config=given.config,
            until_s=given.until,
            rate_scale=given.rate_scale or scale,
            is_virtual=True,
        ),
        seeds=tuple(dict.fromkeys(given.seed)),
        policies=tuple(given.policies.split(",")) if given.policies else NAMES,
        report=given.report,
        is_json=given.json,
    )
    run(options, sys.stdout)
    return 0
