"""Flags: an argument parser that says what is wrong in one line, and the flags that several commands share."""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

PROGRAM = "llmd-autoscaler"
_MISUSED = 2
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Command:
    """What a command does with its flags."""

    run: Callable[[argparse.Namespace], int]
    computes: bool = False
    """Whether it, or a child of it, runs the compiled engine."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line: the usage would bury the sentence."""

    def error(self, message: str) -> NoReturn:  # type: ignore[explicit-override]  # typing has it from 3.12 on
        """End with 2 and the sentence."""
        self.exit(_MISUSED, f"{self.prog}: {message}; see {self.prog} --help\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 (its only name)


def add_clock(parser: argparse.ArgumentParser) -> None:
    """`--clock`, which every process of a simulation takes."""
    parser.add_argument(
        "--clock",
        default="",
        metavar="WALL_UNIX_S,SIM_UNIX_S,RATE",
        help="the clock of a simulation; default: real time",
    )


def add_api(parser: argparse.ArgumentParser) -> None:
    """`--api`, for whoever speaks to a Kubernetes API."""
    parser.add_argument(
        "--api",
        type=address,
        default="",
        metavar="URL",
        help="address of the API server; default: the cluster that this runs in, or the kubeconfig",
    )


def add_listen(parser: argparse.ArgumentParser, *, default_port: int) -> None:
    """`--host` and `--port`; a default port that is taken moves on to the next free one."""
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="listen here (%(default)s)"
    )
    parser.add_argument(
        "--port",
        type=port,
        default=None,
        help=f"port to listen on; default: {default_port}, or the next free one",
    )


def address(text: str) -> str:
    """The address of an HTTP server, as argparse takes a type; nothing is the default's business.

    Raises: argparse.ArgumentTypeError: it is none.
    """
    scheme, _, rest = text.partition("://")
    if text and (scheme not in {"http", "https"} or not rest.strip("/")):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address: write one such as http://127.0.0.1:8080"
        )
    return text


def port(text: str) -> int:
    """A port number, as argparse takes a type.

    Raises: argparse.ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) > _LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: write 0 to {_LARGEST_PORT}")
    return int(text)


def above_zero(text: str) -> float:
    """A number above 0, as argparse takes a type.

    Raises: argparse.ArgumentTypeError: it is none.
    """
    value = _number(text)
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def zero_or_more(text: str) -> float:
    """A number that is not negative, as argparse takes a type.

    Raises: argparse.ArgumentTypeError: it is none.
    """
    value = _number(text)
    if not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return value


def _number(text: str) -> float:
    """The number of a text; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
