"""Hardware is data: accelerators of three other makers, in the catalogue as files, planned with by the code as it is."""

import re

import numpy as np
import pytest

from llmd_autoscaler.core.decide import decide
from llmd_autoscaler.core.world import Decision, Memory
from llmd_autoscaler.profiling.point import Load, Shape
from llmd_autoscaler.profiling.prediction import predict
from llmd_autoscaler.translate.profile import engine_profile, load_catalog
from tests.core.worlds import QUICK, target, world
from tests.docs.markdown import ROOT

OTHERS = ("llama-3.1-8b-mi300x", "llama-3.1-8b-tpu-v6e", "llama-3.1-8b-gaudi3")
SOURCE = "llama-3.1-8b-h100"
CODE = sorted((ROOT / "llmd_autoscaler").rglob("*.py"))


def decided(qps: float, *targets) -> Decision:
    """What is decided after five minutes of one rate."""
    memory, decision = None, None
    for now_s in np.arange(0.0, 300.0, 15.0):
        it = world(float(now_s), qps * now_s, *targets)
        decision, memory = decide(it, memory or Memory.fresh(it), QUICK)
    assert decision is not None
    return decision


def on(name: str, *, usd_per_hour: float):
    """A target of a profile of the catalogue."""
    profile = engine_profile(load_catalog(name).spec)
    return target(name, profile=profile, usd_per_hour=usd_per_hour, limits=(0, 40))


@pytest.mark.parametrize("name", OTHERS)
class TestProfile:
    def test_it_says_that_it_is_predicted_and_from_what(self, name):
        spec = load_catalog(name).spec
        assert spec.trust.value == "predicted"
        assert spec.provenance.source.startswith(f"Scaled from {SOURCE} ")
        assert "No truth is known of an accelerator by" in spec.provenance.source

    def test_it_predicts_a_load(self, name):
        found = predict(engine_profile(load_catalog(name).spec), Load((Shape(1024, 128),), 8))
        assert 0.0 < found.itl_mean_s < found.ttft_p50_s < found.e2e_p50_s

    def test_instances_of_it_are_planned(self, name):
        few, many = (decided(qps, on(name, usd_per_hour=2.0)) for qps in (2.0, 100.0))
        assert few.predicted is not None
        assert 1 <= few.targets[0].desired < many.targets[0].desired


@pytest.mark.parametrize("cheap", OTHERS)
def test_a_mix_is_of_the_accelerator_that_carries_the_load_for_least(cheap):
    # a TPU v6e holds a thirteenth of an MI300X's tokens: seven of them carry what one MI300X does, for 7 against 50
    targets = [on(name, usd_per_hour=1.0 if name == cheap else 50.0) for name in OTHERS]
    decision = decided(20.0, *targets)
    assert [t.name for t in decision.targets if t.desired > 0] == [cheap]


def test_no_code_knows_their_names():
    # the help of a flag may name an example
    named = re.compile(r"MI300X|CDNA|Gaudi|TPU|\bAMD\b")
    found = [p.name for p in CODE if p.parent.name != "cli" and named.search(p.read_text())]
    assert found == []
