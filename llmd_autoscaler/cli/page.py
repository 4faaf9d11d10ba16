"""`page`: the live page of what the autoscaler does and why."""

import argparse
import asyncio
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands, add_api, add_clock, add_listen
from llmd_autoscaler.cli.ports import listening_port
from llmd_autoscaler.clock import Clock

PORT = 8070
_SCHEMES = ("http://", "https://")


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "show what the autoscaler does and why, live in a browser"
    parser = commands.add_parser("page", help=about, description=about, allow_abbrev=False)
    add_api(parser)
    add_listen(parser, default_port=PORT)
    parser.add_argument(
        "--namespace", default="", help="show the models of one namespace only; default: all"
    )
    parser.add_argument(
        "--controller",
        type=_url,
        metavar="URL",
        help="the controller, whose /metrics are newer than the statuses",
    )
    parser.add_argument(
        "--router",
        type=_url,
        action="append",
        default=[],
        metavar="URL",
        help="a router, whose /metrics say rates and latencies; may be repeated",
    )
    parser.add_argument(
        "--bounds", type=Path, metavar="FILE", help="what hindsight says of a local run"
    )
    add_clock(parser)
    parser.set_defaults(command=Command(_run))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.logs import configure_logging  # noqa: PLC0415
    from llmd_autoscaler.page.process import Asked, run_page  # noqa: PLC0415

    clock = Clock.parse(given.clock)
    configure_logging(clock.now_s)
    asked = Asked(
        given.api, given.namespace, given.controller or "", tuple(given.router), given.bounds
    )
    port = listening_port(given.host, given.port, default=PORT)
    asyncio.run(run_page(asked, host=given.host, port=port, clock=clock))
    return 0


def _url(text: str) -> str:
    """An address, as argparse takes a type.

    Raises: argparse.ArgumentTypeError: it is none.
    """
    if not text.startswith(_SCHEMES):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address: write one such as http://127.0.0.1:8090"
        )
    return text
