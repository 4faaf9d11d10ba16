"""An adapter with TLS on loopback before an API server, and clients with every kind of certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from adapter.process import Options, serving
from adapter.tls import CertificateFiles, Tls
from adapter.trust import Trust
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.kube.api import Json, Kube
from llmd_autoscaler.kube.resources import VARIANT_AUTOSCALINGS
from tests.adapter.api_server import HPA_USER, ApiServer, authentication_config
from tests.adapter.conftest import G2, NOW_S, VA, status
from tests.controlplane.pki import Authority, KeyPair

PATH = f"{G2}/namespaces/llm/{VA}/a/desired_replicas"
CLOCK = Clock(wall_s=0.0, sim_s=NOW_S, rate=1e-12)
HPA = {"X-Remote-User": HPA_USER, "X-Remote-Group": "system:authenticated"}
SPEC: Json = {
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
    "modelID": "m",
    "accelerator": "A100-80GB",
    "maxReplicas": 10,
    "profileRef": {"name": "p"},
}


@dataclass
class Pki:
    """Four authorities, as a cluster has them."""

    serving: Authority = field(default_factory=lambda: Authority("serving-ca"))
    client: Authority = field(default_factory=lambda: Authority("client-ca"))
    front_proxy: Authority = field(default_factory=lambda: Authority("front-proxy-ca"))

    def config(self, **changes: str) -> dict[str, str]:
        return authentication_config(self.front_proxy.pem, self.client.pem, **changes)

    def serving_pair(self) -> KeyPair:
        return self.serving.server("adapter", ["127.0.0.1", "adapter.llmd-system.svc"])


@dataclass
class Secured:
    """A running adapter."""

    pki: Pki
    api: ApiServer
    files: CertificateFiles
    address: tuple[str, int]
    tls: Tls
    trust: Trust
    folder: Path
    _n_pairs: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.address[1]}"

    def front_proxy_pair(self, name: str = "front-proxy-client") -> KeyPair:
        return self.pki.front_proxy.client(name)

    def client_context(self, pair: KeyPair | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.pki.serving.pem.decode())
        if pair is not None:
            self._n_pairs += 1
            context.load_cert_chain(*pair.write(self.folder, f"client-{self._n_pairs}"))
        return context

    def write_pair(self, pair: KeyPair) -> None:
        self.files.certificate.write_bytes(pair.cert)
        self.files.key.write_bytes(pair.key)

    async def get(
        self,
        path: str = PATH,
        *,
        pair: KeyPair | None = None,
        bearer: str = "",
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
    ) -> tuple[int, Json]:
        """One request on a connection of its own."""
        async with self.session(pair) as session:
            return await self.ask(session, path, bearer=bearer, headers=headers)

    @asynccontextmanager
    async def session(self, pair: KeyPair | None = None) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(ssl=self.client_context(pair))
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
            yield session

    async def ask(
        self,
        session: aiohttp.ClientSession,
        path: str = PATH,
        *,
        bearer: str = "",
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
    ) -> tuple[int, Json]:
        given = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        if bearer:
            given.append(("Authorization", f"Bearer {bearer}"))
        async with session.get(self.url + path, headers=given, allow_redirects=False) as answer:
            assert "Retry-After" not in answer.headers
            if answer.content_type != "application/json":
                return answer.status, {"text": await answer.text()}
            return answer.status, await answer.json()

    async def as_hpa(self, path: str = PATH) -> int:
        """The status code that the HPA controller gets through the API server."""
        return (await self.get(path, pair=self.front_proxy_pair(), headers=HPA))[0]

    async def metrics(self) -> list[str]:
        _, said = await self.get(
            "/metrics",
            pair=self.front_proxy_pair(),
            headers={"X-Remote-User": "x", "X-Remote-Group": "system:masters"},
        )
        return str(said["text"]).splitlines()

    async def until_ready(self) -> None:
        async with asyncio.timeout(20):
            while (await self.get("/readyz"))[0] != 200:  # noqa: ASYNC110 (asked as a kubelet does)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def secured(
    folder: Path,
    *,
    pki: Pki | None = None,
    api: ApiServer | None = None,
    is_ready: bool = True,
    **options: object,
) -> AsyncIterator[Secured]:
    """An adapter over one object `a` that wants 4 instances."""
    pki = pki or Pki()
    api = api or ApiServer(pki.config())
    files = CertificateFiles(*pki.serving_pair().write(folder, "serving"))
    async with api.serving() as address:
        async with await Kube.connect(address) as kube:
            await publish(kube, "a")
        given = Options(api=address, clock=CLOCK, port=0, certificate=files, **options)  # type: ignore[arg-type]
        async with serving(given) as running:
            assert running.tls is not None
            assert running.trust is not None
            made = Secured(pki, api, files, running.address, running.tls, running.trust, folder)
            if is_ready:
                await made.until_ready()
            yield made


async def publish(kube: Kube, name: str, *, desired: int = 4) -> None:
    body: Json = {"metadata": {"name": name, "namespace": "llm", "labels": {"team": "x"}}}
    await kube.create(VARIANT_AUTOSCALINGS, "llm", body | {"spec": SPEC})
    await kube.apply_status(VARIANT_AUTOSCALINGS, "llm", name, status(desired), manager="t")
