"""Chooses where a request goes: the decision's routes where they hold, least expected work otherwise."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from llmd_autoscaler.router.fleet import Fleet, Instance
from llmd_autoscaler.router.learnt import Learnt
from llmd_autoscaler.router.pick import (
    Asked,
    Candidate,
    Scorer,
    Shares,
    Work,
    cheapest,
    expected_work,
)
from llmd_autoscaler.translate.routing import Place, RequestClass, RoutingTable

# a prefill instance answers with a KV cache, not with text: it is never a whole request's place
_PREFILL = "prefill"


@dataclass(slots=True, eq=False)
class Case:
    """One request under way: what it is, and where it has been."""

    table: RoutingTable
    request_class: RequestClass
    asked: Asked
    arrival_s: float
    tried: list[Instance] = field(default_factory=list)
    place: Place | None = None  # dealt at the first attempt; a retry stays there while it can

    @property
    def model(self) -> str:
        """The model's own name, whatever alias the client used."""
        return self.table.model

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return self.request_class.qos.name


def is_asleep(table: RoutingTable, *, now_s: float) -> bool:
    """Whether the decision in force is that nothing serves a model: it wakes for whoever asks for it now."""
    return not table.mix and now_s <= table.valid_until_s < math.inf


@dataclass(slots=True)
class Dispatcher:
    """Turns the fleet as it is now into one choice a request."""

    fleet: Fleet
    scorer: Scorer
    learnt: Learnt
    shares: Shares = field(default_factory=Shares)
    _dealt_by: Mapping[str, RoutingTable] = field(default_factory=dict)

    def next_instance(self, case: Case, now_s: float) -> tuple[Instance, Work] | None:
        """The instance for the next attempt and the work that it takes on; None when none is left."""
        instances = [i for i in self.fleet.of_model(case.model) if i not in case.tried]
        # one that refused a moment ago is asked only when there is no other
        instances = [i for i in instances if not i.has_refused()] or instances
        usable = [i for i in instances if i.place.group != _PREFILL]
        if not usable:
            return None
        case.place = self._place(case, {i.place for i in usable}, now_s)
        offers = {
            i.name: (i, self._work(case, i))
            for i in usable
            if case.place is None or i.place == case.place
        }
        candidates = [_candidate(instance, work) for instance, work in offers.values()]
        return offers[cheapest(self.scorer, case.asked, candidates).name]

    def _place(self, case: Case, available: Collection[Place], now_s: float) -> Place | None:
        if case.place in available:
            return case.place
        routes = case.table.route_set(case.class_name, case.asked.isl)
        if routes is None or now_s > case.table.valid_until_s:
            return None
        self._forget_old_sets()
        key = (case.model, case.class_name, routes.isl_up_to)
        return self.shares.next_place(key, routes.routes, available)

    def _forget_old_sets(self) -> None:
        if self._dealt_by is self.fleet.tables:
            return
        self._dealt_by = self.fleet.tables
        self.shares.keep_only(
            {
                (table.model, class_name, route_set.isl_up_to)
                for table in self._dealt_by.values()
                for class_name, sets in table.route_sets.items()
                for route_set in sets
            }
        )

    def _work(self, case: Case, instance: Instance) -> Work:
        mean = case.request_class.mean_osl_tokens
        osl = mean or self.learnt.mean_osl(case.model, case.class_name)
        return expected_work(
            instance.mix.step,
            isl=case.asked.isl,
            osl=min(osl, case.asked.max_tokens or osl),
            hit_frac=case.request_class.hit_frac,
        )


def _candidate(instance: Instance, work: Work) -> Candidate:
    return Candidate(
        name=instance.name,
        place=instance.place,
        n_own=instance.n_in_flight,
        work_s=instance.work_s,
        n_foreign=instance.n_foreign,
        request_work_s=work.total_s,
    )
