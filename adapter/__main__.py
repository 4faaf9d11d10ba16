"""The command `llmd-adapter`: reads its flags and starts the process."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import NoReturn

from adapter.process import run_adapter
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError

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
        clock = Clock.parse(given.clock)
        asyncio.run(
            run_adapter(
                api=given.api,
                host=given.host,
                port=given.port,
                clock=clock,
                namespace=given.namespace,
            )
        )
    except ConfigError as error:
        sys.stderr.write(f"llmd-adapter: {error}\n")
        return _MISUSED
    return 0


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
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8085, help="port to listen on (%(default)s)")
    parser.add_argument("--namespace", default="", help="serve one namespace only; default: all")
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
