"""`controller`: observes, decides, publishes."""

import argparse
import asyncio
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

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
from llmd_autoscaler.errors import ConfigError

if TYPE_CHECKING:
    from llmd_autoscaler.controller.election import Candidate

PORT = 8090
LEASE = "llmd-controller"
# Where Kubernetes tells every pod where it is.
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


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
    parser.add_argument(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="stand for election among several controllers; default: yes, but with --api",
    )
    parser.add_argument(
        "--identity",
        default="",
        metavar="NAME",
        help="name to stand with, of this process alone; default: the host's name and a random text",
    )
    parser.add_argument(
        "--lease",
        default="",
        metavar="NAMESPACE/NAME",
        help="the lease to stand for; default: llmd-controller in the namespace that this runs in",
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
            candidate=_candidate(given),
        )
    )
    return 0


def _candidate(given: argparse.Namespace) -> "Candidate | None":
    """Who stands for election; None where nobody does.

    Raises: ConfigError: the lease is not NAMESPACE/NAME.
    """
    from llmd_autoscaler.controller.election import Candidate  # noqa: PLC0415

    # whoever names an address runs one controller beside an API server of their own
    is_elected = not given.api if given.leader_elect is None else given.leader_elect
    if not is_elected:
        return None
    namespace, _, name = (given.lease or f"{_own_namespace()}/{LEASE}").partition("/")
    if not namespace or not name or "/" in name:
        raise ConfigError(f"--lease {given.lease}: write NAMESPACE/NAME, such as default/{LEASE}")
    # two processes of one identity would both lead: a host's name alone is no identity
    identity = given.identity or f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    return Candidate(identity, (namespace, name))


def _own_namespace() -> str:
    """The namespace of the pod that this runs in; outside of a cluster the default one."""
    try:
        return _NAMESPACE_FILE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"
