"""`local`: the whole system on this machine, following recorded traffic."""

import argparse
import sys
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands, above_zero
from llmd_autoscaler.local.options import Options

_DEFAULT = Options()
_LIST = "list"  # in place of a scenario's name


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = (
        "watch the autoscaler follow recorded traffic on this machine, without a cluster or a GPU"
    )
    parser = commands.add_parser("local", help=about, description=about, allow_abbrev=False)
    requests = parser.add_mutually_exclusive_group()
    requests.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="requests to replay: an Azure or BurstGPT .csv or a Mooncake .jsonl, also .gz; default: Azure chat of 2023",
    )
    requests.add_argument(
        "--scenario", metavar="NAME", help="traffic that hurts, by its name; `list` tells the names"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="DIR",
        help="folder of YAML resources to run; default: Llama 70B on 4 x A100",
    )
    parser.add_argument(
        "--speed",
        type=above_zero,
        default=_DEFAULT.speed,
        help="how many times as fast as the clock on the wall (%(default)g)",
    )
    parser.add_argument(
        "--until", type=above_zero, metavar="SECONDS", help="replay only so much of the trace"
    )
    parser.add_argument(
        "--rate-scale",
        type=above_zero,
        metavar="FACTOR",
        help=f"how many times as many requests as the trace has ({_DEFAULT.rate_scale:g}) or the scenario (1)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=_DEFAULT.seed,
        help="of a scenario's requests, classes, start-up times and ties (%(default)d)",
    )
    parser.add_argument(
        "--virtual", action="store_true", help="the same run in virtual time, in seconds"
    )
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="keep traffic, statuses, decisions and logs here"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="save the live page here at the end"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON on the last line, too"
    )
    parser.set_defaults(command=Command(_run, computes=True))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.local.run import run  # noqa: PLC0415
    from llmd_autoscaler.simulator.scenarios.catalog import listing  # noqa: PLC0415

    if given.scenario == _LIST:
        sys.stdout.write(listing() + "\n")
        return 0
    scale = 1.0 if given.scenario else _DEFAULT.rate_scale
    options = Options(
        trace=given.trace,
        scenario=given.scenario,
        config=given.config,
        speed=given.speed,
        until_s=given.until,
        rate_scale=given.rate_scale or scale,
        seed=given.seed,
        is_virtual=given.virtual,
        record=given.record,
        report=given.report,
        is_json=given.json,
    )
    return 0 if run(options, sys.stdout) else 130
