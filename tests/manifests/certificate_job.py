"""The script of the certificate's Job, which lies beside its manifest and in no package."""

import importlib.util
import sys
from types import ModuleType

from tests.manifests.kustomize import MANIFESTS

_SCRIPT = MANIFESTS / "components" / "certificate-job" / "certificate.py"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("certificate_job", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["certificate_job"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


job = _loaded()
