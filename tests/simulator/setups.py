"""The default trace and model, cut to what a test can wait for."""

import dataclasses
from functools import cache
from importlib.resources import as_file, files

from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.core.variant import EngineProfile
from llmd_autoscaler.core.world import Policy, TargetState
from llmd_autoscaler.simulator.replay import Replay, read_trace
from llmd_autoscaler.simulator.virtual import Setup
from llmd_autoscaler.translate.profile import engine_profile, lead_time, load_catalog

CLASSES = (
    QosClass(
        "interactive",
        100,
        0.99,
        Bounds(ttft_max_s=1.0, ttft_per_prompt_token_s=0.0005, tpot_max_s=0.080),
    ),
    QosClass("relaxed", 50, 0.95, Bounds(e2e_max_s=60.0)),
)
A100, H100 = "llama-3.1-70b-a100-tp4", "llama-3.1-70b-h100-tp4"
# Enough for a table within a few points; four times as many take four times as long.
POLICY = Policy(n_table_requests=2000, n_verify_requests=500)


@cache
def trace(until_s: float = 600.0) -> Replay:
    """The packaged trace at its default rate, its beginning."""
    packaged = files("llmd_autoscaler.local").joinpath("data", "azure_llm_2023_conv.csv.gz")
    with as_file(packaged) as path:
        return read_trace(path).scaled(1.7).until(until_s).with_classes((0.7, 0.3), seed=1)


@cache
def profile(name: str) -> EngineProfile:
    """A profile of the catalogue."""
    return engine_profile(load_catalog(name).spec)


def target(
    name: str = A100, *, usd_per_hour: float = 14.0, limits: tuple[int, int] = (3, 10)
) -> TargetState:
    """Four accelerators an instance."""
    return TargetState(
        name=name,
        accelerator=name,
        n_accelerators=4,
        usd_per_hour=usd_per_hour,
        min_instances=limits[0],
        max_instances=limits[1],
        profile=profile(name),
        lead=lead_time(load_catalog(name).spec),
        desired=0,
        n_ready=0,
    )


def setup(
    *targets: TargetState,
    start: int = 6,
    replay: Replay | None = None,
    classes: tuple[QosClass, ...] = CLASSES,
) -> Setup:
    """A run of the cut trace that starts with so many instances of each target."""
    found = targets or (target(),)
    return dataclasses.replace(
        Setup(
            classes, found, trace() if replay is None else replay, {t.name: start for t in found}
        ),
        policy=POLICY,
    )
