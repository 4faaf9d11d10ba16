"""What the statuses of one model say, in the page's own shape. Pure: objects in, JSON out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.page.fields import count, known, moment_s, number
from llmd_autoscaler.page.shape import (
    ChangeJson,
    ClassJson,
    ConditionJson,
    ModelJson,
    RouteJson,
    TargetJson,
)
from llmd_autoscaler.page.words import reason_words
from llmd_autoscaler.translate.json_object import Json, child, items, strings, text, whole
from llmd_autoscaler.translate.routing import RequestClass, RoutingTable, read_routing_table

N_CHANGES = 20
_DRAINING = re.compile(r"\b(\d+) draining\b")  # the sentence of the condition TargetResolved

Objects = Mapping[tuple[str, str], Json]


@dataclass(slots=True)
class ModelObjects:
    """The objects that concern one model: its ServiceLevels, the acting one first, and its variants."""

    namespace: str
    model: str
    levels: list[Json] = field(default_factory=list)
    variants: list[Json] = field(default_factory=list)

    @property
    def key(self) -> str:
        """By which the page knows it."""
        return f"{self.namespace}/{self.model}"

    def versions(self) -> tuple[str, ...]:
        """Changes when any of the objects does."""
        return tuple(
            text(each, "metadata", "resourceVersion") for each in (*self.levels, *self.variants)
        )


def by_model(levels: Objects, variants: Objects) -> dict[str, ModelObjects]:
    """All objects by the model that they name; the oldest ServiceLevel of a model is the one that acts."""
    found: dict[tuple[str, str], ModelObjects] = {}

    def of(each: Json) -> ModelObjects:
        key = (text(each, "metadata", "namespace"), text(each, "spec", "modelID"))
        return found.setdefault(key, ModelObjects(*key))

    for level in sorted(levels.values(), key=_seniority):
        of(level).levels.append(level)
    for _, variant in sorted(variants.items()):
        of(variant).variants.append(variant)
    return {each.key: each for each in found.values()}


def model_json(objects: ModelObjects, before: Sequence[ChangeJson] = ()) -> ModelJson:
    """All that the statuses of one model say.

    Args:
        objects: its ServiceLevels and VariantAutoscalings.
        before: the changes that are known, which a status keeps the codes of but not the sentences.
    """
    level = objects.levels[0] if objects.levels else {}
    status, table = child(level, "status"), _table(level)
    return {
        "key": objects.key,
        "namespace": objects.namespace,
        "model": objects.model,
        "decision_id": text(status, "decisionID"),
        "decided_at_s": moment_s(status, "decidedAt"),
        "valid_until_s": moment_s(status, "validUntil"),
        "source": text(status, "traffic", "source"),
        "feasible": text(status, "summary", "feasible"),
        "usd_per_hour": number(status, "costPerHour"),
        "usd_per_million_tokens": number(status, "costPerMillionTokens"),
        "limit": _limit(status),
        "classes": [_class(each, status) for each in (table.classes if table else ())],
        "targets": [_target(each) for each in objects.variants],
        "routes": list(_routes(table)) if table else [],
        "changes": _changes(objects.variants, before),
        "conditions": [
            *_conditions("servicelevel", objects.levels),
            *_conditions("variantautoscaling", objects.variants),
        ],
    }


def _seniority(level: Json) -> tuple[str, str]:
    return text(level, "metadata", "creationTimestamp"), text(level, "metadata", "name")


def _table(level: Json) -> RoutingTable | None:
    """Classes and routes; None where nobody can read them, which the router's log says too."""
    try:
        return read_routing_table(level)
    except ObservationError:
        return None


def _limit(status: Json) -> str:
    """The limit that costs most, as one writes it."""
    limit, of = text(status, "binding", "limit"), text(status, "binding", "of")
    return f"{limit} of {of}" if limit else ""


def _class(each: RequestClass, status: Json) -> ClassJson:
    qos, bounds = each.qos, each.qos.bounds

    def said(listed: Iterable[Json], label: str) -> Json:
        return next((one for one in listed if text(one, label) == qos.name), {})

    seen = said(items(status, "traffic", "classes"), "name")
    ahead = said(items(status, "forecast"), "class")
    kept = said(items(status, "attainment"), "class")
    return {
        "name": qos.name,
        "percentile_frac": qos.percentile_frac,
        "ttft_max_s": known(bounds.ttft_max_s),
        "ttft_per_prompt_token_s": bounds.ttft_per_prompt_token_s,
        "tpot_max_s": known(bounds.tpot_max_s),
        "e2e_max_s": known(bounds.e2e_max_s),
        "deadline_s": known(bounds.deadline_s),
        "qps": number(seen, "qps"),
        "isl_mean_tokens": number(seen, "islMean"),
        "osl_mean_tokens": number(seen, "oslMean"),
        "hit_frac": number(seen, "prefixHit"),
        "expected_p50_qps": number(ahead, "qpsP50"),
        "expected_p90_qps": number(ahead, "qpsP90"),
        "horizon": text(ahead, "horizon"),
        "predicted_frac": number(kept, "predicted"),
        "realised_frac": number(kept, "realised"),
        "window": text(kept, "window"),
        "worst_bound": text(kept, "worst"),
    }


