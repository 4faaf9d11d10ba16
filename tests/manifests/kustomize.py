"""What `kubectl apply -k` would send, as objects."""

import contextlib
import functools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).parents[2] / "manifests"
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")

Object = dict[str, Any]


def kubectl() -> str:
    """The kubectl of the development tools, which stands beside our Python."""
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent))
    assert found is not None, "no kubectl beside python: pip install -e '.[dev]'"
    return found


@functools.cache
def built(folder: str, *components: str) -> tuple[Object, ...]:
    """The objects of a kustomization below manifests, and of it with components as an overlay would name them."""
    with contextlib.ExitStack() as stack:
        if components:
            beside = stack.enter_context(
                tempfile.TemporaryDirectory(dir=MANIFESTS, prefix=".test-")
            )
            named = [f"../components/{each}" for each in components]
            overlay = {"resources": [f"../{folder}"], "components": named}
            (Path(beside) / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
            folder = beside
        done = subprocess.run(
            [kubectl(), "kustomize", str(MANIFESTS / folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # a warning of kustomize is a mistake of ours
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [each for each in objects if each["kind"] in kinds]


def pod_spec(workload: Object) -> Object:
    """The pods that a workload starts."""
    return template(workload)["spec"]


def template(workload: Object) -> Object:
    """Their template."""
    spec = workload["spec"]
    return spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]


def containers(workload: Object) -> Iterator[Object]:
    """All of its containers, of the start too."""
    pods = pod_spec(workload)
    yield from (*pods.get("initContainers", ()), *pods["containers"])


def name_of(each: Object) -> str:
    """An object as tests call it."""
    return f"{each['kind']}/{each['metadata']['name']}"
