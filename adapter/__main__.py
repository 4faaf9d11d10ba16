"""The command `llmd-adapter`: reads its flags and starts the process."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from adapter.process import Options, run_adapter
from adapter.tls import CertificateFiles
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.logs import configure_logging

_MISUSED = 2
_LARGEST_PORT = 65535


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line: the usage would bury the sentence."""

    def error(self, message: str) -> NoReturn:  # type: ignore[explicit-override]  # typing has it from 3.12 on
        """End with 2 and the sentence."""
        self.exit(_MISUSED, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until told to stop; 2 and one line where something must be written otherwise."""
    given = _parser().parse_args(arguments)
    try:
        options = _options(given)
        configure_logging(options.clock.now_s)
        asyncio.run(run_adapter(options))
    except ConfigError as error:
        sys.stderr.write(f"llmd-adapter: {error}\n")
        return _MISUSED
    return 0


def _options(given: argparse.Namespace) -> Options:
    files = (given.tls_cert_file, given.tls_private_key_file)
    if (files[0] is None) != (files[1] is None):
        raise ConfigError("--tls-cert-file and --tls-private-key-file go together: give both")
    if given.external_metrics and "/" not in given.service:
        raise ConfigError(
            "--external-metrics must know whether the group is ours: give --service NAMESPACE/NAME"
        )
    return Options(
        api=given.api,
        kubeconfig=given.kubeconfig,
        host=given.host,
        port=given.port,
        clock=Clock.parse(given.clock),
        namespace=given.namespace,
        certificate=CertificateFiles(*files) if all(files) else None,
        is_http_allowed=given.insecure_http,
        external_service=given.service if given.external_metrics else "",
    )


def _parser() -> Parser:
    parser = Parser(
        prog="llmd-adapter",
        description="serves the decisions in VariantAutoscaling statuses as custom.metrics.k8s.io",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--api",
        default="",
        help="address of the API server; default: the cluster, or the kubeconfig",
    )
    parser.add_argument(
        "--kubeconfig",
        default="",
        help="file to use where there is no --api; default: the usual ones",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8085, help="port to listen on (%(default)s)")
    parser.add_argument("--namespace", default="", help="serve one namespace only; default: all")
    parser.add_argument(
        "--tls-cert-file",
        type=Path,
        help="certificate to serve with, PEM; changes are taken over while it runs",
    )
    parser.add_argument("--tls-private-key-file", type=Path, help="its key, PEM")
    parser.add_argument(
        "--insecure-http",
        action="store_true",
        help="answer everybody in plain HTTP, beyond this machine too",
    )
    parser.add_argument(
        "--external-metrics",
        action="store_true",
        help="serve external.metrics.k8s.io too; a cluster has one server for it, and KEDA is one",
    )
    parser.add_argument(
        "--service",
        default="",
        metavar="NAMESPACE/NAME",
        help="our Service, as the APIServices name it; needed with --external-metrics",
    )
    parser.add_argument(
        "--clock",
        default="",
        help="WALL_UNIX_S,SIM_UNIX_S,RATE of a simulation; default: real time",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: write 0 to {_LARGEST_PORT}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