def _target(variant: Json) -> TargetJson:
    spec, status = child(variant, "spec"), child(variant, "status")
    reason: Json = next(items(status, "reasons"), {})
    group: Json = next(items(status, "groups"), {})
    code = text(reason, "code") or text(status, "reason")
    n_desired, usd_per_hour = count(status, "desiredReplicas"), number(status, "costPerHour")
    each_usd = number(spec, "costPerHour")
    if each_usd is None and n_desired and usd_per_hour is not None:
        each_usd = usd_per_hour / n_desired
    # a status leaves out zeros: where it has a number at all, what is absent is 0
    is_told = count(status, "readyReplicas") is not None or n_desired is not None
    return {
        "name": text(variant, "metadata", "name"),
        "accelerator": text(spec, "accelerator"),
        "n_accelerators": whole(spec, "acceleratorCount", default=1),
        "group": text(status, "groupNames") or ", ".join(strings(spec, "groups")),
        "min_instances": whole(spec, "minReplicas", default=1),
        "max_instances": whole(spec, "maxReplicas"),
        "is_paused": spec.get("paused") is True,
        "usd_per_hour": each_usd,
        "n_desired": n_desired,
        "n_ready": whole(status, "readyReplicas") if is_told else None,
        "n_starting": whole(group, "starting") if is_told else None,
        "n_draining": _n_draining(status) if is_told else None,
        "load": number(status, "load"),
        "utilization_frac": number(status, "utilization"),
        "ready_by_s": moment_s(group, "readyBy"),
        "lead_p50": text(status, "leadTime", "p50"),
        "lead_p90": text(status, "leadTime", "p90"),
        "code": code,
        "words": reason_words(code),
        "message": text(reason, "message"),
    }


def _n_draining(status: Json) -> int:
    """No field says it, but the condition that counts a target's pods does."""
    for condition in items(status, "conditions"):
        if text(condition, "type") == "TargetResolved":
            found = _DRAINING.search(text(condition, "message"))
            return int(found[1]) if found else 0
    return 0


def _routes(table: RoutingTable) -> Iterator[RouteJson]:
    for class_name, sets in table.route_sets.items():
        for each in sets:
            limit = known(each.isl_up_to)
            yield {
                "class_name": class_name,
                "isl_up_to_tokens": None if limit is None else int(limit),
                "shares": [
                    {
                        "target": route.place.target,
                        "group": route.place.group,
                        "fraction": route.fraction,
                    }
                    for route in each.routes
                ],
            }


def _changes(variants: Sequence[Json], before: Sequence[ChangeJson]) -> list[ChangeJson]:
    """The last changes of all targets, newest first; each keeps the sentence that it was seen with."""
    sentences = {(c["target"], c["at_s"], c["after"]): c["message"] for c in before}
    found: list[ChangeJson] = []
    for variant in variants:
        status, name = child(variant, "status"), text(variant, "metadata", "name")
        decided_s, reason = moment_s(status, "decidedAt"), next(items(status, "reasons"), {})
        for entry in items(status, "history"):
            at_s = moment_s(entry, "at")
            if at_s is None:
                continue
            after, code = whole(entry, "to"), text(entry, "code")
            is_this = at_s == decided_s and code == text(reason, "code")
            message = text(reason, "message") if is_this else sentences.get((name, at_s, after), "")
            found.append(
                {
                    "at_s": at_s,
                    "target": name,
                    "before": whole(entry, "from"),
                    "after": after,
                    "code": code,
                    "words": reason_words(code),
                    "message": message,
                }
            )
    oldest = {(c["target"], c["at_s"], c["after"]) for c in found}
    names = {text(variant, "metadata", "name") for variant in variants}
    found += [
        c
        for c in before
        if c["target"] in names and (c["target"], c["at_s"], c["after"]) not in oldest
    ]
    return sorted(found, key=lambda c: (-c["at_s"], c["target"]))[:N_CHANGES]


def _conditions(kind: str, objects: Iterable[Json]) -> Iterator[ConditionJson]:
    for each in objects:
        of = f"{kind}/{text(each, 'metadata', 'name')}"
        for condition in items(each, "status", "conditions"):
            yield {
                "of": of,
                "type": text(condition, "type"),
                "status": text(condition, "status"),
                "reason": text(condition, "reason"),
                "message": text(condition, "message"),
                "since_s": moment_s(condition, "lastTransitionTime"),
            }
