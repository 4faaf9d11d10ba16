"""Keeps board and history up to date: statuses as they change, metrics at every tick."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.page.board import Board
from llmd_autoscaler.page.headline import headline, totals_json
from llmd_autoscaler.page.health import row_json
from llmd_autoscaler.page.history import History
from llmd_autoscaler.page.live import Rates, overlaid, series, used_per_hour
from llmd_autoscaler.page.model import ModelObjects, Objects, by_model, model_json
from llmd_autoscaler.page.rates import rates
from llmd_autoscaler.page.router_metrics import Cell
from llmd_autoscaler.page.shape import BoundJson, ModelJson, RowJson, SourceJson, TopJson
from llmd_autoscaler.page.sources import Presence, Sources

TICK_S = 15.0  # the controller's own: nothing is newer
# To notice that somebody is away, where ticks are long.
_LONGEST_PAUSE_WALL_S = 5.0
# Of the wall clock, however fast the other one runs: people cannot follow more, and every push costs.
LEAST_PAUSE_WALL_S = 1.0
_BUILT_AT_ONCE = 20  # models between two looks at the event loop


class Collections(Protocol):
    """The objects of the API server as they stand."""

    changed: asyncio.Event

    @property
    def levels(self) -> Objects:
        """The ServiceLevels."""
        ...

    @property
    def variants(self) -> Objects:
        """The VariantAutoscalings."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether changes arrive."""
        ...


@dataclass(slots=True)
class _Used:
    since_s: float
    last_s: float
    gpu_hours: float = 0.0
    cost_usd: float = 0.0


@dataclass(slots=True)
class Collector:
    """What was read, as the page shows it."""

    cluster: Collections
    sources: Sources
    clock: Clock
    board: Board
    history: History
    api: Presence
    bounds: Sequence[BoundJson] = ()
    pushed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, whenever the board has changed."""
    _models: dict[str, tuple[tuple[str, ...], ModelJson]] = field(default_factory=dict)
    _used: _Used = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is used before the first look."""
        now_s = self.clock.now_s()
        self._used = _Used(now_s, now_s)

    async def run(self) -> None:
        """Look at every tick, and soon after every change, until cancelled."""
        due_s = self.clock.now_s()
        while True:
            self.cluster.changed.clear()
            is_tick = self.clock.now_s() >= due_s
            if is_tick:
                due_s = self.clock.now_s() + TICK_S
                await self.sources.ask()
            await self.look(is_tick=is_tick)
            # many changes, one look
            await asyncio.sleep(LEAST_PAUSE_WALL_S)
            try:
                pause_s = min(self.clock.wall_until_s(due_s), _LONGEST_PAUSE_WALL_S)
                async with asyncio.timeout(pause_s):
                    await self.cluster.changed.wait()
            except TimeoutError:
                continue

    async def look(self, *, is_tick: bool) -> None:
        """Bring the board up to date; at a tick the history too."""
        now_s, version = self.clock.now_s(), self.board.version
        objects = by_model(self.cluster.levels, self.cluster.variants)
        await self._read(objects)
        counted = self._by_model(rates(self.sources.windows.values()))
        models: dict[str, ModelJson] = {}
        rows: dict[str, RowJson] = {}
        moment: dict[str, Mapping[str, float]] = {}
        for n, (key, (_, model)) in enumerate(self._models.items()):
            seen = counted.get(key, {})
            reading = self.sources.controlled.get((model["namespace"], model["model"]))
            models[key] = overlaid(model, seen, reading, now_s=now_s)
            rows[key] = row_json(models[key], now_s=now_s)
            if is_tick:
                moment[key] = series(models[key], seen, rows[key])
            if n % _BUILT_AT_ONCE == 0:
                await asyncio.sleep(0)
        if is_tick:
            self._use(models, now_s)
            self.history.append(now_s, moment)
            self.history.keep_only(self._models.keys())
        self._show(models, rows, now_s=now_s)
        if self.board.version != version:
            self.pushed.set()
            self.pushed = asyncio.Event()

    async def _read(self, objects: Mapping[str, ModelObjects]) -> None:
        """Read what has changed since the last look."""
        n_read = 0
        for key, found in objects.items():
            versions, before = found.versions(), self._models.get(key)
            if before is not None and before[0] == versions:
                continue
            changes = before[1]["changes"] if before else []
            self._models[key] = (versions, model_json(found, changes))
            n_read += 1
            if n_read % _BUILT_AT_ONCE == 0:
                await asyncio.sleep(0)
        for key in self._models.keys() - objects.keys():
            del self._models[key]

    def _by_model(self, cells: Mapping[Cell, Mapping[str, float]]) -> Mapping[str, Rates]:
        """Rates by key of the model: a router names no namespace, so a name must be of one model only."""
        keys: dict[str, list[str]] = {}
        for key, (_, model) in self._models.items():
            keys.setdefault(model["model"], []).append(key)
        found: dict[str, dict[str, Mapping[str, float]]] = {}
        for (name, class_name), values in cells.items():
            named = keys.get(name, [])
            if len(named) == 1:
                found.setdefault(named[0], {})[class_name] = values
        return found

    def _use(self, models: Mapping[str, ModelJson], now_s: float) -> None:
        """Add what the time since the last tick took."""
        used, hours = self._used, max(0.0, now_s - self._used.last_s) / 3600.0
        used.last_s = now_s
        for model in models.values():
            gpus, usd = used_per_hour(model)
            used.gpu_hours += gpus * hours
            used.cost_usd += usd * hours

    def _show(
        self, models: Mapping[str, ModelJson], rows: Mapping[str, RowJson], *, now_s: float
    ) -> None:
        self.api.saw(is_connected=self.cluster.is_connected, now_s=now_s)
        sources = self._sources()
        state, text = headline(models, rows, sources)
        top: TopJson = {
            "state": state,
            "headline": text,
            "now_s": round(now_s, 1),
            "sampled_s": self.history.last_s,
            "rate": self.clock.rate,
            "sources": sources,
            "totals": totals_json(rows),
            "used": {
                "since_s": round(self._used.since_s, 1),
                "gpu_hours": round(self._used.gpu_hours, 3),
                "cost_usd": round(self._used.cost_usd, 2),
            },
            "bounds": list(self.bounds),
        }
        self.board.put("models", {key: model for key, (_, model) in self._models.items()})
        self.board.put("rows", rows)
        self.board.put("top", {"top": top})

    def _sources(self) -> list[SourceJson]:
        asked = [self.api, *((self.sources.controller,) if self.sources.controller else ())]
        return [each.json() for each in (*asked, *self.sources.routers)]
