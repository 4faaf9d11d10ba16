"""The pages of `benchmarks.controller`, a process of its own: routers that count steady traffic, and a page a pod.

Every read of a router's page is one tick later. In a tick each cell of a model grows by the same number
as in every other, but for the last tenth of the models: their requests come at random, at the same mean rates.
"""

import argparse
import asyncio
import contextlib
import json
import sys

import numpy as np
from aiohttp import web

from benchmarks.tick_world import CLASSES, POD_PORT, page_of_a_pod
from llmd_autoscaler.core.shapes import EDGES_TOKENS

MODELS_A_ROUTER = 50
RANDOM_FRAC = 0.1  # of the models
_MOST_A_CELL = 2  # requests a tick
# prompts of 360 to 1,450 tokens and answers of 90 to 360: some two requests a second are half an instance
_ISL_BINS, _OSL_BINS = range(6, 10), range(2, 6)
_LATER_S = 1.0  # after a page was asked for: the others have been, too
_FILL = 0.85  # mean length of a request of a cell over the cell's edge


def pod_address(pod: int) -> str:
    """Each pod on an address of its own, as on a cluster."""
    return f"127.91.{pod // 250}.{pod % 250 + 1}"


def n_steady(n_models: int) -> int:
    """How many models, the first ones, have traffic that is the same in every tick."""
    return n_models - int(n_models * RANDOM_FRAC)


class SteadyPage:
    """Counters of many models that grow by one tick's requests at each read."""

    def __init__(self, names: list[str], is_random: list[bool], seed: int) -> None:
        self._names, self._is_random = names, np.array(is_random)
        self._rng = np.random.default_rng(seed)
        shape = (len(names), len(CLASSES), len(_ISL_BINS), len(_OSL_BINS))
        # both classes of every model are asked for: one request a tick at least
        self._a_tick = self._rng.integers(0, _MOST_A_CELL, shape, endpoint=True)
        self._a_tick[..., 0, 0] += 1
        self._counts = np.zeros(shape, dtype=np.int64)

    def next_tick(self) -> str:
        """The page after another tick."""
        drawn = self._rng.poisson(self._a_tick)
        self._counts += np.where(self._is_random[:, None, None, None], drawn, self._a_tick)
        lines = ["llmd_router_started_at_seconds 0.0"]
        for m, c in np.ndindex(self._counts.shape[:2]):
            labels = f'model="{self._names[m]}",class="{CLASSES[c]}"'
            lines += self._lines(self._counts[m, c], labels)
        return "\n".join(lines) + "\n"

    @staticmethod
    def _lines(cells: np.ndarray[tuple[int, ...], np.dtype[np.int64]], labels: str) -> list[str]:
        lines: list[str] = []
        for i, isl_bin in enumerate(_ISL_BINS):
            isl, n = EDGES_TOKENS[isl_bin], int(cells[i].sum())
            where = f'{{{labels},isl="{isl}"}}'
            lines.append(f"llmd_router_arrivals_total{where} {n}")
            lines.append(f"llmd_router_arrivals_isl_tokens_total{where} {int(n * isl * _FILL)}")
            for o, osl_bin in enumerate(_OSL_BINS):
                osl, n = EDGES_TOKENS[osl_bin], int(cells[i, o])
                where = f'{{{labels},isl="{isl}",osl="{osl}"}}'
                lines.append(f"llmd_router_completions_total{where} {n}")
                lines.append(f"llmd_router_isl_tokens_total{where} {int(n * isl * _FILL)}")
                lines.append(f"llmd_router_osl_tokens_total{where} {int(n * osl * _FILL)}")
        lines.append(f'llmd_router_attained_total{{{labels},bound="all"}} {int(cells.sum())}')
        return lines


class Ready:
    """A page that is written before it is asked for: the tick is measured, not the writing."""

    def __init__(self, page: SteadyPage) -> None:
        self._page = page
        self._text = page.next_tick()

    def take(self) -> str:
        """The page of this tick; that of the next one is written when nobody waits."""
        text, self._text = self._text or self._page.next_tick(), ""
        asyncio.get_running_loop().call_later(_LATER_S, self._write)
        return text

    def _write(self) -> None:
        self._text = self._text or self._page.next_tick()


async def live(names: list[str], seed: int) -> None:
    """Serve until standard input closes; the line that is printed is the routers' addresses."""
    n, steady = len(names), n_steady(len(names))
    routers = []
    for first in range(0, n, MODELS_A_ROUTER):
        models = range(first, min(first + MODELS_A_ROUTER, n))
        is_random = [m >= steady for m in models]
        routers.append(Ready(SteadyPage([names[m] for m in models], is_random, seed + first)))
    page = page_of_a_pod()
    app = web.Application()

    async def pod_metrics(_: web.Request) -> web.Response:
        return web.Response(body=page, content_type="text/plain")

    async def router_metrics(request: web.Request) -> web.Response:
        return web.Response(text=routers[int(request.match_info["router"])].take())

    app.router.add_get("/metrics", pod_metrics)
    app.router.add_get("/{router}/metrics", router_metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for pod in range(n):
        await web.TCPSite(runner, pod_address(pod), POD_PORT).start()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[-1][1]}"
    print(json.dumps([f"{base}/{i}" for i in range(len(routers))]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", required=True, help="of the models, with commas")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(live(options.names.split(","), options.seed))


if __name__ == "__main__":
    main()
