"""An adapter on loopback with a store of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web

from adapter.answers import Answers
from adapter.handlers import Face
from adapter.store import Key, Store
from adapter.telemetry import Telemetry
from llmd_autoscaler.clock import Clock

NOW_S = 1_795_512_600.0  # 2026-11-24T09:30:00Z
VALID_UNTIL = "2026-11-24T09:40:00Z"
G2 = "/apis/custom.metrics.k8s.io/v1beta2"
G1 = "/apis/custom.metrics.k8s.io/v1beta1"
VA = "variantautoscalings.autoscaling.llmd.ai"


def status(desired: int = 4, *, decision: str = "7-1482", **changes: object) -> dict[str, object]:
    return {
        "decisionID": decision,
        "validUntil": VALID_UNTIL,
        "desiredReplicas": desired,
        "load": "3.21",
        "utilization": "1.07",
        "groups": [
            {"name": "mixed", "desired": desired, "current": 3, "starting": 1, "load": "3.21"}
        ],
    } | changes


@dataclass
class World:
    store: Store
    session: aiohttp.ClientSession
    url: str

    def put(self, name: str, written: dict[str, object], **labels: str) -> None:
        self.store.put(Key("llm", name), labels, written, now_s=NOW_S)

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, object]]:
        async with self.session.get(
            self.url + path, headers=headers, allow_redirects=False
        ) as answer:
            assert answer.content_type == "application/json"
            assert "Retry-After" not in answer.headers
            return answer.status, await answer.json()

    async def value(self, name: str, metric: str) -> str:
        """What the HPA reads."""
        code, said = await self.get(f"{G2}/namespaces/llm/{VA}/{name}/{metric}")
        assert code == 200, said
        (item,) = said["items"]  # type: ignore[misc]
        return str(item["value"])

    async def refusal(self, path: str) -> str:
        """The sentence of a 404."""
        code, said = await self.get(path)
        assert (code, said["kind"], said["status"], said["code"]) == (404, "Status", "Failure", 404)
        assert said["reason"] == "NotFound"
        return str(said["message"])


@asynccontextmanager
async def standing(*, is_external_served: bool = False) -> AsyncIterator[World]:
    """A face in plain HTTP over a store of the test's, on a clock that stands still."""
    store = Store(is_synced=True, is_connected=True, heard_at_s=float("inf"))
    clock = Clock(wall_s=0.0, sim_s=NOW_S, rate=1e-18)
    face = Face(
        Answers(store, Telemetry(), clock),
        not_ready=lambda: "" if store.is_synced else "not read yet",
        is_external_served=is_external_served,
    )
    runner = web.AppRunner(face.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(trust_env=False) as session:
        yield World(store, session, f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with standing() as made:
        yield made


@pytest.fixture
async def external_world() -> AsyncIterator[World]:
    async with standing(is_external_served=True) as made:
        yield made
