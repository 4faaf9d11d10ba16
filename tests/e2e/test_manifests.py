"""What we ship, as the real API server takes it: every object, every pod under the restricted standard, the certificate's Job."""

import asyncio
import json
import os
import re
import shlex
import subprocess

import pytest
import yaml

from tests.controlplane.api import SSA, Api, ApiError
from tests.controlplane.component import find_binaries
from tests.controlplane.fake_kubelet import FakeKubelet
from tests.controlplane.plane import ControlPlane
from tests.e2e.identity import NAMESPACE, apply_roles
from tests.manifests.certificate_job import job
from tests.manifests.kustomize import (
    MANIFESTS,
    WORKLOADS,
    built,
    kubectl,
    name_of,
    of_kind,
    template,
)

FOLDERS = sorted(
    str(path.parent.relative_to(MANIFESTS))
    for folder in ("overlays", "examples")
    for path in (MANIFESTS / folder).glob("*/kustomization.yaml")
)
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
# kinds of others, which this server does not know
OTHERS = ("cert-manager.io",)


async def have_namespace(api: Api, name: str, labels: dict[str, str]) -> None:
    """It stays: the API server does not pretend that a namespace is there."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    query = "fieldManager=manifests&force=true"
    await api.call("PATCH", f"/api/v1/namespaces/{name}?{query}", body, kind=SSA)


@pytest.fixture
async def namespaces(api: Api) -> None:
    """Those of our manifests."""
    await have_namespace(api, NAMESPACE, RESTRICTED)
    await have_namespace(api, "llm", {})


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.usefixtures("namespaces")
async def test_the_server_takes_every_object_and_knows_every_field(plane: ControlPlane, folder):
    objects = [each for each in built(folder) if not each["apiVersion"].startswith(OTHERS)]
    # as `kubectl apply --server-side -k`, but nothing stays
    words = [kubectl(), "--kubeconfig", str(plane.kubeconfig), "apply", "--server-side"]
    words += ["--dry-run=server", "--validate=strict", "--force-conflicts", "-f", "-"]
    done = await asyncio.to_thread(
        subprocess.run,
        words,
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert len(done.stdout.splitlines()) == len(objects)


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param(each, id=name_of(each))
        for each in of_kind(built("overlays/high-availability"), *WORKLOADS)
    ],
)
@pytest.mark.usefixtures("namespaces")
async def test_a_pod_is_admitted_where_the_restricted_standard_is_enforced(api: Api, workload):
    pod = json.loads(json.dumps(template(workload)))
    pod["metadata"]["generateName"] = "admitted-"
    await api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", pod)


@pytest.mark.usefixtures("namespaces")
async def test_the_restricted_standard_is_really_enforced_there(api: Api):
    pod = {
        "metadata": {"generateName": "refused-"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    with pytest.raises(ApiError, match="violates PodSecurity"):
        await api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", pod)


@pytest.mark.usefixtures("namespaces", "adapter")
async def test_the_certificates_job_does_its_work_under_its_own_role_and_reads_no_other_secret(
    plane: ControlPlane, tmp_path
):
    apply_roles(plane, "components/certificate-job/rbac.yaml")
    token = await asyncio.to_thread(plane.token, NAMESPACE, "llmd-adapter-certificate")
    trust = tmp_path / "ca.crt"
    trust.write_bytes(plane.server_ca.pem)
    theirs = job.Api(plane.url, token, trust)
    # not for good: the adapter of this session has a certificate of another authority
    services = [f"{version}.custom.metrics.k8s.io?dryRun=All" for version in ("v1beta1", "v1beta2")]

    def ensure() -> str:
        return str(job.ensure(theirs, f"{NAMESPACE}/llmd-adapter", services))

    assert await asyncio.to_thread(ensure) == "made a CA, made a certificate"
    assert await asyncio.to_thread(ensure) == "the certificate is good"
    with pytest.raises(SystemExit, match="403"):
        await asyncio.to_thread(theirs.pair, NAMESPACE, "another")
    with pytest.raises(SystemExit, match="403"):
        await asyncio.to_thread(theirs.pair, "kube-system", "llmd-adapter-ca")


# what needs a kubelet, or an adapter that answers: tests of their own have both
ELSEWHERE = ("port-forward", "--raw")


def kubectl_lines() -> list[str]:
    """The commands of docs/kubernetes.md, in its order."""
    text = (MANIFESTS.parent / "docs" / "kubernetes.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    return [
        line
        for line in lines
        if line.startswith("kubectl ") and not any(part in line for part in ELSEWHERE)
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("plane")  # skips where there is none
async def test_every_command_of_the_document_does_what_it_says_on_a_fresh_cluster():
    async with ControlPlane(binaries=find_binaries()) as fresh:
        environment = {**os.environ, "KUBECONFIG": str(fresh.kubeconfig)}
        async with Api(fresh.kubeconfig) as api, FakeKubelet(api):
            for line in kubectl_lines():
                done = await asyncio.to_thread(
                    subprocess.run,
                    [kubectl(), *shlex.split(line)[1:]],
                    cwd=MANIFESTS.parent,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=120,
                )
                assert done.returncode == 0, f"{line}: {done.stderr}"
                assert done.stdout, line
            namespaces = await api.get("/api/v1/namespaces")
            left = {each["metadata"]["name"] for each in namespaces["items"]}
            # the models' own namespace is nobody's to remove
            assert "llm" in left
            assert NAMESPACE not in left
