"""`router`: the OpenAI-compatible proxy."""

import argparse
import asyncio

from llmd_autoscaler.cli.parser import Command, Commands, add_api, add_clock, add_listen
from llmd_autoscaler.cli.ports import listening_port
from llmd_autoscaler.clock import Clock

PORT = 8080


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "route requests to instances, by class, routes and expected work"
    parser = commands.add_parser("router", help=about, description=about, allow_abbrev=False)
    add_api(parser)
    add_listen(parser, default_port=PORT)
    parser.add_argument(
        "--namespace", default="default", help="serve the models of this namespace (%(default)s)"
    )
    parser.add_argument(
        "--scorer", default="", help="how to choose among instances; default: least-work"
    )
    add_clock(parser)
    parser.set_defaults(command=Command(_run))


def _run(given: argparse.Namespace) -> int:
    # each command imports its own program: a router must not pay for a solver
    from llmd_autoscaler.logs import configure_logging  # noqa: PLC0415
    from llmd_autoscaler.router.process import run_router  # noqa: PLC0415
    from llmd_autoscaler.router.scorers import LEAST_WORK  # noqa: PLC0415

    clock = Clock.parse(given.clock)
    configure_logging(clock.now_s)
    asyncio.run(
        run_router(
            api=given.api,
            host=given.host,
            port=listening_port(given.host, given.port, default=PORT),
            namespace=given.namespace,
            clock=clock,
            scorer=given.scorer or LEAST_WORK,
        )
    )
    return 0
