"""How long a tick takes with many models: `python -m benchmarks.tick`, about two minutes.

100 models x 10 pods, from the scrape of every page to the published statuses, through the shipped
cluster, source and loop, against the small API server. The pods' pages, the routers' pages and the API
server live in one other process, whose CPU is counted apart. Every model has its own mix, each mix
moves every tick, and every MILP is solved anew. Ticks count once every model has its capacity table.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

import numpy as np
import yaml

from benchmarks.report import Figure, print_report
from benchmarks.tick_world import TICK_S, pod_address
from llmd_autoscaler.clock import Clock
from llmd_autoscaler.controller.cluster import KubeCluster
from llmd_autoscaler.controller.loop import Loop
from llmd_autoscaler.controller.ports import Publication
from llmd_autoscaler.controller.scrape import Scraper
from llmd_autoscaler.controller.source import ScrapedSource
from llmd_autoscaler.core.world import Policy, ReasonCode
from llmd_autoscaler.kube.api import Json, Kube
from llmd_autoscaler.kube.resources import DEPLOYMENTS, PODS, SERVICE_LEVELS, VARIANT_AUTOSCALINGS
from llmd_autoscaler.settings import TickSettings

TARGET_S = 2.0
MOST_WARM_UP_TICKS = 80
SEED = 5
PROFILE = "llama-3.1-70b-a100-tp4.yaml"


class Notes:
    """What the loop reports: step times, and decisions that were not solved."""

    def __init__(self) -> None:
        self.steps_s: dict[str, float] = {}
        self.unsolved = 0
        self.failures: list[str] = []

    def clear(self) -> None:
        """Before a tick."""
        self.steps_s, self.unsolved = {}, 0

    def step(self, name: str, took_s: float) -> None:
        """One step is over."""
        self.steps_s[name] = took_s

    def decided(self, publication: Publication, took_s: float) -> None:
        """A decision that only waited was not solved."""
        del took_s
        self.unsolved += publication.decision.reasons[0].code in {
            ReasonCode.WARMING_UP,
            ReasonCode.NOT_OBSERVED,
            ReasonCode.NO_TRAFFIC,
        }

    def failed(self, step: str, message: str) -> None:
        """Kept for the report."""
        self.failures.append(f"{step}: {message}")

    def scrape_failed(self, reason: str) -> None:
        """Every page is there: a failure is the benchmark's."""
        self.failures.append(f"scrape: {reason}")

    def ignored_cells(self, n: int) -> None:
        """Every cell is known."""
        if n:
            self.failures.append(f"{n} cells ignored")


class Addresses(TypedDict):
    """Where the other process serves."""

    api: str
    routers: list[str]


@asynccontextmanager
async def world(n_models: int, n_pods: int) -> AsyncIterator[tuple[Addresses, int]]:
    """The other process: its addresses and its process id."""
    command = [sys.executable, "-m", "benchmarks.tick_world"]
    command += ["--models", str(n_models), "--pods", str(n_pods), "--seed", str(SEED)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 (both are pipes)
    try:
        yield json.loads(await process.stdout.readline()), process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def populate(kube: Kube, n_models: int, pods_per_model: int) -> None:
    """Every model's resources, its Deployment and its pods."""
    documents = {
        str(d["kind"]): d for d in _documents("llmd_autoscaler.local", "config/default.yaml")
    }
    profile = _documents("models.catalog", PROFILE)[0]["spec"]
    for m in range(n_models):
        name = f"model-{m}"
        level: Json = {
            **documents["ServiceLevel"],
            "metadata": {"name": name, "namespace": "bench"},
        }
        level["spec"] = {**documents["ServiceLevel"]["spec"], "modelID": name}
        variant: Json = {
            **documents["VariantAutoscaling"],
            "metadata": {"name": name, "namespace": "bench"},
        }
        variant["spec"] = {
            **documents["VariantAutoscaling"]["spec"],
            "modelID": name,
            "profileRef": None,
            "profile": {**profile, "model": name},
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        }
        await kube.create(SERVICE_LEVELS, "bench", level)
        await kube.create(VARIANT_AUTOSCALINGS, "bench", variant)
        deployment = await kube.create(DEPLOYMENTS, "bench", _deployment(name, pods_per_model))
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "controller": True}
        owner["uid"] = deployment["metadata"]["uid"]  # type: ignore[index]
        await asyncio.gather(
            *(
                _pod(kube, f"{name}-{p}", name, owner, m * pods_per_model + p)
                for p in range(pods_per_model)
            )
        )


def _documents(package: str, file: str) -> list[Mapping[str, Json]]:
    """The YAML documents of a file in a package."""
    return [d for d in yaml.safe_load_all((files(package) / file).read_text()) if d]


