"""What every test against the real control plane has: a namespace of its own, pods that start, and the adapter."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.controlplane.api import Api
from tests.controlplane.fake_kubelet import FakeKubelet
from tests.controlplane.plane import ControlPlane
from tests.e2e.adapter import RegisteredAdapter, registered
from tests.e2e.controller import controlling
from tests.e2e.identity import refused
from tests.e2e.kinds import GROUP, PLURALS
from tests.e2e.model import Model
from tests.e2e.site import Site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is in this folder needs the real control plane."""
    for item in items:
        if "tests/e2e/" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
async def api(plane: ControlPlane) -> AsyncIterator[Api]:
    """The API server, as its administrator."""
    async with Api(plane.kubeconfig) as connected:
        yield connected


@pytest.fixture
async def namespace(api: Api) -> str:
    """A namespace of this test; nobody waits for its end, which takes five seconds at least."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture(scope="session")
def adapter(plane: ControlPlane) -> Iterator[RegisteredAdapter]:
    """The adapter as a process, registered for custom.metrics.k8s.io."""
    with registered(plane, is_watched=True) as running:
        yield running


@pytest.fixture
async def site(api: Api, namespace: str, adapter: RegisteredAdapter) -> AsyncIterator[Site]:
    """A namespace whose pods become Ready, with an adapter that answers for it."""
    async with FakeKubelet(api, namespace=namespace):
        await asyncio.to_thread(adapter.wait_until_available)
        found = Site(api, namespace)
        yield found
        await found.remove_autoscalers()


@pytest.fixture
async def following(site):
    """A fleet of three that follows its number."""
    await site.declare("on", replicas=3)
    await site.publish("on", 3)
    await site.autoscale("on")
    await site.reaches("on", 3)
    return site


@pytest.fixture(scope="module")
def controller(plane):
    """One for all tests of a file, which it decides for as it would in a cluster: all namespaces, the shipped roles."""
    with controlling(plane) as running:
        yield running
    assert refused(plane) == set()


@pytest.fixture
async def model(site):
    """A model with its ServiceLevel, without a variant yet."""
    made = Model(site)
    await made.level()
    return made


@pytest.fixture
def collection(namespace):
    """Where the objects of a kind are."""

    def found(kind):
        where = "" if kind == "AcceleratorStock" else f"/namespaces/{namespace}"
        return f"{GROUP}{where}/{PLURALS[kind]}"

    return found


@pytest_asyncio.fixture(loop_scope="module")
async def it(running):
    """Two controllers and two adapters, healthy before a trouble; and nobody was told a wrong number in it or after it."""
    await running.leader()
    running.ledger.take_answers()
    running.ledger.forget()  # each test answers for itself
    yield running
    await running.leader()
    assert running.ledger.mistakes() == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each recovery took."""
    reports = terminalreporter.getreports("passed")
    found = [
        (seconds, report.nodeid.rpartition("::")[2])
        for report in reports
        for name, seconds in report.user_properties
        if name == "recovery_s"
    ]
    if found:
        terminalreporter.section("recovery on the real control plane, in seconds")
    for seconds, test in sorted(found):
        terminalreporter.write_line(f"{seconds:6.1f}  {test}")
