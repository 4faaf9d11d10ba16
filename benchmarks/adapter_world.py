"""The world of `benchmarks.adapter`, a process of its own: the API server, or the bare handler beside the adapter.

Prints one line when it listens, and ends when its standard input does.
"""

import argparse
import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.simulator.kubeapi.kinds import VARIANT_AUTOSCALING
from llmd_autoscaler.simulator.kubeapi.objects import timestamp
from tests.adapter.api_server import ApiServer, authentication_config

EXAMPLES = Path(__file__).parents[1] / "tests" / "data" / "api.yaml"
NAMESPACE = "bench"
VALID_S = 3600.0


def name_of(n: int) -> str:
    """The name of an object."""
    return f"variant-{n:05d}"


def populate(api: ApiServer, n_objects: int) -> None:
    """Objects as long as the design's worked example, each with numbers of its own."""
    with EXAMPLES.open(encoding="utf-8") as text:
        found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    example = found["VariantAutoscaling"]
    valid_until = timestamp(Clock().now_s() + VALID_S)
    for n in range(n_objects):
        status = {**example["status"], "validUntil": valid_until, "desiredReplicas": n % 60}
        body = {
            "metadata": {"name": name_of(n), "namespace": NAMESPACE, "labels": {"team": f"t{n}"}},
            "spec": {**example["spec"], "modelID": f"model-{n}"},
            "status": status,
        }
        # text and back: else all would share the example's parts, as no list from a wire does
        api.store.write(VARIANT_AUTOSCALING, (NAMESPACE, name_of(n)), json.loads(json.dumps(body)))


@asynccontextmanager
async def api_server(folder: Path, n_objects: int) -> AsyncIterator[str]:
    """The API server with all objects, which lets the HPA controller read every metric."""
    ca = (folder / "front-proxy-ca.crt").read_bytes()
    api = ApiServer(authentication_config(ca, b""))
    api.allow_hpa_controller()
    populate(api, n_objects)
    async with api.serving() as address:
        yield address


@asynccontextmanager
async def bare_handler(folder: Path, body: bytes) -> AsyncIterator[str]:
    """What aiohttp costs by itself: the same TLS and the same bytes, from one handler that does nothing."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "serving.crt", folder / "serving.key")
    context.load_verify_locations(folder / "front-proxy-ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def run(options: argparse.Namespace) -> None:
    """Until standard input ends."""
    opened = (
        bare_handler(options.folder, options.bare.encode())
        if options.bare
        else api_server(options.folder, options.objects)
    )
    async with opened as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=0)
    parser.add_argument("--bare", default="", help="answer these bytes to everything")
    asyncio.run(run(parser.parse_args()))
