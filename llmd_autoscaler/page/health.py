"""How a model fares, what is wrong with it and what to do: the line of the table. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from llmd_autoscaler.page.shape import ClassJson, ModelJson, ProblemJson, RowJson, State, TargetJson
from llmd_autoscaler.page.words import condition_words
from llmd_autoscaler.translate.condition import is_failing

# Reasons that end by themselves.
_PASSING = {"WarmingUp"}
_RANK: Mapping[State, int] = {"bad": 4, "warn": 3, "unknown": 2, "busy": 1, "ok": 0}
_STALE = (
    "The decision has run out",
    "Check that the controller runs and reaches the API server; until then the HPA gets no number and the fleet stays as it is.",
)
_MISSED_ADVICE = {
    "ttft": "TTFT is missed most: more or faster instances help; look whether a limit is reached below.",
    "tpot": "TPOT is missed most: the batches are too full; look whether the profile predicts what is seen.",
    "e2e": "E2E is missed most: look at the longest answers and at the queue.",
}
_MISSED_OTHERWISE = "Look at failed requests in the router's log, and whether a limit is reached."


def worst_first(states: Sequence[State]) -> State:
    """The worst of several states."""
    return max(states, key=lambda state: _RANK[state], default="ok")


def row_json(model: ModelJson, *, now_s: float) -> RowJson:
    """The line of a model.

    Args:
        model: what its statuses say, with newer counts where somebody has them.
        now_s: for the age of its decision.
    """
    problems = sorted(_problems(model, now_s), key=lambda p: -_RANK[p["state"]])
    targets = model["targets"]
    n_ready, n_desired = _sum(targets, "n_ready"), _sum(targets, "n_desired")
    n_starting, n_draining = _sum(targets, "n_starting"), _sum(targets, "n_draining")
    tightest = _tightest(model["classes"])
    state, note = _state(model, problems, (n_desired, n_starting, n_draining))
    rates = [c["qps"] for c in model["classes"] if c["qps"] is not None]
    loads = [t["load"] for t in targets if t["load"] is not None]
    return {
        "state": state,
        "note": note,
        "problems": problems,
        "qps": sum(rates) if rates else None,
        "n_ready": n_ready,
        "n_desired": n_desired,
        "n_starting": n_starting,
        "n_draining": n_draining,
        "load": sum(loads) if loads else None,
        "attained_frac": tightest["realised_frac"] if tightest else None,
        "attained_class": tightest["name"] if tightest else "",
        "percentile_frac": tightest["percentile_frac"] if tightest else None,
        "predicted_frac": tightest["predicted_frac"] if tightest else None,
        "usd_per_hour": _usd_per_hour(model),
        "usd_per_million_tokens": model["usd_per_million_tokens"],
        "n_gpus": _n_gpus(targets),
        "changed_at_s": model["changes"][0]["at_s"] if model["changes"] else None,
    }


def _sum(targets: Sequence[TargetJson], field: str) -> int | None:
    known = [
        t[field]  # type: ignore[literal-required]
        for t in targets
        if t[field] is not None  # type: ignore[literal-required]
    ]
    return sum(known) if known else None


def _n_gpus(targets: Sequence[TargetJson]) -> int | None:
    """Accelerators in use: instances that start and drain hold theirs."""
    if all(t["n_ready"] is None for t in targets):
        return None
    return sum(n_present(t) * t["n_accelerators"] for t in targets)


def n_present(target: TargetJson) -> int:
    """Instances that exist and are paid for."""
    return (target["n_ready"] or 0) + (target["n_starting"] or 0) + (target["n_draining"] or 0)


def _usd_per_hour(model: ModelJson) -> float | None:
    """Cost of what runs now; of what is decided where nobody says what runs."""
    targets = model["targets"]
    if targets and all(t["n_ready"] is not None and t["usd_per_hour"] is not None for t in targets):
        return sum(n_present(t) * (t["usd_per_hour"] or 0.0) for t in targets)
    return model["usd_per_hour"]


def _tightest(classes: Sequence[ClassJson]) -> ClassJson | None:
    """The class with the least room between what it attains and what it is promised."""

    def room(each: ClassJson) -> float:
        seen = each["realised_frac"]
        return 1.0 if seen is None else (seen - each["percentile_frac"])

    return min(classes, key=room, default=None)


def _state(
    model: ModelJson,
    problems: Sequence[ProblemJson],
    numbers: tuple[int | None, int | None, int | None],
) -> tuple[State, str]:
    """The state and its few words."""
    state = worst_first([problem["state"] for problem in problems])
    if problems and state in {"bad", "warn", "unknown"}:
        return state, problems[0]["what"]
    n_desired, n_starting, n_draining = numbers
    if n_desired is None:
        return "unknown", "No decision yet"
    if n_starting:
        state, note = "busy", f"{n_starting} starting"
    elif n_draining:
        state, note = "busy", f"{n_draining} draining"
    elif problems:
        note = problems[0]["what"]
    else:
        is_judged = any(c["realised_frac"] is not None for c in model["classes"])
        note = "SLO kept" if is_judged else "No request scored yet"
    return state, note


def _problems(model: ModelJson, now_s: float) -> Iterator[ProblemJson]:
    yield from _stale(model, now_s)
    for each in model["classes"]:
        yield from _missed(model, each)
    for target in model["targets"]:
        if target["code"] == "AtLimit":
            todo = f"Raise maxReplicas (now {target['max_instances']}) or add a variant; see also the stock of {target['accelerator']}."
            of = f"variantautoscaling/{target['name']}"
            yield _problem("warn", (target["words"], target["message"], todo), of)
    yield from _failing(model)


def _stale(model: ModelJson, now_s: float) -> Iterator[ProblemJson]:
    until_s = model["valid_until_s"]
    if until_s is not None and until_s < now_s:
        what, todo = _STALE
        why = f"Decision {model['decision_id']} was to be renewed in time and was not."
        yield _problem("bad", (what, why, todo), f"model/{model['key']}", until_s)


def _missed(model: ModelJson, each: ClassJson) -> Iterator[ProblemJson]:
    of, name = f"model/{model['key']}", each["name"]
    seen, ahead, asked = each["realised_frac"], each["predicted_frac"], each["percentile_frac"]
    if seen is not None and seen < asked:
        why = f"{percent(seen)} of its requests attained every bound within {each['window'] or 'the window'}; {percent(asked)} are promised."
        todo = _MISSED_ADVICE.get(each["worst_bound"], _MISSED_OTHERWISE)
        yield _problem("bad", (f"{name} misses its SLO", why, todo), of)
    elif ahead is not None and ahead < asked:
        why = (
            f"{percent(ahead)} are predicted to attain every bound; {percent(asked)} are promised."
        )
        todo = "Look at the limits: the decision is the best that they allow."
        yield _problem("warn", (f"{name} is predicted to miss its SLO", why, todo), of)


def _failing(model: ModelJson) -> Iterator[ProblemJson]:
    said: set[str] = set()
    for condition in model["conditions"]:
        type_, reason, message = condition["type"], condition["reason"], condition["message"]
        if not is_failing(type_, condition["status"]) or message in said:
            continue
        said.add(message)
        state: State = "busy" if reason in _PASSING else "warn"
        if type_ in {"SLOFeasible", "TargetResolved"}:
            state = "bad"
        what, todo = condition_words(type_, reason)
        yield _problem(state, (what, message, todo), condition["of"], condition["since_s"])


def _problem(
    state: State, texts: tuple[str, str, str], of: str, since_s: float | None = None
) -> ProblemJson:
    what, why, todo = texts
    return {"state": state, "what": what, "why": why, "todo": todo, "of": of, "since_s": since_s}


def percent(frac: float) -> str:
    """A share in percent, never rounded up to a promise that was not kept."""
    return f"{int(frac * 1000 + 1e-6) / 10:g} %"
