"""Routes as the compiled fleet takes them."""

from collections.abc import Sequence

from llmd_autoscaler.core import capacity
from llmd_autoscaler.core.engine.fleet import Routing
from llmd_autoscaler.core.shapes import N_BINS, bin_of
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.core.world import Route


def routing_table(
    classes: Sequence[QosClass],
    targets: Sequence[str],
    routes: Sequence[Route],
    target_of: Sequence[int],
) -> Routing:
    """Routes as the compiled fleet takes them: the first rule of a class whose limit is not below the ISL wins."""
    routing = capacity.free_routing(
        len(classes), target_of, n_rules=max(len(routes), 1), n_targets=len(targets)
    )
    position = {qos.name: c for c, qos in enumerate(classes)}
    for r, route in enumerate(routes):
        c = position[route.class_name]
        last_bin = N_BINS - 1 if route.isl_up_to is None else bin_of(route.isl_up_to)
        for b in range(last_bin + 1):
            if routing.rule_of[c * N_BINS + b] < 0:
                routing.rule_of[c * N_BINS + b] = r
        for g, name in enumerate(targets):
            routing.fraction[r][g] = route.fractions.get(name, 0.0)
    return routing
