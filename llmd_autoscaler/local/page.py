"""The live page of a run: what it is told of the bounds, and how it is kept when the run is over."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from llmd_autoscaler.errors import ConfigError, ObservationError
from llmd_autoscaler.local.hindsight import Hindsight
from llmd_autoscaler.simulator.virtual import Setup

BOUNDS = "bounds.json"
PAGE = "page.html"
_SECONDS_PER_HOUR = 3600.0
# Of a file of some megabytes on loopback.
_PATIENCE = aiohttp.ClientTimeout(total=30.0)


def write_bounds(folder: Path, setup: Setup, hindsight: Hindsight) -> None:
    """The bounds of a run where its page finds them; none in it where none keeps the SLO."""
    (folder / BOUNDS).write_text(json.dumps({"bounds": list(_bounds(setup, hindsight))}))


def _bounds(setup: Setup, hindsight: Hindsight) -> Iterator[dict[str, object]]:
    hours = setup.replay.duration_s / _SECONDS_PER_HOUR
    if hours <= 0.0:
        return
    prices = {t.usd_per_hour / t.n_accelerators for t in setup.targets}
    # GPUs of several prices: what the bound costs does not follow from its GPU-hours
    usd_per_gpu_hour = prices.pop() if len(prices) == 1 else None

    def bound(name: str, detail: str, gpu_hours: float) -> dict[str, object]:
        mean = gpu_hours / hours
        usd = None if usd_per_gpu_hour is None else mean * usd_per_gpu_hour
        return {
            "name": name,
            "detail": detail,
            "gpu_hours": gpu_hours,
            "mean_gpus": mean,
            "usd_per_hour": usd,
        }

    static, numbers = hindsight.static_gpu_hours, hindsight.static_instances
    if static is not None and numbers is not None:
        mix = " + ".join(str(n) for n in numbers.values())
        yield bound("Best static fleet", f"{mix} instances, with hindsight", static)
    if hindsight.lookahead_gpu_hours is not None:
        yield bound("Look-ahead bound", "knows the next lead time", hindsight.lookahead_gpu_hours)


def check_report(path: Path | None, *, is_virtual: bool) -> None:
    """Say before a run, not after it, that its page cannot be kept.

    Raises: ConfigError: there is no such folder, or no page in this kind of run.
    """
    if path is None:
        return
    if is_virtual:
        raise ConfigError("--report: a run in virtual time has no page; leave --virtual out")
    if not path.parent.is_dir() or path.is_dir():
        raise ConfigError(
            f"--report {path}: no file can be made there; name one in a folder that exists"
        )


async def save_page(url: str, path: Path) -> None:
    """Keep the page at an address as one file.

    Raises: ObservationError: it does not answer. ConfigError: the file cannot be written.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE, trust_env=False) as session,
            session.get(f"{url}/save", raise_for_status=True) as response,
        ):
            page = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise ObservationError(f"the page at {url} could not be saved: {why}") from error
    try:
        await asyncio.to_thread(path.write_bytes, page)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--report {path}: {reason}; name a file that can be written") from error
