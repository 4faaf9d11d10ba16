"""`profile`: from an endpoint to points, a profile and a page; interrupted, it keeps what was measured."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError, ObservationError
from llmd_autoscaler.profiling.campaign import Campaign
from llmd_autoscaler.profiling.clients import Clients
from llmd_autoscaler.profiling.endpoint import Endpoint, Identity, session
from llmd_autoscaler.profiling.given import Given
from llmd_autoscaler.profiling.measurement import Measurer
from llmd_autoscaler.profiling.offline import Outputs, finish, wire_time
from llmd_autoscaler.profiling.plan import Limits
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.resource import Origin
from llmd_autoscaler.profiling.store import Store
from llmd_autoscaler.profiling.variant import Told, Variant, resolved

_DEFAULT_LONGEST = 32768


class Shown(Protocol):
    """Where people watch: a line that the next one replaces."""

    def say(self, text: str) -> None:
        """A text that stays."""

    async def follow(self, line: Callable[[], str]) -> None:
        """Show a line again and again, until cancelled."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for."""

    endpoint: str
    metrics_url: str
    model: str
    budget_s: float
    out: Path
    points: Path
    report: Path
    longest_isl: int | None = None
    vocabulary: int = 32_000
    api_key: str = ""
    seed: int = 0


async def profile(asked: Asked, given: Given, *, clock: Clock, screen: Shown, to: TextIO) -> None:
    """Profile a server.

    Raises: ConfigError, ObservationError: it is not there, not the one, or lost before there were enough points.
    """
    store = Store(asked.points)
    points = store.resume()
    async with session(asked.api_key) as http:
        endpoint = Endpoint(http, asked.endpoint.rstrip("/"), asked.metrics_url)
        identity = await endpoint.identity(asked.model)
        what = resolved(given, Told(identity.model, identity.version, identity.kv_tokens))
        limits = _limits(asked, identity, what[1].kv_tokens, what[1].max_num_seqs)
        senders = Clients(
            http,
            endpoint.url,
            identity.model,
            clock=clock,
            vocabulary=asked.vocabulary,
            seed=asked.seed,
        )
        measurer = Measurer(endpoint, senders, clock)
        campaign = Campaign(
            measurer.measure, store, clock, limits, what[1], asked.budget_s, list(points)
        )
        screen.say(
            f"profiling {identity.model} at {endpoint.url}, vLLM {identity.version or 'of unknown version'}, "
            f"{what[1].kv_tokens} KV tokens"
            + (f"; {len(points)} points are there already" if points else "")
        )
        _warn_of_versions(given, identity, what[0], screen)
        lost = await _measured(campaign, screen)
    _say_troubles(campaign.points, screen)
    origin = Origin(
        by="llmd-autoscaler profile",
        at=wire_time(clock.now_s()),
        command=f"llmd-autoscaler profile --endpoint URL --budget {asked.budget_s:g}s",
        points_file=asked.points.name,
    )
    try:
        outputs = Outputs(asked.out, asked.report, to)
        finish(campaign.points, what, origin, outputs, seed=asked.seed)
    except ConfigError as error:
        kept = f"; {len(campaign.points)} points are kept in {asked.points}, the same command goes on from there"
        raise ObservationError(f"{lost or error}{kept}") from error
    if lost:
        screen.say(f"the profile is of what was measured before: {lost}")


async def _measured(campaign: Campaign, screen: Shown) -> str:
    """Run the campaign to its end; returns what ended it early, "" for nothing."""
    async with _interrupts() as interrupted:
        working = asyncio.create_task(campaign.run())
        showing = asyncio.create_task(screen.follow(campaign.line))
        stop = asyncio.create_task(interrupted.wait())
        try:
            await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await working
                return "interrupted"
            await working
        except ObservationError as error:
            return str(error)
        finally:
            for task in (working, showing, stop):
                task.cancel()
            await asyncio.gather(working, showing, stop, return_exceptions=True)
    return ""


@contextlib.asynccontextmanager
async def _interrupts() -> AsyncIterator[asyncio.Event]:
    """Ctrl-C and SIGTERM as an event: what was measured is still to be fitted."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _limits(asked: Asked, identity: Identity, kv_tokens: int, max_num_seqs: int) -> Limits:
    longest = min(identity.max_model_len or _DEFAULT_LONGEST, kv_tokens)
    if asked.longest_isl is not None:
        if asked.longest_isl >= longest:
            raise ConfigError(
                f"--longest-isl {asked.longest_isl}: {identity.model} takes {longest} tokens, prompt and answer "
                "together; ask for less, or start it with a larger --max-model-len"
            )
        return Limits(longest, kv_tokens, max_num_seqs, asked.longest_isl)
    return Limits(longest, kv_tokens, max_num_seqs)


def _warn_of_versions(given: Given, identity: Identity, variant: Variant, screen: Shown) -> None:
    if given.engine_version and identity.version not in {"", given.engine_version}:
        screen.say(
            f"warning: --engine-version {given.engine_version}, and the server says {identity.version}; "
            f"the profile says {variant.engine_version}"
        )


def _say_troubles(points: list[Point], screen: Shown) -> None:
    for point in points:
        for sentence in point.trouble:
            screen.say(f"left out of the fit: {point.load.name}: {sentence}")
