"""The aggregated API through the real aggregator (checks 1, 2, 3, 19)."""

import pytest

from tests.controlplane.api import ApiError
from tests.e2e.adapter import GROUP, VERSIONS, api_service, loopback_service

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture
async def decided(site):
    """A variant of four with a decision."""
    await site.declare("v")
    await site.publish("v", 4)

    async def is_served():
        try:
            return await site.value("v") == "4"
        except ApiError:
            return False

    await site.until(is_served)
    return site


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_version_is_available_over_verified_tls(plane, adapter, version):
    assert adapter.available(version) == "True"
    _, found = plane.request("GET", f"{SERVICES}/{version}.{GROUP}")
    assert found["spec"]["caBundle"]
    assert "insecureSkipTLSVerify" not in found["spec"]


async def test_a_certificate_for_another_name_is_not_believed(site, adapter):
    """Whoever takes the adapter's place in the network must have its key, too."""
    other = {"namespace": site.namespace, "name": "other", "port": adapter.door_port}
    await site.api.call("POST", site.path("v1", "services"), loopback_service("other"))
    body = api_service("v1", f"{site.namespace}.example.com", other, adapter.authority.pem)
    await site.api.call("POST", SERVICES, body)
    where = f"{SERVICES}/{body['metadata']['name']}"
    try:

        async def is_refused():
            conditions = (await site.api.get(where)).get("status", {}).get("conditions", [])
            said = next((each for each in conditions if each["type"] == "Available"), {})
            is_for_the_name = "certificate is valid for" in said.get("message", "")
            return said.get("reason") == "FailedDiscoveryCheck" and is_for_the_name

        await site.until(is_refused)
    finally:
        # a group that nobody answers for would keep every namespace from its end
        await site.api.call("DELETE", where)


async def test_both_versions_serve_the_value_in_their_own_words(decided):
    newer = await decided.api.get(decided.metric("v", version="v1beta2"))
    older = await decided.api.get(decided.metric("v", version="v1beta1"))
    assert newer["items"][0]["metric"] == {"name": "desired_replicas", "selector": None}
    assert older["items"][0]["metricName"] == "desired_replicas"
    assert newer["items"][0]["value"] == older["items"][0]["value"] == "4"


@pytest.mark.usefixtures("adapter")
async def test_the_newer_version_is_preferred(api):
    found = await api.get(f"/apis/{GROUP}")
    assert found["preferredVersion"]["version"] == "v1beta2"


async def test_the_merged_discovery_of_the_server_lists_our_metrics_as_current(site):
    """Check 3: kubectl, the namespace controller and the garbage collector read this."""

    async def ours():
        document = await site.api.call("GET", "/apis", accept=AGGREGATED)
        return next((e for e in document["items"] if e["metadata"]["name"] == GROUP), {})

    async def is_current():
        versions = (await ours()).get("versions", [])
        return [each.get("freshness") for each in versions] == ["Current", "Current"]

    await site.until(is_current)
    for version in (await ours())["versions"]:
        [parent] = version["resources"]
        assert parent["resource"] == "variantautoscalings.autoscaling.llmd.ai"
        assert "desired_replicas" in {each["subresource"] for each in parent["subresources"]}


async def test_all_objects_of_a_selector_are_one_list(decided):
    """The star arrives as %2A from Go's clients."""
    path = decided.metric("%2A")
    found = await decided.api.get(path)
    assert [item["describedObject"]["name"] for item in found["items"]] == ["v"]


@pytest.mark.parametrize(
    ("selector", "is_found"),
    [
        ("app%3Dx", False),
        ("app%21%3Dx", True),
        ("app+in+%28x%29", False),
        ("app+notin+%28x%29", True),
        ("app", False),
        ("%21app", True),
    ],
)
async def test_a_selector_is_read_as_kubernetes_reads_it(decided, selector, is_found):
    path = f"{decided.metric('%2A')}?labelSelector={selector}"
    if is_found:
        assert len((await decided.api.get(path))["items"]) == 1
    else:
        with pytest.raises(ApiError, match="matches the labelSelector") as failure:
            await decided.api.get(path)
        assert failure.value.code == 404


@pytest.mark.parametrize(
    "tail", ["v/no_such_metric", "absent/desired_replicas", "v/desired_replicas/more"]
)
async def test_what_is_not_there_is_a_status_that_says_so(decided, tail):
    name, _, metric = tail.partition("/")
    with pytest.raises(ApiError) as failure:
        await decided.api.get(decided.metric(name, metric))
    assert failure.value.code == 404


async def test_an_answer_is_json_whatever_the_caller_would_rather_have(decided):
    """The HPA asks for protobuf first."""
    accept = "application/vnd.kubernetes.protobuf, */*"
    found = await decided.api.call("GET", decided.metric("v"), accept=accept)
    assert found["kind"] == "MetricValueList"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_but_reading_is_allowed(decided, method):
    with pytest.raises(ApiError) as failure:
        await decided.api.call(method, decided.metric("v"), {})
    assert failure.value.code == 405
