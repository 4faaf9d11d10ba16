"""What limits and shares of accelerators leave each model beside the others. Pure."""

import math
from collections.abc import Mapping, Sequence

from llmd_autoscaler.controller.ports import ModelKey
from llmd_autoscaler.core.world import TargetState
from llmd_autoscaler.translate.world import Stock


def stock_left(
    by_model: Mapping[ModelKey, Sequence[TargetState]], stocks: Mapping[str, Stock]
) -> dict[ModelKey, dict[str, int]]:
    """Accelerators that each model may use, by kind; a kind that nobody limits is not there.

    Two models that grow in one tick may both count on the same free accelerator: one of their pods
    then waits for it, and the next tick sees that.
    """
    left: dict[ModelKey, dict[str, int]] = {key: {} for key in by_model}
    for name, stock in stocks.items():
        held = {key: sum(_held(each, name) for each in by_model[key]) for key in by_model}
        of_space: dict[str, int] = {}
        for key, n in held.items():
            of_space[key.namespace] = of_space.get(key.namespace, 0) + n
        total = sum(held.values())
        for key, own in held.items():
            share = stock.shares.get(key.namespace, math.inf)
            free = min(stock.limit - total, share - of_space[key.namespace]) + own
            if math.isfinite(free):
                left[key][name] = max(0, int(free))
    return left


def _held(target: TargetState, accelerator: str) -> int:
    """Accelerators of a kind that a target uses, or has been promised."""
    if target.accelerator != accelerator:
        return 0
    return max(target.desired, target.n_present + target.n_draining) * target.n_accelerators
