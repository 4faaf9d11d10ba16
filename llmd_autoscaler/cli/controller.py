"""`controller`: observes, decides, publishes."""

import argparse
import asyncio

from llmd_autoscaler.cli.parser import (
    Command,
    Commands,
    above_zero,
    add_api,
    add_clock,
    add_listen,
    address,
)
from llmd_autoscaler.cli.ports import listening_port
from llmd_autoscaler.clock import Clock

PORT = 8090


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "decide how many instances of which variant each model runs on"
    parser = commands.add_parser("controller", help=about, description=about, allow_abbrev=False)
    add_api(parser)
    add_listen(parser, default_port=PORT)
    parser.add_argument(
        "--namespace", default="", help="manage the models of one namespace only; default: all"
    )
    parser.add_argument(
        "--router",
        type=address,
        action="append",
        default=[],
        metavar="URL",
        help="a router whose counts are the demand, such as http://10.0.0.7:8080; may be repeated",
    )
    parser.add_argument(
        "--period",
        type=above_zero,
        default=None,
        metavar="SECONDS",
        help="time between two ticks; default: 15",
    )
    add_clock(parser)
    parser.set_defaults(command=Command(_run, computes=True))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.controller.process import run_controller  # noqa: PLC0415
    from llmd_autoscaler.core.world import Policy  # noqa: PLC0415
    from llmd_autoscaler.logs import configure_logging  # noqa: PLC0415
    from llmd_autoscaler.settings import Settings, TickSettings  # noqa: PLC0415

    clock = Clock.parse(given.clock)
    configure_logging(clock.now_s)
    tick = TickSettings() if given.period is None else TickSettings(period_s=given.period)
    asyncio.run(
        run_controller(
            api=given.api,
            host=given.host,
            port=listening_port(given.host, given.port, default=PORT),
            namespace=given.namespace,
            clock=clock,
            routers=tuple(given.router),
            settings=Settings(tick=tick),
            policy=Policy(),
        )
    )
    return 0
