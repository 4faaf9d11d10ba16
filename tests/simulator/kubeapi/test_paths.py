import pytest

from llmd_autoscaler.simulator.kubeapi.kinds import (
    ACCELERATOR_STOCK,
    DEPLOYMENT,
    POD,
    VARIANT_AUTOSCALING,
)
from llmd_autoscaler.simulator.kubeapi.paths import Target, parsed
from llmd_autoscaler.simulator.kubeapi.status import ApiError

OURS = "/apis/autoscaling.llmd.ai/v1alpha1"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/pods", Target(POD)),
        ("/api/v1/namespaces/llm/pods", Target(POD, "llm")),
        ("/api/v1/namespaces/llm/pods/a", Target(POD, "llm", "a")),
        (
            "/apis/apps/v1/namespaces/llm/deployments/a/scale",
            Target(DEPLOYMENT, "llm", "a", "scale"),
        ),
        (
            f"{OURS}/namespaces/llm/variantautoscalings/a/status",
            Target(VARIANT_AUTOSCALING, "llm", "a", "status"),
        ),
        (f"{OURS}/acceleratorstocks/h100", Target(ACCELERATOR_STOCK, "", "h100")),
    ],
)
def test_a_path_names_its_collection_object_or_part(path, target):
    assert parsed(path) == target


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1",
        "/api/v2/pods",
        "/apis/apps/v1/daemonsets",
        "/api/v1/pods/a",  # a namespaced object without its namespace
        "/api/v1/namespaces/llm/pods/a/scale",  # pods have no scale
        "/api/v1/namespaces/llm/pods//status",
        f"{OURS}/namespaces/llm/acceleratorstocks",  # cluster scoped
    ],
)
def test_nothing_is_served_elsewhere(path):
    with pytest.raises(ApiError) as failure:
        parsed(path)
    assert failure.value.code == 404
