"""`profile`: measures what one instance of a live vLLM carries."""

import argparse
import asyncio
import re
import sys
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands, add_clock, address
from llmd_autoscaler.cli.variant import add_variant, variant_of
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = (
        "measure a live vLLM, and write its capacity profile with error bars and a page of charts"
    )
    parser = commands.add_parser("profile", help=about, description=about, allow_abbrev=False)
    parser.add_argument(
        "--endpoint",
        type=address,
        required=True,
        metavar="URL",
        help="an OpenAI-compatible vLLM that serves nobody else",
    )
    parser.add_argument(
        "--metrics-url", type=address, default="", metavar="URL", help="default: URL/metrics"
    )
    parser.add_argument(
        "--budget",
        type=_duration_s,
        default=600.0,
        metavar="10m",
        help="time to measure for, such as 90s or 10m (10m)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("profile.yaml"),
        metavar="FILE.yaml",
        help="write the profile here (%(default)s); points and page are written beside it",
    )
    parser.add_argument(
        "--longest-isl", type=int, metavar="TOKENS", help="measure prompts up to this length only"
    )
    parser.add_argument(
        "--vocabulary",
        type=int,
        default=32_000,
        metavar="N",
        help="token ids of prompts are below this (%(default)s)",
    )
    parser.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="a file that holds the server's API key"
    )
    parser.add_argument(
        "--like",
        metavar="NAME|FILE",
        help="take names and flags from this profile where no flag says them",
    )
    parser.add_argument("--seed", type=int, default=0, help="of prompts and arrivals (%(default)s)")
    add_variant(parser)
    add_clock(parser)
    parser.set_defaults(command=Command(_run, computes=True))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.local.progress import Screen  # noqa: PLC0415
    from llmd_autoscaler.profiling.live import Asked, profile  # noqa: PLC0415

    stem = given.out.name.removesuffix(".yaml")
    asked = Asked(
        endpoint=given.endpoint,
        metrics_url=given.metrics_url or f"{given.endpoint.rstrip('/')}/metrics",
        model=given.model,
        budget_s=given.budget,
        out=given.out,
        points=given.out.with_name(f"{stem}.points.jsonl"),
        report=given.out.with_name(f"{stem}.html"),
        longest_isl=given.longest_isl,
        vocabulary=given.vocabulary,
        api_key=_key(given.api_key_file),
        seed=given.seed,
    )
    asyncio.run(
        profile(
            asked,
            variant_of(given, out=given.out),
            clock=Clock.parse(given.clock),
            screen=Screen(sys.stderr),
            to=sys.stdout,
        )
    )
    return 0


def _key(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--api-key-file {path}: {error}; name a file that can be read"
        ) from error


def _duration_s(text: str) -> float:
    """Seconds of a duration, as argparse takes a type."""
    match = _DURATION.fullmatch(text)
    if match is None or float(match[1]) == 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write one such as 90s or 10m")
    return float(match[1]) * _UNIT_S[match[2]]
