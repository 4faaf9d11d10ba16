"""`predict`: what an instance of a profile does under a load, or how far the profile is from measured points."""

import argparse
import sys
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands, above_zero, zero_or_more
from llmd_autoscaler.errors import ConfigError

_WHOLE = "a whole number above 0"


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "predict latency and throughput of one instance, by its profile"
    parser = commands.add_parser("predict", help=about, description=about, allow_abbrev=False)
    parser.add_argument(
        "--profile",
        required=True,
        metavar="NAME|FILE",
        help="a profile of the catalogue, or a YAML file",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--points",
        type=Path,
        nargs="+",
        metavar="FILE.jsonl",
        help="measured points: print how far the profile is from them",
    )
    source.add_argument(
        "--mix", type=Path, metavar="FILE", help="shapes, one `isl osl weight` a line"
    )
    source.add_argument("--isl", type=_count, metavar="TOKENS", help="prompt tokens of a request")
    parser.add_argument("--osl", type=_count, metavar="TOKENS", help="output tokens of a request")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--concurrency", type=_count, metavar="N", help="clients of a closed loop")
    how.add_argument("--rate", type=above_zero, metavar="QPS", help="requests a second, Poisson")
    parser.add_argument(
        "--prefix-hit",
        type=zero_or_more,
        default=0.0,
        metavar="FRACTION",
        help="share of each prompt found in the prefix cache (%(default)g)",
    )
    parser.add_argument("--engine-version", default="", help="warn unless the profile's is this")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(command=Command(_run, computes=True))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.profiling.answer import (  # noqa: PLC0415
        Question,
        answer_load,
        answer_points,
    )

    if given.points is not None:
        if given.concurrency or given.rate or given.osl:
            raise ConfigError(
                "--points hold their own loads; leave out --osl, --concurrency and --rate"
            )
        answer_points(given.profile, given.points, is_json=given.json, to=sys.stdout)
        return 0
    question = Question(
        isl=given.isl,
        osl=given.osl,
        mix=given.mix,
        concurrency=given.concurrency,
        rate_qps=given.rate,
        prefix_frac=given.prefix_hit,
        engine_version=given.engine_version,
    )
    answer_load(given.profile, question, is_json=given.json, to=sys.stdout, warn=sys.stderr)
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not {_WHOLE}")
    return int(text)
