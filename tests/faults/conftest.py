"""One running system for all tests of a module, its account checked after each."""

import pytest
import pytest_asyncio

from tests.faults.stage import stage
from tests.local.system import until

_RECOVERIES = pytest.StashKey[dict[str, float]]()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory, pytestconfig):
    """The processes and their traffic: started once, since that takes seconds."""
    async with stage(tmp_path_factory.mktemp("stage")) as it:
        it.recoveries = pytestconfig.stash.setdefault(_RECOVERIES, {})
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def it(running):
    """The system, healthy before a fault and again after it; nobody was told a wrong value, nothing flapped."""
    await until(running.is_healthy)
    yield running
    await until(running.is_healthy)
    account = running.account
    found = account.wrong_values(), account.unread_scales(), account.n_reversals
    account.forget()  # each test answers for itself
    assert found == ([], [], 0)


def pytest_terminal_summary(terminalreporter, config):
    """How long each recovery took."""
    recoveries = config.stash.get(_RECOVERIES, {})
    if recoveries:
        terminalreporter.section("recovery, in ticks of the controller")
    for fault, ticks in recoveries.items():
        terminalreporter.write_line(f"{ticks:6.1f}  {fault}")
