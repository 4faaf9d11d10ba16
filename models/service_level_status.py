"""The status of a ServiceLevel: the decision of one model, which the router acts on."""

from enum import StrEnum

from pydantic import Field

from models.capacity_profile import FrontEndSpec, StepSpec
from models.condition import Condition
from models.count import Count, Port, PositiveCount
from models.decimal_text import AmountText, DecimalText, FractionText
from models.decision_id import DecisionIdText
from models.duration import Duration, PositiveDuration
from models.group import Group
from models.timestamp import Timestamp
from models.wire import WireModel


class TrafficSource(StrEnum):
    """Who counted the traffic."""

    ROUTER = "router"
    VLLM_HISTOGRAMS = "vllm-histograms"
    PROMETHEUS = "prometheus"


class Bound(StrEnum):
    """What a class lacks: a bound of its SLO, room in the KV cache, or instances."""

    TTFT = "ttft"
    TPOT = "tpot"
    E2E = "e2e"
    DEADLINE = "deadline"
    KV = "kv"
    CAPACITY = "capacity"


class Summary(WireModel):
    """The columns of `kubectl get sl`: a printer column shows one scalar."""

    classes: str | None = Field(default=None, description="Number of classes.")
    qps: AmountText | None = Field(default=None, description="Requests a second, all classes.")
    attainment: FractionText | None = Field(
        default=None, description="Share that attained the SLO, worst class."
    )
    predicted: FractionText | None = Field(default=None, description="Share that was predicted to.")
    feasible: str | None = Field(default=None, description="Status of the condition SLOFeasible.")


class ClassTraffic(WireModel):
    """The traffic of one class."""

    name: str = Field(description="The class.")
    qps: AmountText = Field(description="Arrivals a second.")
    isl_mean: Count | None = Field(default=None, description="Mean prompt length in tokens.")
    osl_mean: Count | None = Field(default=None, description="Mean answer length in tokens.")
    prefix_hit: FractionText | None = Field(
        default=None, description="Share of prompt tokens found in a cache."
    )


class Traffic(WireModel):
    """The traffic that the decision saw."""

    source: TrafficSource = Field(description="router, vllm-histograms or prometheus.")
    window_s: PositiveDuration = Field(alias="window", description="Time that was counted over.")
    classes: tuple[ClassTraffic, ...] = Field(default=(), description="The traffic of each class.")


class ClassForecast(WireModel):
    """The arrivals that one class is expected to have over the lead time."""

    class_name: str = Field(alias="class", description="The class.")
    horizon_s: PositiveDuration = Field(alias="horizon", description="How far ahead.")
    qps_p50: AmountText = Field(alias="qpsP50", description="Median of the arrivals a second.")
    qps_p90: AmountText = Field(alias="qpsP90", description="Their 90th percentile.")


class MixEntry(WireModel):
    """One group of the instance mix, with what the router needs of it."""

    target: str = Field(description="The VariantAutoscaling.")
    group: Group = Field(description="prefill, decode, mixed or batch.")
    tier_s: PositiveDuration | None = Field(
        default=None, alias="tier", description="Strictest TPOT that it serves; absent: none."
    )
    instances: Count = Field(description="Instances of the group.")
    port: Port = Field(description="Port of its pods.")
    kv_tokens: PositiveCount = Field(description="KV cache of one instance in tokens.")
    step: StepSpec = Field(description="Time of one engine step.")
    front_end: FrontEndSpec | None = Field(
        default=None, description="What a request pays outside the engine."
    )


class Route(WireModel):
    """A share of the requests of one class and length."""

    class_name: str = Field(alias="class", description="The class.")
    isl_up_to: Count | None = Field(
        default=None, description="Longest prompt in tokens; absent: no limit."
    )
    target: str = Field(description="The VariantAutoscaling that serves them.")
    group: Group = Field(description="Its group.")
    fraction: FractionText = Field(
        description="Share of them; the shares of one class and length sum to 1."
    )


class Attainment(WireModel):
    """How one class's SLO was kept."""

    class_name: str = Field(alias="class", description="The class.")
    window_s: PositiveDuration = Field(alias="window", description="Time that was looked at.")
    predicted: FractionText | None = Field(
        default=None, description="Share that was predicted to attain it."
    )
    realised: FractionText | None = Field(default=None, description="Share that did.")
    worst: Bound | None = Field(default=None, description="The bound that was missed most.")


class Binding(WireModel):
    """The limit that costs most."""

    limit: str = Field(description="The limit, such as maxReplicas.")
    of: str = Field(description="The object whose limit it is.")
    saves_per_hour_per_unit: DecimalText | None = Field(
        default=None, description="Cost an hour that one more unit would save."
    )


class Infeasible(WireModel):
    """An SLO that no mix within the limits can keep."""

    class_name: str = Field(alias="class", description="The class.")
    isl_up_to: Count | None = Field(default=None, description="The prompt lengths; absent: all.")
    bound: Bound = Field(description="The bound that cannot be kept.")
    needs_s: Duration | None = Field(
        default=None, alias="needs", description="The time that it would take."
    )
    has_s: Duration | None = Field(
        default=None, alias="has", description="The time that the SLO allows."
    )
    text: str = Field(description="The same in a sentence.")


class Shed(WireModel):
    """Requests that are refused on purpose."""

    class_name: str = Field(alias="class", description="The class.")
    fraction: FractionText = Field(description="Share of its requests.")
    reason: str = Field(description="Why.")


class Alternative(WireModel):
    """A mix that was weighed and rejected."""

    mix: str = Field(description="The mix in words.")
    cost_per_hour: AmountText = Field(description="Its cost an hour.")
    why: str = Field(description="Why it was rejected.")


class ServiceLevelStatus(WireModel):
    """The decision of one model."""

    observed_generation: Count | None = Field(
        default=None, description="Generation of the spec that was read."
    )
    decision_id: DecisionIdText | None = Field(
        default=None, alias="decisionID", description="Leader epoch and counter of the decision."
    )
    decided_at_s: Timestamp | None = Field(
        default=None, alias="decidedAt", description="When it was made."
    )
    valid_until_s: Timestamp | None = Field(
        default=None,
        alias="validUntil",
        description="After this the adapter withholds and routes do not bind.",
    )
    summary: Summary | None = Field(default=None, description="Scalars for the printer columns.")
    traffic: Traffic | None = Field(default=None, description="The traffic seen.")
    forecast: tuple[ClassForecast, ...] = Field(default=(), description="The traffic expected.")
    mix: tuple[MixEntry, ...] = Field(default=(), description="Instances of each group.")
    routes: tuple[Route, ...] = Field(default=(), description="Which requests go where.")
    attainment: tuple[Attainment, ...] = Field(default=(), description="How the SLOs were kept.")
    cost_per_hour: AmountText | None = Field(default=None, description="Cost of the mix an hour.")
    cost_per_million_tokens: AmountText | None = Field(
        default=None, description="Cost of a million tokens, prompts and answers."
    )
    binding: Binding | None = Field(default=None, description="The limit that costs most.")
    infeasible: tuple[Infeasible, ...] = Field(default=(), description="SLOs that cannot be kept.")
    shed: tuple[Shed, ...] = Field(default=(), description="Requests refused on purpose.")
    alternatives: tuple[Alternative, ...] = Field(
        default=(), description="Mixes weighed and rejected."
    )
    conditions: tuple[Condition, ...] = Field(default=(), description="SLOFeasible and others.")
