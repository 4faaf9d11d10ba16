"""What our controller decides for beside Deployments, under the roles that we ship (check 17)."""

import asyncio
import uuid

import pytest

from tests.controlplane.api import MERGE
from tests.e2e.identity import NAMESPACE, apply_roles
from tests.e2e.model import workload
from tests.e2e.scalable_kind import ScalableKind, installed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("controller")]

VARIANT = "VariantAutoscaling"
TARGET, GROUP = "autoscaling.llmd.ai/target", "autoscaling.llmd.ai/group"
ROLES = "/apis/rbac.authorization.k8s.io/v1"


async def stateful_set(model, name, replicas, *, owner=None, labels=None):
    body = workload(name, replicas, labels)
    body["spec"] |= {"serviceName": name, "podManagementPolicy": "Parallel"}
    if owner is not None:
        reference = {key: owner[key] for key in ("apiVersion", "kind")}
        reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
        body["metadata"]["ownerReferences"] = [reference | {"controller": True}]
    return await model.site.api.call("POST", model.site.path("apps/v1", "statefulsets"), body)


async def labels_of(model, app):
    """Whose each pod is and what it does, as far as it says so."""
    path = model.site.path("v1", "pods") + f"?labelSelector=app%3D{app}"
    pods = (await model.site.api.get(path))["items"]
    return [
        (each["metadata"]["labels"].get(TARGET), each["metadata"]["labels"].get(GROUP))
        for each in pods
    ]


async def until_labelled(model, app, wanted):
    async def are_labelled():
        return await labels_of(model, app) == wanted

    await model.site.until(are_labelled)


async def test_a_stateful_set_is_decided_for_and_lands_on_the_number_also_by_one_above_ten(model):
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "set"}
    scale = model.site.path("apps/v1", "statefulsets", "set") + "/scale"
    await stateful_set(model, "set", 2)
    await model.variant("set", hold=2, scaleTargetRef=reference)
    await model.site.autoscale("set", scaleTargetRef=reference)
    await model.says(VARIANT, "set", "TargetResolved", 'True Resolved StatefulSet "set": 2 ready')
    await model.says(VARIANT, "set", "HPAHealthy", "True Follows")
    for desired in (11, 12, 3):
        await model.hold("set", desired)

        async def is_there(wanted=desired):
            return (await model.site.api.get(scale))["spec"]["replicas"] == wanted

        await model.site.until(is_there)
    await model.says(VARIANT, "set", "TargetResolved", 'True Resolved StatefulSet "set": 3 ready')
    await until_labelled(model, "set", [("set", "mixed")] * 3)


LEADER_WORKER_SET = ("leaderworkerset.x-k8s.io", "leaderworkersets", "LeaderWorkerSet")
# names of its own for each run: a kind takes its time to go
SOMEBODYS = ("example.com", f"engines{(END := uuid.uuid4().hex[:6])}", f"Engine{END}")
UNSELECTED = ("example.com", f"boats{END}", f"Boat{END}")
WITHOUT_SELECTOR = ("example.com", f"carts{END}", f"Cart{END}")


@pytest.fixture
async def kind(request, site, plane):
    """A kind with a /scale, installed; one whose scale has no selector, where it is of that name."""
    made = ScalableKind(site, *request.param)
    has_selector = request.param is not WITHOUT_SELECTOR
    async with installed(site, plane, made, has_selector=has_selector) as found:
        if found.group == SOMEBODYS[0]:
            await allow(site, found)
        yield found


async def allow(site, kind):
    """What manifests/base/controller/rbac.yaml tells the owner of another kind to add: the same verbs, bound to us."""
    name = f"llmd-controller-{kind.plural}"
    rule = {"apiGroups": [kind.group], "resources": [f"{kind.plural}/scale"], "verbs": ["get"]}
    role = {"metadata": {"name": name}, "rules": [rule]}
    subject = {"kind": "ServiceAccount", "name": "llmd-controller", "namespace": NAMESPACE}
    group = "rbac.authorization.k8s.io"
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    await site.api.call("POST", f"{ROLES}/clusterroles", role)
    await site.api.call("POST", f"{ROLES}/clusterrolebindings", binding)
    await until_allowed(site, "get", kind.group, kind.plural)


async def until_allowed(site, verb, group, plural):
    """The API server takes a moment to know of a new role; whoever asked before it would be refused."""
    asked = {"namespace": site.namespace, "verb": verb, "group": group, "resource": plural}
    user = f"system:serviceaccount:{NAMESPACE}:llmd-controller"
    spec = {"user": user, "resourceAttributes": asked | {"subresource": "scale"}}

    async def is_allowed():
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        review = await site.api.call("POST", path, {"spec": spec})
        return review["status"]["allowed"]

    await site.until(is_allowed)


