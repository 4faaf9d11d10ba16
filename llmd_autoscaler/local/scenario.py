"""A local run before it starts: which requests will come, for which model, on which fleet."""

from collections.abc import Mapping
from importlib.resources import as_file, files

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.config import traffic_shares
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.simulator.replay import Replay, read_trace
from llmd_autoscaler.simulator.virtual import Setup
from llmd_autoscaler.translate.blueprint import Blueprint

_TRACE = "azure_llm_2023_conv.csv.gz"
_PACKAGED = "llmd_autoscaler.local"


def replay_of(blueprint: Blueprint, options: Options) -> Replay:
    """The requests of a run: the trace at its scale, each with its class, as far as is asked for.

    Raises: ConfigError: the trace cannot be read, or the shares of the classes are wrong.
    """
    shares = traffic_shares(blueprint)
    replay = _trace(options).scaled(options.rate_scale)
    if options.until_s is not None:
        replay = replay.until(options.until_s)
    if not len(replay.at_s):
        raise ConfigError(
            f"--rate-scale {options.rate_scale:g} leaves no request: write a larger one"
        )
    # by a request's number: its class does not depend on how much of the trace is replayed
    return replay.with_classes(shares, seed=options.seed)


def setup_of(
    blueprint: Blueprint, replay: Replay, *, seed: int, start: Mapping[str, int] | None = None
) -> Setup:
    """The run as virtual time takes it; without a start size it starts at the minimum."""
    targets = tuple(target.state for target in blueprint.targets)
    return Setup(
        classes=tuple(each.qos for each in blueprint.classes),
        targets=targets,
        replay=replay,
        stock=blueprint.stock,
        start=start or {target.name: target.min_instances for target in targets},
        seed=seed,
    )


def _trace(options: Options) -> Replay:
    if options.trace is not None:
        return read_trace(options.trace)
    with as_file(files(_PACKAGED).joinpath("data", _TRACE)) as packaged:
        return read_trace(packaged)
