"""The cases of the comparison: traffic, fleet limits, and how closely each is looked at."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.scenario import blueprint_of, replay_of, setup_of
from llmd_autoscaler.simulator import servegen
from llmd_autoscaler.simulator.replay import Replay, read_trace
from llmd_autoscaler.simulator.scenarios import catalog
from llmd_autoscaler.simulator.virtual import Setup

SEEDS = (1, 2, 3)
_DATA = Path(__file__).parent / "data"
_SHARES = (0.7, 0.3)  # interactive and relaxed, as in the default
# A whole day takes a policy two minutes, and there are a hundred to play.
_DAY_PART_S = 8 * 3600.0
# Fleet sizes of the days and the hour. The rate scales below make the best static fleet five to eleven of them.
_LIMITS = (3, 12)


@dataclass(frozen=True, slots=True)
class Case:
    """One traffic on one fleet."""

    name: str
    about: str
    setup: Callable[[int], Setup]
    """By seed."""
    is_long: bool = False
    """Hours of traffic: fewer settings are tried."""
    is_scenario: bool = False


def cases() -> list[Case]:
    """All of them, the long ones first: they keep the workers busy longest."""
    return [
        Case(
            "servegen-m-large",
            "ServeGen m-large, the busiest eight hours of a bursty day, at 0.03 of its rate",
            functools.partial(_day, "servegen-m-large-day.json.gz", 0.03),
            is_long=True,
        ),
        Case(
            "servegen-m-mid",
            "ServeGen m-mid, the busiest eight hours of a bursty day, at 0.006 of its rate",
            functools.partial(_day, "servegen-m-mid-day.json.gz", 0.006),
            is_long=True,
        ),
        Case("default", "the default run: Azure 2023 conversation, rate x 1.7", _default),
        Case("mooncake", "Mooncake conversation, one hour at a quarter of its rate", _mooncake),
        *(
            Case(
                name, catalog.load(name).about, functools.partial(_scenario, name), is_scenario=True
            )
            for name in catalog.names()
        ),
    ]


def _default(seed: int) -> Setup:
    options = Options(seed=seed)
    blueprint = blueprint_of(options)
    return setup_of(blueprint, replay_of(blueprint, options), seed=seed)


def _scenario(name: str, seed: int) -> Setup:
    options = Options(scenario=name, rate_scale=1.0, seed=seed)
    blueprint = blueprint_of(options)
    return setup_of(blueprint, replay_of(blueprint, options), seed=seed)


def _day(file: str, rate_scale: float, seed: int) -> Setup:
    day = servegen.replay(_DATA / file, seed=seed, rate_scale=rate_scale)
    return _on_default_fleet(day.busiest(_DAY_PART_S), seed)


def _mooncake(seed: int) -> Setup:
    return _on_default_fleet(
        read_trace(_DATA / "mooncake-conversation.jsonl.gz").scaled(0.25), seed
    )


def _on_default_fleet(replay: Replay, seed: int) -> Setup:
    """Traffic on the default variant and classes, within the issue's fleet sizes."""
    blueprint = blueprint_of(Options())
    setup = setup_of(blueprint, replay.with_classes(_SHARES, seed=seed), seed=seed)
    low, high = _LIMITS
    targets = tuple(
        dataclasses.replace(target, min_instances=low, max_instances=high)
        for target in setup.targets
    )
    return dataclasses.replace(setup, targets=targets, start={t.name: low for t in targets})
