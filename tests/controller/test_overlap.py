"""Selectors that select the pods of others: found by their labels, and no fewer than by trying all with all."""

import itertools
import random

import pytest

from llmd_autoscaler.controller.overlap import overlaps
from llmd_autoscaler.controller.pods import Pod
from llmd_autoscaler.controller.selector import selects


def pod(name, **labels):
    return Pod(
        namespace="a", name=name, ip="", labels=labels, owner=None, is_ready=True, is_draining=False
    )


def by_trying_all(selectors, pods):
    """Whoever selects the first pod of another in its namespace, and whoever is selected so."""
    pairs = (
        (one, other)
        for one, other in itertools.permutations(selectors, 2)
        if one[0] == other[0] and pods.get(other) and selects(selectors[one], pods[other][0].labels)
    )
    return {key for pair in pairs for key in pair}


def drawn(rng):
    """A selector of labels, of expressions, of both or of nothing, and pods that carry a few labels."""
    labels = {name: rng.choice("xy") for name in rng.sample("abc", rng.randrange(3))}
    wanted = {"key": rng.choice("abc"), "operator": rng.choice(["In", "NotIn"]), "values": ["x"]}
    selector = {"matchLabels": labels, "matchExpressions": rng.choice([[], [wanted]])}
    own = {name: rng.choice("xy") for name in rng.sample("abc", 2)}
    return selector, rng.choice([(), (pod("p", **own),)])


@pytest.mark.parametrize("seed", range(20))
def test_those_are_found_that_trying_all_with_all_finds(seed):
    rng = random.Random(seed)
    selectors, pods = {}, {}
    for i in range(12):
        key = (rng.choice("nm"), f"v{i:02d}")
        selectors[key], pods[key] = drawn(rng)
    found = overlaps(selectors, pods)
    assert set(found) == by_trying_all(selectors, pods)


def test_a_pod_of_another_namespace_is_nobodys_overlap():
    wide = {"matchLabels": {"app": "llm"}}
    pods = {("n", "one"): [pod("one-1", app="llm")], ("m", "two"): [pod("two-1", app="llm")]}
    assert overlaps(dict.fromkeys(pods, wide), pods) == {}


def test_the_sentence_names_both_and_a_pod():
    selectors = {
        ("n", "wide"): {"matchLabels": {"app": "llm"}},
        ("n", "narrow"): {"matchLabels": {"app": "llm", "of": "narrow"}},
    }
    pods = {
        ("n", "wide"): [pod("wide-1", app="llm")],
        ("n", "narrow"): [pod("narrow-1", app="llm", of="narrow")],
    }
    found = overlaps(selectors, pods)
    assert set(found) == set(selectors)
    assert all("narrow-1" in each.message for each in found.values())
