"""What must stand before any test imports the core: where compiled kernels are kept, and how often a property is tried."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from llmd_autoscaler.cli.kernel_cache import VARIABLE, kernel_cache

if TYPE_CHECKING:
    from tests.controlplane.plane import ControlPlane

_CHECKOUT = Path(__file__).parents[1]
_open = contextlib.ExitStack()

# A folder of the checkout, one for each state of the core's sources: a machine's own cache is not a test's to fill.
os.environ.setdefault(VARIABLE, str(_CHECKOUT / ".cache" / "numba"))
_open.enter_context(kernel_cache())

# Derandomized: a gate that fails today and passes tomorrow teaches people to press the button again.
settings.register_profile("ci", derandomize=True, max_examples=200, deadline=None)
settings.load_profile("ci")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of the cache where it was only a temporary one."""
    del config
    _open.close()


@pytest.fixture(scope="session")
def plane() -> "Iterator[ControlPlane]":
    """A real control plane with our kinds; started by the first test that asks for it."""
    from tests.controlplane.session import running  # noqa: PLC0415 (most runs need none)

    with running() as started:
        yield started
