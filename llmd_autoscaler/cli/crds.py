"""`crds`: the definitions of our kinds, as kubectl applies them."""

import argparse
import sys
from pathlib import Path

from llmd_autoscaler.cli.parser import Command, Commands
from llmd_autoscaler.errors import ConfigError


def add_to(commands: Commands) -> None:
    """The command and its flags."""
    about = "print the CustomResourceDefinitions of our four kinds, or write them to a folder"
    parser = commands.add_parser("crds", help=about, description=about, allow_abbrev=False)
    parser.add_argument(
        "--out",
        type=Path,
        default=None,
        metavar="DIR",
        help="write one file a kind here; default: print all, ready for kubectl apply -f -",
    )
    parser.set_defaults(command=Command(_run))


def _run(given: argparse.Namespace) -> int:
    from llmd_autoscaler.translate.crd import files  # noqa: PLC0415

    if given.out is None:
        sys.stdout.write("---\n".join(files().values()))
        return 0
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        for name, written in files().items():
            (given.out / name).write_text(written, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write to {given.out} ({error.strerror}): give a folder that can be written"
        ) from error
    return 0