def _deployment(name: str, replicas: int) -> Json:
    labels = {"app": name}
    template: Json = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "vllm"}]}}
    spec: Json = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "namespace": "bench"}, "spec": spec}


async def _pod(kube: Kube, name: str, app: str, owner: Json, number: int) -> None:
    metadata: Json = {
        "name": name,
        "namespace": "bench",
        "labels": {"app": app},
        "ownerReferences": [owner],
    }
    await kube.create(
        PODS, "bench", {"metadata": metadata, "spec": {"containers": [{"name": "vllm"}]}}
    )
    ready: Json = {"type": "Ready", "status": "True"}
    status: Json = {"phase": "Running", "podIP": pod_address(number), "conditions": [ready]}
    await kube.apply_status(PODS, "bench", name, status, manager="bench")


def cpu_s(pid: int) -> float:
    """User and system time of another process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(n_models: int, pods_per_model: int, n_ticks: int) -> bool:
    """Run the ticks and report."""
    notes = Notes()
    async with (
        world(n_models, n_models * pods_per_model) as (addresses, pid),
        await Kube.connect(addresses["api"]) as kube,
    ):
        print(
            f"creating {n_models} models and {n_models * pods_per_model} pods ...", file=sys.stderr
        )
        await populate(kube, n_models, pods_per_model)
        cluster = KubeCluster(kube, "bench", routers=addresses["routers"])
        following = asyncio.create_task(cluster.run())
        await cluster.synced()
        async with Scraper(Clock(), max_concurrent=512) as scraper:
            source = ScrapedSource(scraper, cluster, notes)
            loop = Loop(cluster, source, notes, settings=TickSettings(), policy=Policy())
            now_s, warm_ups = 0.0, 0
            while warm_ups < MOST_WARM_UP_TICKS:
                notes.clear()
                seen = await loop.tick(now_s=now_s)
                now_s, warm_ups = now_s + TICK_S, warm_ups + 1
                if seen.n_decided == n_models and not notes.unsolved:
                    break
            print(
                f"every model has its first table after {warm_ups} ticks",
                file=sys.stderr,
            )
            rows = []
            for k in range(n_ticks):
                notes.clear()
                began, cpu, other = time.perf_counter(), time.process_time(), cpu_s(pid)
                report = await loop.tick(now_s=now_s)
                took = time.perf_counter() - began
                rows.append(
                    (
                        took,
                        time.process_time() - cpu,
                        cpu_s(pid) - other,
                        report.n_written,
                        notes.unsolved,
                    )
                )
                steps = ", ".join(f"{name} {s:.2f}" for name, s in notes.steps_s.items())
                print(
                    f"  tick {k + 1:>3}: {took:.2f} s ({steps}), {report.n_written} statuses",
                    file=sys.stderr,
                )
                now_s += TICK_S
                await asyncio.sleep(0.2)  # the watch brings back what was written
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    for failure in notes.failures[:5]:
        print(f"  {failure}", file=sys.stderr)
    return _report(np.array(rows), len(notes.failures), n_models, pods_per_model)


def _report(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    n_failures: int,
    n_models: int,
    pods: int,
) -> bool:
    wall, cpu, other, written, unsolved = rows.T
    figures = [
        Figure(name="tick, median", value=float(np.median(wall)), unit="s", at_most=TARGET_S),
        Figure(name="tick, worst", value=float(wall.max()), unit="s", at_most=TARGET_S),
        Figure(
            name="models not solved in a tick",
            value=float(unsolved.sum()),
            unit="models",
            at_most=0,
        ),
        Figure(name="failures", value=float(n_failures), unit="failures", at_most=0),
    ]
    beside = [
        Figure(name="ticks", value=float(len(rows)), unit="ticks"),
        Figure(name="models", value=float(n_models), unit="models"),
        Figure(name="pods a model", value=float(pods), unit="pods"),
        Figure(name="CPU of the controller a tick, median", value=float(np.median(cpu)), unit="s"),
        Figure(name="CPU of the controller a tick, worst", value=float(cpu.max()), unit="s"),
        Figure(
            name="CPU of the endpoints and the API server a tick, median",
            value=float(np.median(other)),
            unit="s",
        ),
        Figure(
            name="statuses written a tick, median", value=float(np.median(written)), unit="models"
        ),
    ]
    return print_report("tick", figures, beside)


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--pods", type=int, default=10, help="of each model")
    parser.add_argument("--ticks", type=int, default=24)
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.models, options.pods, options.ticks)) else 1


if __name__ == "__main__":
    sys.exit(main())
