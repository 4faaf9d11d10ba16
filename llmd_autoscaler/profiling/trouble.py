"""What is wrong with a point that is not the engine, each named in a sentence; such a point is not fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmd_autoscaler.engines.vllm import VllmPage
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.regime import is_client_bound

# More than this beyond what our clients read was made for somebody else.
_OTHERS_FRAC = 0.1
_OTHERS_LEAST_TOKENS = 64.0
_MOST_ERRORS_FRAC = 0.02
# Mean step time of the window's halves; a clock that falls under its power limit shows so.
_DRIFT_FRAC = 0.15
_LEAST_LOOKS = 8
_LEAST_HALF_STEPS = 50.0


@dataclass(frozen=True, slots=True)
class Pages:
    """The server's pages at the window's ends, and within it."""

    first: VllmPage
    last: VllmPage
    between: tuple[VllmPage, ...] = ()


def troubles(
    point: Point, pages: Pages, *, n_before: float, errors: Sequence[str]
) -> tuple[str, ...]:
    """Everything that stands against using a point for the engine.

    Args:
        n_before: requests in the engine before the load began.
        errors: what clients were told instead of an answer.
    """
    found = [
        _restarted(pages),
        _refused(point, errors),
        _others(point, n_before),
        _late_client(point),
        _drifted(point, pages),
        _cut_short(point),
    ]
    return tuple(sentence for sentence in found if sentence)


def _restarted(pages: Pages) -> str:
    before, after = pages.first.started_at_s, pages.last.started_at_s
    moved = before is not None and after is not None and after > before + 1.0
    fell = (pages.last.generation_tokens or 0.0) < (pages.first.generation_tokens or 0.0)
    return "the server restarted within the window" if moved or fell else ""


def _refused(point: Point, errors: Sequence[str]) -> str:
    n = len(errors)
    if n == 0 or n <= _MOST_ERRORS_FRAC * (point.clients.n_done + n):
        return ""
    most = max(set(errors), key=errors.count)
    return f"{n} requests were not answered, most often: {most}"


def _others(point: Point, n_before: float) -> str:
    if n_before > 0:
        return f"{n_before:.0f} requests of somebody else were in the engine: profile a server that serves nobody"
    server_tps = point.server.out_tps
    if server_tps is None:
        return ""
    extra = (server_tps - point.clients.out_tps) * point.window_s
    limit = max(_OTHERS_LEAST_TOKENS, _OTHERS_FRAC * point.clients.out_tps * point.window_s)
    # tokens that are still on their way to our own clients are no others'
    on_their_way = 8.0 * (point.load.concurrency or 8)
    if extra > limit + on_their_way and not is_client_bound(point):
        return (
            f"the server gave {server_tps:.0f} tokens/s and our clients got {point.clients.out_tps:.0f}: "
            "somebody else asks it, too"
        )
    return ""


def _late_client(point: Point) -> str:
    if not is_client_bound(point):
        return ""
    client_s, server_s = point.clients.ttft_mean_s or 0.0, point.server.ttft_s or 0.0
    return (
        f"the client is the limit: it sees first tokens after {client_s:.3g} s, the server gave them after "
        f"{server_s:.3g} s"
    )


def _drifted(point: Point, pages: Pages) -> str:
    """Steps that became longer or shorter from one half to the other, under a load that did not change."""
    looks = [page.n_steps for page in pages.between if page.n_steps is not None]
    if len(looks) < _LEAST_LOOKS or point.load.rate_qps is not None or point.load.concurrency == 1:
        return ""
    if any(later < earlier for earlier, later in pairwise(looks)):
        return ""
    middle = len(looks) // 2
    early = (looks[middle] - looks[0]) / middle
    late = (looks[-1] - looks[middle]) / (len(looks) - 1 - middle)
    if min(early, late) * middle < _LEAST_HALF_STEPS or abs(late / early - 1.0) <= _DRIFT_FRAC:
        return ""
    return f"the speed changed by {100 * (late / early - 1.0):+.0f} % within the window: a clock, or a noisy neighbour"


def _cut_short(point: Point) -> str:
    if point.clients.n_done == 0:
        return "no answer ended within the window: it was too short for this load"
    return ""
