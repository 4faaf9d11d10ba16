"""The two closed forms of a segment: when its steps end, and what the API server then has to do."""

from llmd_autoscaler.core.engine.compiled import kernel


@kernel
def boundary_s(at: float, step_s: float, growth_s: float, steps: int) -> float:
    """When a number of steps from `at` are done: an arithmetic series."""
    return at + steps * step_s + growth_s * (steps * (steps - 1)) * 0.5


@kernel
def drained_s(backlog_s: float, work_s: float, elapsed_s: float) -> float:
    """The API server's backlog after some work came and some time went; never below 0."""
    return max(0.0, backlog_s + work_s - elapsed_s)
