"""Scale out at once, in only when fewer would have done for a whole window."""

from collections.abc import Mapping, Sequence

from llmd_autoscaler.core.world import Recommendation


def remember(
    recommendations: Sequence[Recommendation],
    instances: Mapping[str, int],
    *,
    now_s: float,
    window_s: float,
) -> tuple[Recommendation, ...]:
    """The recommendations of the window, this one included; a second one at the same moment replaces the first."""
    kept = [r for r in recommendations if now_s - window_s < r.at_s < now_s]
    return (*kept, Recommendation(now_s, dict(instances)))


def stabilized(
    recommendations: Sequence[Recommendation], target: str, *, present: int, has_full_window: bool
) -> int:
    """The number to publish for a target.

    Args:
        recommendations: those of the window, the newest last.
        present: what was last published; 0 where nothing was.
        has_full_window: whether the window was watched from its start; until then nothing is taken away.
    """
    wanted = recommendations[-1].instances[target]
    if not has_full_window:
        return max(wanted, present)
    # The highest number wanted within the window; never more than runs already, unless it is wanted now.
    peak = max(r.instances.get(target, 0) for r in recommendations)
    return max(wanted, min(peak, present))
