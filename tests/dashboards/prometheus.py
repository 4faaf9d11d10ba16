"""The dashboard's expressions, and a real Prometheus that scrapes real processes."""

import asyncio
import contextlib
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.controlplane.component import HOST, free_ports

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
_PATIENCE_S = 30.0
_VARIABLES = {"$model": ".*", "$__rate_interval": "20s"}


def panels(*, rows: bool = False) -> list[dict[str, Any]]:
    """The panels, and the headlines between them if asked for."""
    document = json.loads((DASHBOARDS / "llmd-autoscaler.json").read_text())
    return [panel for panel in document["panels"] if rows or panel["type"] != "row"]


def expressions() -> Iterator[str]:
    """Every expression of the dashboard."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]


def program(name: str) -> str:
    """A program of the package `prometheus`."""
    found = shutil.which(name)
    assert found is not None, f"there is no {name}: apt-get install prometheus"
    return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs."""

    url: str
    session: aiohttp.ClientSession

    async def result(self, expression: str) -> list[dict[str, Any]]:
        """What an expression of the dashboard gives now."""
        for name, value in _VARIABLES.items():
            expression = expression.replace(name, value)
        async with self.session.get(
            f"{self.url}/api/v1/query", params={"query": expression}
        ) as answer:
            found = await answer.json()
            assert found["status"] == "success", f"{expression}: {found}"
            return list(found["data"]["result"])

    async def is_ready(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with self.session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        return False


@contextlib.asynccontextmanager
async def scraping(targets: Mapping[str, str], folder: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes each job's only target every second, with the rules that we ship."""
    (port,) = free_ports(1)
    config = folder / "prometheus.yaml"
    jobs = [
        {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [target]}]}
        for job, target in targets.items()
    ]
    written = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DASHBOARDS / "alerts.yaml")],
        "scrape_configs": jobs,
    }
    config.write_text(yaml.safe_dump(written))
    words = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    words += [f"--web.listen-address={HOST}:{port}", "--log.level=warn"]
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program("prometheus"), *words, stdout=log, stderr=log
        )
        try:
            async with aiohttp.ClientSession(trust_env=False) as session:
                found = Prometheus(f"http://{HOST}:{port}", session)
                async with asyncio.timeout(_PATIENCE_S):
                    while not await found.is_ready():
                        assert process.returncode is None, (folder / "prometheus.log").read_text()
                        await asyncio.sleep(0.1)
                yield found
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()