@pytest.mark.parametrize(
    "kind", [LEADER_WORKER_SET, SOMEBODYS], indirect=True, ids=["LeaderWorkerSet", "any other"]
)
async def test_a_kind_with_a_scale_is_decided_for_by_group_and_lands_on_the_number(model, kind):
    """A leader answers for its group: it is the instance, and no request goes to its workers."""
    made = await kind.create("lws", 2, selector="app=leaders")
    await stateful_set(model, "lws", 2, owner=made, labels={"app": "leaders"})
    await model.variant("lws", hold=2, scaleTargetRef=kind.reference("lws"))
    await model.site.autoscale("lws", scaleTargetRef=kind.reference("lws"))
    await model.says(VARIANT, "lws", "TargetResolved", f'True Resolved {kind.kind} "lws": 2 ready')
    leader = await model.site.api.get(model.site.path("v1", "pods", "lws-0"))
    leader |= {"apiVersion": "v1", "kind": "Pod"}
    await stateful_set(model, "lws-0", 1, owner=leader, labels={"app": "workers"})
    await until_labelled(model, "leaders", [("lws", "mixed")] * 2)
    await until_labelled(model, "workers", [("lws", None)])
    await model.says(VARIANT, "lws", "HPAHealthy", "True Follows")
    await model.hold("lws", 4)

    async def is_four():
        return await kind.replicas("lws") == 4

    await model.site.until(is_four)
    # the test is the controller of this kind
    await kind.shows("lws", 4, selector="app=leaders")
    leaders = model.site.path("apps/v1", "statefulsets", "lws")
    await model.site.api.call("PATCH", leaders, {"spec": {"replicas": 4}}, kind=MERGE)
    await model.says(VARIANT, "lws", "TargetResolved", f'True Resolved {kind.kind} "lws": 4 ready')


@pytest.mark.parametrize("kind", [UNSELECTED], indirect=True, ids=["any kind"])
async def test_a_selector_that_selects_none_of_its_pods_is_said_and_changes_no_number(model, kind):
    made = await kind.create("lost", 2, selector="app=nobody")
    await stateful_set(model, "lost", 2, owner=made, labels={"app": "leaders"})
    await model.variant("lost", hold=2, scaleTargetRef=kind.reference("lost"))
    await model.site.autoscale("lost", scaleTargetRef=kind.reference("lost"))
    said = await model.says(VARIANT, "lost", "TargetResolved", "False SelectsNothing")
    assert "lost-0" in said
    assert await kind.replicas("lost") == 2
    await kind.shows("lost", 2, selector="app=leaders")
    await model.says(VARIANT, "lost", "TargetResolved", f'True Resolved {kind.kind} "lost": 2')
    assert await kind.replicas("lost") == 2


@pytest.mark.parametrize("kind", [WITHOUT_SELECTOR], indirect=True, ids=["any kind"])
async def test_a_scale_without_a_selector_is_said_and_changes_no_number(model, kind):
    made = await kind.create("bare", 2, selector="")
    await model.variant("bare", hold=4, scaleTargetRef=kind.reference("bare"))
    await model.site.autoscale("bare", scaleTargetRef=kind.reference("bare"))
    await model.says(VARIANT, "bare", "HPAHealthy", "False HPAInvalidSelector")
    await stateful_set(model, "bare", 2, owner=made, labels={"app": "leaders"})
    await model.says(VARIANT, "bare", "TargetResolved", "False SelectsNothing", "labelSelectorPath")
    assert await kind.replicas("bare") == 2


@pytest.fixture
async def direct(site, plane):
    """The right to write /scale, which the base does not give, as long as a test lasts."""
    await asyncio.to_thread(apply_roles, plane, "components/direct-actuation/rbac.yaml")
    for plural in ("deployments", "statefulsets"):
        await until_allowed(site, "patch", "apps", plural)
    yield
    for plural in ("clusterrolebindings", "clusterroles"):
        await site.api.call("DELETE", f"{ROLES}/{plural}/llmd-controller-scale")


@pytest.mark.usefixtures("direct")
@pytest.mark.parametrize("kind_name", ["Deployment", "StatefulSet"])
async def test_with_direct_actuation_the_number_is_written_without_an_hpa_and_one_beside_it_is_named(
    model, kind_name
):
    reference = {"apiVersion": "apps/v1", "kind": kind_name, "name": "direct"}
    if kind_name == "Deployment":
        await model.deployment("direct", 1)
    else:
        await stateful_set(model, "direct", 1)
    await model.variant("direct", hold=12, scaleTargetRef=reference, actuation="Direct")
    await model.says(VARIANT, "direct", "TargetResolved", f'{kind_name} "direct": 12 ready')
    await model.says(VARIANT, "direct", "HPAHealthy", "True NotUsed")
    events = (await model.site.api.get(model.site.path("v1", "events")))["items"]
    said = [each["message"] for each in events if each["reason"] == "Scaled"]
    assert "wrote 12 replicas instead of 1 to /scale" in said
    await model.site.autoscale("direct", scaleTargetRef=reference)
    await model.says(VARIANT, "direct", "HPAHealthy", "False HPABesideDirect", '"direct"')
