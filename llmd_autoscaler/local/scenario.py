"""A local run before it starts: which requests will come, for which model, on which fleet."""

from collections.abc import Mapping
from importlib.resources import as_file, files

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.config import load_config, traffic_shares
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.simulator.replay import Replay, read_trace
from llmd_autoscaler.simulator.scenarios import catalog, traffic
from llmd_autoscaler.simulator.virtual import Setup
from llmd_autoscaler.translate.blueprint import Blueprint

_TRACE = "azure_llm_2023_conv.csv.gz"
_PACKAGED = "llmd_autoscaler.local"


def blueprint_of(options: Options) -> Blueprint:
    """What a run runs on: the folder that is named, or what its scenario is about, or the default.

    Raises: ConfigError: there is no such scenario, or something is wrong in the folder.
    """
    if options.config is None and options.scenario is not None:
        packaged = catalog.config_of(catalog.load(options.scenario))
        if packaged is not None:
            with as_file(packaged) as folder:
                return load_config(folder)
    return load_config(options.config)


def replay_of(blueprint: Blueprint, options: Options) -> Replay:
    """The requests of a run: the trace or scenario at its scale, each with its class, as far as is asked for.

    Raises: ConfigError: the trace cannot be read, or the shares of the classes are wrong.
    """
    shares = traffic_shares(blueprint)
    replay = _recorded_or_drawn(options).scaled(options.rate_scale)
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


def _recorded_or_drawn(options: Options) -> Replay:
    if options.scenario is not None:
        return traffic.replay(catalog.load(options.scenario), seed=options.seed)
    if options.trace is not None:
        return read_trace(options.trace)
    with as_file(files(_PACKAGED).joinpath("data", _TRACE)) as packaged:
        return read_trace(packaged)
