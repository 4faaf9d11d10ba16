"""The instances that this router may send requests to, and what it has in flight at each."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from llmd_autoscaler.router.pick import Work
from llmd_autoscaler.translate.pod import address
from llmd_autoscaler.translate.routing import MixEntry, Place, RoutingTable

# a server that refused is left alone for a moment of wall time: long enough for the watch to tell
# that it drains, short enough that a passing fault costs a second of one instance
REFUSAL_MEMORY_S = 1.0


@dataclass(frozen=True, slots=True)
class Pod:
    """A routable pod: Ready, not about to be deleted, labelled with its target and group."""

    name: str
    ip: str
    place: Place


@dataclass(slots=True, eq=False)
class Instance:
    """One server and our own account of it."""

    name: str
    address: str
    place: Place
    mix: MixEntry
    n_in_flight: int = 0
    work_s: float = 0.0
    n_foreign: float = 0.0
    refused_until_s: float = 0.0  # of time.monotonic: a matter of sockets, so wall time

    @contextmanager
    def carrying(self, work: Work) -> Iterator["Carried"]:
        """Counts one request as in flight here until the block ends, however it ends."""
        carried = Carried(self, work.prefill_s, work.decode_s)
        self.n_in_flight += 1
        self.work_s += work.total_s
        try:
            yield carried
        finally:
            self.n_in_flight -= 1
            # the sum of many floats does not return to 0 by itself
            self.work_s = max(0.0, self.work_s - carried.left_s) if self.n_in_flight else 0.0

    def has_refused(self) -> bool:
        """Whether it refused a request a moment ago."""
        return time.monotonic() < self.refused_until_s

    def refuse(self) -> None:
        """It has just refused a request."""
        self.refused_until_s = time.monotonic() + REFUSAL_MEMORY_S


@dataclass(slots=True)
class Carried:
    """One request in flight at an instance."""

    instance: Instance
    prefill_s: float
    decode_s: float

    @property
    def left_s(self) -> float:
        """Engine seconds that it still counts for."""
        return self.prefill_s + self.decode_s

    def has_begun(self) -> None:
        """Its first token is here: the prefill is done."""
        self.instance.work_s = max(0.0, self.instance.work_s - self.prefill_s)
        self.prefill_s = 0.0


@dataclass(slots=True)
class Fleet:
    """Models, their routing tables and their instances; replaced whole at each change."""

    tables: dict[str, RoutingTable] = field(default_factory=dict)  # by model and by alias
    is_synced: bool = False
    _by_model: dict[str, list[Instance]] = field(default_factory=dict)
    _by_address: dict[str, Instance] = field(default_factory=dict)

    def replace(self, tables: Mapping[str, RoutingTable], pods: Iterable[Pod]) -> None:
        """Takes over what the API server says; an instance that stays keeps its account."""
        pods = list(pods)
        self.tables = {name: table for table in tables.values() for name in table.names}
        self._by_model = {
            model: [self._instance(pod, entry) for pod, entry in _served(table, pods)]
            for model, table in tables.items()
        }
        self._by_address = {i.address: i for i in self.instances()}

    def instances(self) -> Iterator[Instance]:
        """Every routable instance."""
        for instances in self._by_model.values():
            yield from instances

    def of_model(self, model: str) -> list[Instance]:
        """The routable instances of a model (by its own name, not an alias)."""
        return self._by_model.get(model, [])

    def _instance(self, pod: Pod, entry: MixEntry) -> Instance:
        url = f"http://{address(pod.ip, entry.port)}"
        known = self._by_address.get(url)
        if known is None or known.name != pod.name:
            return Instance(pod.name, url, pod.place, entry)
        known.place, known.mix = pod.place, entry
        return known


def _served(table: RoutingTable, pods: Iterable[Pod]) -> Iterator[tuple[Pod, MixEntry]]:
    for pod in pods:
        # a pod that was just re-labelled may be ahead of the status: its target's step and port hold
        entry = table.mix.get(pod.place) or next(
            (entry for entry in table.mix.values() if entry.place.target == pod.place.target), None
        )
        if entry is not None:
            yield pod, entry
