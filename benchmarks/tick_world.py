"""The world of `benchmarks.tick`, a process of its own: small API server, pods' pages, and routers' pages.

Every read of a router's page is one tick later: each model's traffic has gone on at its own rate and
its own mix, and both have moved.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from llmd_autoscaler.simulator.kubeapi.server import serving
from llmd_autoscaler.simulator.kubeapi.store import Store

TICK_S = 15.0
CLASSES = ("interactive", "relaxed")
POD_PORT = 8000
# A router serves a pool; its page holds some hundred cells a model.
MODELS_A_ROUTER = 10


def pod_address(pod: int) -> str:
    """Each pod on an address of its own, as on a cluster."""
    return f"127.90.{pod // 250}.{pod % 250 + 1}"


class RouterPage:
    """Counters of many models that grow by a tick at each read."""

    def __init__(self, models: range, seed: int) -> None:
        self._rng = np.random.default_rng(seed + models.start)
        self._first, n_models = models.start, len(models)
        self._qps = self._rng.uniform(2.0, 12.0, n_models)
        self._isl_bin = self._rng.uniform(6.0, 10.0, (n_models, len(CLASSES)))
        self._osl_bin = self._rng.uniform(2.0, 5.0, (n_models, len(CLASSES)))
        self._counts = np.zeros((n_models, len(CLASSES), N_BINS, N_BINS), dtype=np.int64)
        self._squared = np.zeros(n_models, dtype=np.int64)

    def next_tick(self) -> str:
        """The page after another tick of traffic; every mix has moved a little."""
        self._qps *= self._rng.uniform(0.9, 1.1, len(self._qps))
        self._qps = np.clip(self._qps, 1.0, 16.0)
        self._isl_bin += self._rng.normal(0.0, 0.1, self._isl_bin.shape)
        self._osl_bin += self._rng.normal(0.0, 0.1, self._osl_bin.shape)
        for m, qps in enumerate(self._qps):
            n_before = self._counts[m].sum()
            for c, share in enumerate((0.7, 0.3)):
                n = self._rng.poisson(qps * share * TICK_S)
                isl = self._bins(self._isl_bin[m, c], n)
                osl = self._bins(self._osl_bin[m, c], n)
                np.add.at(self._counts[m, c], (isl, osl), 1)
            n = int(self._counts[m].sum() - n_before)
            seconds = self._rng.multinomial(n, np.full(int(TICK_S), 1.0 / int(TICK_S)))
            self._squared[m] += int((seconds**2).sum())
        return self._text()

    def _bins(self, middle: float, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        drawn = np.rint(self._rng.normal(middle, 2.0, n)).astype(np.int64)
        return np.clip(drawn, 0, N_BINS - 8)

    def _text(self) -> str:
        lines = ["llmd_router_started_at_seconds 0.0"]
        lines += [
            f'llmd_router_arrivals_squared_total{{model="model-{self._first + m}"}} {n}'
            for m, n in enumerate(self._squared)
        ]
        for m, c in np.ndindex(self._counts.shape[:2]):
            cells = self._counts[m, c]
            labels = f'model="model-{self._first + m}",class="{CLASSES[c]}"'
            for i in np.flatnonzero(cells.sum(axis=1)):
                n = cells[i].sum()
                cell = f'{{{labels},isl="{EDGES_TOKENS[i]}"}}'
                lines.append(f"llmd_router_arrivals_total{cell} {n}")
                lines.append(
                    f"llmd_router_arrivals_isl_tokens_total{cell} {int(n * EDGES_TOKENS[i] * 0.85)}"
                )
            for i, o in zip(*np.nonzero(cells), strict=True):
                n = cells[i, o]
                cell = f'{{{labels},isl="{EDGES_TOKENS[i]}",osl="{EDGES_TOKENS[o]}"}}'
                lines.append(f"llmd_router_completions_total{cell} {n}")
                lines.append(
                    f"llmd_router_isl_tokens_total{cell} {int(n * EDGES_TOKENS[i] * 0.85)}"
                )
                lines.append(
                    f"llmd_router_osl_tokens_total{cell} {int(n * EDGES_TOKENS[o] * 0.85)}"
                )
            lines.append(f'llmd_router_attained_total{{{labels},bound="all"}} {cells.sum()}')
        return "\n".join(lines) + "\n"


def page_of_a_pod() -> bytes:
    """A recorded page of vLLM 0.26.0, 62 kB."""
    return Path(str(files("benchmarks") / "data" / "metrics-after-load.txt")).read_bytes()


async def live(n_models: int, n_pods: int, seed: int) -> None:
    """Serve until standard input closes; the first line printed is the addresses."""
    groups = [
        range(i, min(i + MODELS_A_ROUTER, n_models)) for i in range(0, n_models, MODELS_A_ROUTER)
    ]
    routers = [RouterPage(models, seed) for models in groups]
    page = page_of_a_pod()
    app = web.Application()

    async def pod_metrics(_: web.Request) -> web.Response:
        return web.Response(body=page, content_type="text/plain")

    async def router_metrics(request: web.Request) -> web.Response:
        return web.Response(text=routers[int(request.match_info["router"])].next_tick())

    app.router.add_get("/metrics", pod_metrics)
    app.router.add_get("/{router}/metrics", router_metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for pod in range(n_pods):
        await web.TCPSite(runner, pod_address(pod), POD_PORT).start()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[-1][1]}"
    async with serving(Store(Clock())) as api:
        found = {"api": api, "routers": [f"{base}/{i}" for i in range(len(routers))]}
        print(json.dumps(found), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, required=True)
    parser.add_argument("--pods", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(live(options.models, options.pods, options.seed))


if __name__ == "__main__":
    main()
