"""The account of a run on the real control plane: what was published, what was answered, and whether they agree.

*Published* is what stood in the status in etcd, whoever wrote it: who may write there is the API server's to say, and the
adapter cannot tell two writers of one decision apart. The controllers' own logs say which of these numbers they have decided,
so a number by somebody else's hand is found all the same. *Answered* is what an adapter has sent about `desired_replicas`,
to the HPA or to anybody (see recording_adapter). A newer leader counts from when both could have heard of it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from llmd_autoscaler.clock import Clock
from tests.controlplane.api import Api, Json
from tests.controlplane.plane import ControlPlane
from tests.e2e.etcd import Etcd
from tests.faults.account import Account, Read

# From etcd to an adapter, and to us, on a machine that does much else.
_SETTLED_S = 2.0


@dataclass
class Ledger(Account):
    """An account whose answers stand in files."""

    files: dict[Path, int] = field(default_factory=dict)
    """Each with how far it was read."""
    path_of_metric: str = ""
    followers: tuple[asyncio.Task[None], ...] = ()

    def take_answers(self) -> None:
        """Read on in the files."""
        found = [read for file in self.files for read in self._news(file)]
        self.reads = sorted([*self.reads, *found], key=lambda read: read.asked_s)

    def _news(self, file: Path) -> Iterator[Read]:
        with file.open("rb") as lines:
            lines.seek(self.files[file])
            for line in lines:
                said = json.loads(line)
                if said["path"].endswith(self.path_of_metric):
                    yield _read(said)
            self.files[file] = lines.tell()

    def mistakes(self) -> list[str]:
        """Every answer that nobody should have had, and every change of the fleet that no answer asked for."""
        for broken in (task for task in self.followers if task.done()):
            broken.result()
        self.take_answers()
        return [*self.wrong_values(), *self.unread_scales()]


@contextlib.asynccontextmanager
async def accounted(
    plane: ControlPlane,
    api: Api,
    object_path: tuple[str, str],
    *,
    answers: Sequence[Path],
    log: Path,
) -> AsyncIterator[Ledger]:
    """The account of one object, from before it is declared.

    Args:
        plane: where it is.
        api: whom to ask about the Deployment, which has the same name.
        object_path: namespace and name.
        answers: what the adapters write.
        log: what the controllers write.
    """
    namespace, name = object_path
    ledger = Ledger(
        target=name,
        log=log,
        settle_s=_SETTLED_S,
        files={file: file.stat().st_size if file.exists() else 0 for file in answers},
        path_of_metric=f"/namespaces/{namespace}/variantautoscalings.autoscaling.llmd.ai/{name}/desired_replicas",
    )
    async with aiohttp.ClientSession(trust_env=False, read_bufsize=2**21) as session:
        prefix = f"/registry/autoscaling.llmd.ai/variantautoscalings/{namespace}/"
        etcd = Etcd(session, plane.etcd_url, prefix)
        began = await etcd.revision()
        ledger.followers = (
            asyncio.create_task(_see_variants(ledger, etcd, began)),
            asyncio.create_task(_see_deployments(ledger, api, namespace)),
        )
        try:
            yield ledger
        finally:
            for task in ledger.followers:
                task.cancel()
            await asyncio.gather(*ledger.followers, return_exceptions=True)


async def _see_variants(ledger: Ledger, etcd: Etcd, after: int) -> None:
    async for found in etcd.versions(after):
        ledger.see_variants({_key(found): found}, Clock().now_s())


async def _see_deployments(ledger: Ledger, api: Api, namespace: str) -> None:
    async for kind, found in api.watch(f"/apis/apps/v1/namespaces/{namespace}/deployments"):
        if kind != "DELETED":
            ledger.see_deployments({_key(found): found}, Clock().now_s())


def _key(found: Json) -> tuple[str, str]:
    return found["metadata"]["namespace"], found["metadata"]["name"]


def _read(said: Json) -> Read:
    body = json.loads(said["body"])
    if said["code"] != 200:
        return Read(said["asked_s"], "", why=body["message"])
    [item] = body["items"]
    return Read(said["asked_s"], item["value"], item["timestamp"])
