"""`simulate-server` and `simulate-cluster`: what stands in for vLLM and for Kubernetes."""

import argparse
import asyncio
import sys

from llmd_autoscaler.cli.parser import (
    Command,
    Commands,
    above_zero,
    add_clock,
    add_listen,
    address,
    zero_or_more,
)
from llmd_autoscaler.cli.ports import listening_port
from llmd_autoscaler.clock import Clock

SERVER_PORT, CLUSTER_PORT = 8000, 8001


def add_to(commands: Commands) -> None:
    """Both commands and their flags."""
    about = "serve a model as vLLM would on the hardware of a profile, without a GPU"
    server = commands.add_parser(
        "simulate-server", help=about, description=about, allow_abbrev=False
    )
    server.add_argument(
        "--profile",
        required=True,
        metavar="NAME|FILE",
        help="a profile of the catalogue, or a YAML file",
    )
    server.add_argument(
        "--model", default="", help="the name to serve; default: the profile's model"
    )
    add_listen(server, default_port=SERVER_PORT)
    server.add_argument(
        "--shutdown-timeout",
        type=zero_or_more,
        default=0.0,
        metavar="SECONDS",
        help="time that open requests get to end after SIGTERM (%(default)g: they are aborted)",
    )
    add_clock(server)
    server.set_defaults(command=Command(_run_server, computes=True))

    about = "a small Kubernetes API server with Deployments, pods as processes, and the HPA"
    cluster = commands.add_parser(
        "simulate-cluster", help=about, description=about, allow_abbrev=False
    )
    add_listen(cluster, default_port=CLUSTER_PORT)
    cluster.add_argument(
        "--adapter-url",
        type=address,
        default="",
        metavar="URL",
        help="where custom.metrics.k8s.io is served",
    )
    cluster.add_argument(
        "--hpa-period",
        type=above_zero,
        default=15.0,
        metavar="SECONDS",
        help="time between two evaluations of an HPA (%(default)g)",
    )
    add_clock(cluster)
    # it computes nothing itself, but its pods do: they must find one cache
    cluster.set_defaults(command=Command(_run_cluster, computes=True))


def _run_server(given: argparse.Namespace) -> int:
    from llmd_autoscaler.simulator.vllm_server.process import serve  # noqa: PLC0415
    from llmd_autoscaler.translate.profile import engine_profile, load_profile  # noqa: PLC0415

    profile = load_profile(given.profile).spec
    serve(
        profile=engine_profile(profile),
        model=given.model or profile.model,
        host=given.host,
        port=listening_port(given.host, given.port, default=SERVER_PORT),
        clock=Clock.parse(given.clock),
        shutdown_timeout_s=given.shutdown_timeout,
    )
    return 0


def _run_cluster(given: argparse.Namespace) -> int:
    from llmd_autoscaler.simulator.cluster_process import (  # noqa: PLC0415
        ClusterOptions,
        run_cluster,
    )

    options = ClusterOptions(
        clock=Clock.parse(given.clock),
        host=given.host,
        port=listening_port(given.host, given.port, default=CLUSTER_PORT),
        adapter_url=given.adapter_url,
        hpa_period_s=given.hpa_period,
    )
    asyncio.run(run_cluster(options, on_address=_show_address))
    return 0


def _show_address(address: str) -> None:
    sys.stdout.write(f"serving the Kubernetes API on {address}\n")
    sys.stdout.flush()
