"""What the page is sent: plain JSON of its own shape, whose units are the last words of its names.

`None` is "not known". The server fills these from statuses and metrics, the scripts in `static` read them.
"""

from typing import Literal, TypedDict

State = Literal["ok", "busy", "warn", "bad", "unknown"]


class ProblemJson(TypedDict):
    """Something that a person should know of, and what to do about it."""

    state: State
    what: str
    why: str
    todo: str
    of: str  # the object, such as `servicelevel/llama-70b`
    since_s: float | None


class ClassJson(TypedDict):
    """One class of requests: what it is promised, its traffic, and how it fares."""

    name: str
    percentile_frac: float
    ttft_max_s: float | None
    ttft_per_prompt_token_s: float
    tpot_max_s: float | None
    e2e_max_s: float | None
    deadline_s: float | None
    qps: float | None
    isl_mean_tokens: float | None
    osl_mean_tokens: float | None
    hit_frac: float | None
    expected_p50_qps: float | None
    expected_p90_qps: float | None
    horizon: str
    predicted_frac: float | None
    realised_frac: float | None
    window: str
    worst_bound: str


class TargetJson(TypedDict):
    """One scalable object: how many instances it has and should have, and why."""

    name: str
    accelerator: str
    n_accelerators: int
    group: str
    min_instances: int
    max_instances: int
    is_paused: bool
    usd_per_hour: float | None
    n_desired: int | None
    n_ready: int | None
    n_starting: int | None
    n_draining: int | None
    load: float | None
    utilization_frac: float | None
    ready_by_s: float | None
    lead_p50: str
    lead_p90: str
    code: str
    words: str
    message: str


class ShareJson(TypedDict):
    """A part of the requests of one rule."""

    target: str
    group: str
    fraction: float


class RouteJson(TypedDict):
    """Who serves the requests of one class up to a length."""

    class_name: str
    isl_up_to_tokens: int | None
    shares: list[ShareJson]


class ChangeJson(TypedDict):
    """One decision that changed a number."""

    at_s: float
    target: str
    before: int
    after: int
    code: str
    words: str
    message: str  # empty where only the code was kept


class ConditionJson(TypedDict):
    """One condition, as its object says it."""

    of: str
    type: str
    status: str
    reason: str
    message: str
    since_s: float | None


class ModelJson(TypedDict):
    """All that the statuses say of one model."""

    key: str
    namespace: str
    model: str
    decision_id: str
    decided_at_s: float | None
    valid_until_s: float | None
    source: str
    feasible: str
    usd_per_hour: float | None
    usd_per_million_tokens: float | None
    limit: str
    classes: list[ClassJson]
    targets: list[TargetJson]
    routes: list[RouteJson]
    changes: list[ChangeJson]
    conditions: list[ConditionJson]


class RowJson(TypedDict):
    """The line of a model in the table of all."""

    state: State
    note: str
    problems: list[ProblemJson]
    qps: float | None
    n_ready: int | None
    n_desired: int | None
    n_starting: int | None
    n_draining: int | None
    load: float | None
    attained_frac: float | None  # of the class with the least room
    attained_class: str
    percentile_frac: float | None
    predicted_frac: float | None
    usd_per_hour: float | None
    usd_per_million_tokens: float | None
    n_gpus: int | None
    changed_at_s: float | None


class SourceJson(TypedDict):
    """Somebody whom the page asks."""

    name: str
    url: str
    is_connected: bool
    since_s: float
    detail: str


class BoundJson(TypedDict):
    """What hindsight would have taken for the traffic of a finished or replayed run."""

    name: str
    detail: str
    gpu_hours: float
    mean_gpus: float
    usd_per_hour: float | None


class UsedJson(TypedDict):
    """What was used since the page began to look."""

    since_s: float
    gpu_hours: float
    cost_usd: float


class TotalsJson(TypedDict):
    """All models together."""

    n_models: int
    n_bad: int
    n_warn: int
    qps: float | None
    n_ready: int
    n_desired: int
    n_starting: int
    n_draining: int
    n_gpus: int
    usd_per_hour: float
    usd_per_million_tokens: float | None
    worst_attained_frac: float | None
    worst_percentile_frac: float | None
    worst_attained_of: str


class TopJson(TypedDict):
    """What stands above the table."""

    state: State
    headline: str
    now_s: float
    sampled_s: float  # the last moment of the histories
    rate: float
    sources: list[SourceJson]
    totals: TotalsJson
    used: UsedJson
    bounds: list[BoundJson]
