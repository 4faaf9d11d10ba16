"""Calls every kernel of the engine once, which compiles it and keeps it on disk."""

import numpy as np

from llmd_autoscaler.core.engine.instance import Engine
from llmd_autoscaler.local.config import load_config
from llmd_autoscaler.local.scenario import setup_of
from llmd_autoscaler.simulator.replay import Replay
from llmd_autoscaler.simulator.virtual import run

_N_REQUESTS = 400
_DURATION_S = (
    600.0  # past the controller's first look and its full window, so that it plans and verifies
)
_ISL_TOKENS, _OSL_TOKENS = 1000, 200


def warm() -> None:
    """A short run in virtual time, and one request through the engine of a simulated server."""
    blueprint = load_config()
    replay = Replay(
        at_s=np.linspace(0.0, _DURATION_S, _N_REQUESTS),
        isl=np.full(_N_REQUESTS, _ISL_TOKENS, dtype=np.int64),
        osl=np.full(_N_REQUESTS, _OSL_TOKENS, dtype=np.int64),
        class_of=np.arange(_N_REQUESTS, dtype=np.int64) % len(blueprint.classes),
    )
    run(setup_of(blueprint, replay, seed=1))
    engine = Engine(blueprint.targets[0].state.profile, now_s=0.0)
    served, aborted = (engine.submit(arrival_s=0.0, isl=1, osl=2) for _ in range(2))
    engine.abort(aborted, now_s=0.0)
    engine.advance(_DURATION_S)
    engine.stamps(served, 0, until_s=_DURATION_S)
