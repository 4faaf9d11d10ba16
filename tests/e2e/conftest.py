"""What every test against the real control plane has: a namespace of its own, pods that start, and the adapter."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.controlplane.api import Api
from tests.controlplane.fake_kubelet import FakeKubelet
from tests.controlplane.plane import ControlPlane
from tests.e2e.adapter import RegisteredAdapter, registered
from tests.e2e.kinds import GROUP, PLURALS
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
    with registered(plane) as running:
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
def collection(namespace):
    """Where the objects of a kind are."""

    def found(kind):
        where = "" if kind == "AcceleratorStock" else f"/namespaces/{namespace}"
        return f"{GROUP}{where}/{PLURALS[kind]}"

    return found
