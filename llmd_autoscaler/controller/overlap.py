"""Deployments whose selectors select each other's pods: we tell those apart by owner, others do not."""

from collections.abc import Iterator, Mapping, Sequence

from llmd_autoscaler.controller.pods import Pod
from llmd_autoscaler.controller.readings import Key
from llmd_autoscaler.controller.selector import selects
from llmd_autoscaler.translate.condition import TRUE, Finding
from llmd_autoscaler.translate.json_object import Json, child

_Label = tuple[str, str]  # namespace, and name=value; an empty text stands for every pod


def overlaps(
    selectors: Mapping[Key, Json], pods: Mapping[Key, Sequence[Pod]]
) -> dict[Key, Finding]:
    """What is said of each variant whose pods another's Deployment selects, or the other way round.

    Args:
        selectors: of the variants' Deployments.
        pods: of the variants, each owned by its Deployment.
    """
    found: dict[Key, Finding] = {}
    for one, other, pod in _strangers(selectors, pods):
        message = (
            f'the selector of the target of "{one[1]}" selects pods of the target of "{other[1]}" too, such as {pod.name}; '
            "each is counted once, by its owner, but an HPA counts by selector: "
            "give each Deployment a label of its own in its selector and its pods"
        )
        for key in (one, other):
            found.setdefault(key, Finding("Conflict", TRUE, "OverlappingSelectors", message))
    return found


def _strangers(
    selectors: Mapping[Key, Json], pods: Mapping[Key, Sequence[Pod]]
) -> Iterator[tuple[Key, Key, Pod]]:
    """(selecting, selected, one pod); the pods of a Deployment are labelled alike, so one stands for all."""
    first = {key: of_variant[0] for key, of_variant in sorted(pods.items()) if of_variant}
    by_label = _by_label(first)
    for one, selector in sorted(selectors.items()):
        for other in _candidates(one[0], selector, by_label):
            if other != one and selects(selector, first[other].labels):
                yield one, other, first[other]


def _by_label(pods: Mapping[Key, Pod]) -> Mapping[_Label, Sequence[Key]]:
    """Whose pods have a label, and whose are in a namespace at all: trying all with all would be a million a tick."""
    found: dict[_Label, list[Key]] = {}
    for key, pod in pods.items():
        for label in ("", *(f"{name}={value}" for name, value in pod.labels.items())):
            found.setdefault((key[0], label), []).append(key)
    return found


def _candidates(
    namespace: str, selector: Json, by_label: Mapping[_Label, Sequence[Key]]
) -> Sequence[Key]:
    """Whose pods a selector may select: those that have the rarest of the labels that it asks for."""
    wanted = [f"{name}={value}" for name, value in child(selector, "matchLabels").items()]
    return min((by_label.get((namespace, each), ()) for each in wanted or [""]), key=len)
