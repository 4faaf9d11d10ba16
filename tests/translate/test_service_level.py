"""Classes of a ServiceLevel as the core takes them."""

import math
from pathlib import Path

from llmd_autoscaler.core.slo import Bounds, QosClass
from llmd_autoscaler.translate.service_level import qos_classes
from llmd_autoscaler.translate.yaml_file import load_resources
from models.service_level import ServiceLevel

EXAMPLE = Path(__file__).parents[1] / "data/api.yaml"


def test_the_classes_keep_their_order_and_are_in_seconds():
    level = load_resources(EXAMPLE)[0]
    assert isinstance(level, ServiceLevel)
    assert qos_classes(level.spec) == (
        QosClass(
            name="interactive",
            priority=100,
            percentile_frac=0.99,
            # 500 ms a thousand prompt tokens
            bounds=Bounds(ttft_max_s=1.0, ttft_per_prompt_token_s=0.0005, tpot_max_s=0.08),
        ),
        QosClass(name="relaxed", priority=50, percentile_frac=0.95, bounds=Bounds(e2e_max_s=60.0)),
        QosClass(
            name="overnight", priority=0, percentile_frac=0.99, bounds=Bounds(deadline_s=21_600.0)
        ),
    )


def test_a_bound_that_is_not_named_never_fails_a_request():
    level = load_resources(EXAMPLE)[0]
    assert isinstance(level, ServiceLevel)
    assert qos_classes(level.spec)[1].bounds.ttft_bound_s(100_000) == math.inf
