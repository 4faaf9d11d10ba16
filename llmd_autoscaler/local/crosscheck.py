"""The load generator's counts beside the router's: they measure the same requests from two sides."""

from collections.abc import Iterator, Sequence

import numpy as np

from llmd_autoscaler.core import score
from llmd_autoscaler.core.slo import QosClass
from llmd_autoscaler.engines.router import RouterPage, read_page
from llmd_autoscaler.errors import ObservationError

_ATTAINED = "all"


def differences(
    page: bytes, model: str, classes: Sequence[QosClass], answers: score.Answers
) -> tuple[str, ...]:
    """One sentence for each class whose counts are not the same on both sides; none where all agree."""
    try:
        found = read_page(page)
    except ObservationError as error:
        return (f"its counts could not be read: {error}",)
    attained = score.attained(classes, answers)
    return tuple(
        sentence
        for c, qos in enumerate(classes)
        for sentence in _of_class(found, (model, qos.name), attained[answers.class_of == c])
    )


def _of_class(
    page: RouterPage, key: tuple[str, str], attained: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Iterator[str]:
    arrived = int(sum(n for cell, n in page.arrivals.items() if cell[:2] == key))
    kept = int(page.attained.get((*key, _ATTAINED), 0.0))
    for word, theirs, ours in (
        ("arrived", arrived, len(attained)),
        ("attained", kept, int(np.count_nonzero(attained))),
    ):
        if theirs != ours:
            yield f"{key[1]}: {theirs:,} {word} by its count, {ours:,} by the load generator's"
