"""The flags that name what is profiled: `fit` and `profile` write them into the profile."""

import argparse
from pathlib import Path

from llmd_autoscaler.cli.parser import above_zero
from llmd_autoscaler.profiling.given import Given


def add_variant(parser: argparse.ArgumentParser) -> None:
    """What no server says of itself, and what a points file does not hold."""
    group = parser.add_argument_group("what is profiled")
    group.add_argument("--name", default="", help="the profile's name; default: that of --out")
    group.add_argument("--model", default="", help="the model's name, as clients name it")
    group.add_argument("--accelerator", default="", help="accelerator, such as H100-80GB")
    group.add_argument(
        "--accelerator-count", type=_count, metavar="N", help="accelerators of one instance"
    )
    group.add_argument("--engine-version", default="", help="version of vLLM")
    group.add_argument("--kv-tokens", type=_count, metavar="N", help="tokens of the KV cache")
    group.add_argument("--max-num-batched-tokens", type=_count, metavar="N", help="as vLLM's flag")
    group.add_argument("--max-num-seqs", type=_count, metavar="N", help="as vLLM's flag")
    group.add_argument("--api-servers", type=_count, metavar="N", help="API server processes")
    group.add_argument("--precision", default="", help="such as bf16")
    group.add_argument("--weights", choices=("real", "dummy"), help="dummy where they are random")
    group.add_argument(
        "--startup",
        type=above_zero,
        metavar="SECONDS",
        help="median time from the start of an instance to its first request",
    )


def variant_of(given: argparse.Namespace, *, out: Path) -> Given:
    """The flags of a command line."""
    return Given(
        # a file may be called what a resource may not
        name=given.name or out.name.removesuffix(".yaml").lower().replace("_", "-"),
        like=given.like or "",
        model=given.model,
        accelerator=given.accelerator,
        accelerator_count=given.accelerator_count,
        engine_version=given.engine_version,
        kv_tokens=given.kv_tokens,
        max_num_batched_tokens=given.max_num_batched_tokens,
        max_num_seqs=given.max_num_seqs,
        api_servers=given.api_servers,
        precision=given.precision,
        weights=given.weights,
        startup_s=given.startup,
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)
