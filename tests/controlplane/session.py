"""The control plane of a test session, with our kinds installed."""

import contextlib
import json
import os
import time
from collections.abc import Iterator

import pytest

from llmd_autoscaler.translate.crd import definitions
from tests.controlplane.component import ControlPlaneError, find_binaries
from tests.controlplane.plane import ControlPlane

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PATIENCE_S = 30.0


@contextlib.contextmanager
def running() -> Iterator[ControlPlane]:
    """One for all tests; where none was built they are skipped, with the command that builds one; in CI they fail."""
    try:
        binaries = find_binaries()
    except ControlPlaneError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with ControlPlane(binaries=binaries, hpa_sync_period="1s", audit=True) as plane:
        install_crds(plane)
        yield plane


def install_crds(plane: ControlPlane) -> None:
    """Our kinds, known to the API server and to the controllers.

    Raises: ControlPlaneError: the server refuses one; the message is the server's.
    """
    for definition in definitions():
        status, answer = plane.request("POST", _CRDS, definition)
        if status != 201:
            raise ControlPlaneError(f"the server refuses a CRD: {json.dumps(answer)}")
    deadline_s = time.monotonic() + _PATIENCE_S
    while not _are_established(plane):
        if time.monotonic() > deadline_s:
            raise ControlPlaneError(f"the CRDs are not established after {_PATIENCE_S:.0f} s")
        time.sleep(0.05)
    # it reads discovery every 30 s: an HPA on a kind that is younger fails until then
    plane.restart(plane.controller_manager)


def _are_established(plane: ControlPlane) -> bool:
    for definition in definitions():
        _, found = plane.request("GET", f"{_CRDS}/{definition['metadata']['name']}")
        said = {each["type"]: each["status"] for each in found["status"].get("conditions", [])}
        if said.get("Established") != "True":
            return False
    return True
