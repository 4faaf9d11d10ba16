"""The status of a VariantAutoscaling: the numbers that the metrics adapter serves, with their reasons."""

from enum import StrEnum

from pydantic import Field

from models.condition import Condition
from models.count import Count
from models.decimal_text import AmountText
from models.decision_id import DecisionIdText
from models.duration import Duration
from models.group import Group
from models.timestamp import Timestamp
from models.wire import WireModel


class LeadTimeSource(StrEnum):
    """Where a lead time comes from."""

    OBSERVED = "observed"
    PROFILE = "profile"


class GroupStatus(WireModel):
    """The instances of one group."""

    name: Group = Field(description="prefill, decode, mixed or batch.")
    desired: Count = Field(description="Instances decided.")
    current: Count | None = Field(default=None, description="Instances that serve.")
    starting: Count | None = Field(default=None, description="Instances that start.")
    ready_by_s: Timestamp | None = Field(
        default=None, alias="readyBy", description="When they should serve, by the lead time's p90."
    )
    load: AmountText | None = Field(
        default=None, description="Instances that the work is worth, with a fraction."
    )


class LeadTimeStatus(WireModel):
    """Time from a decision to a serving instance."""

    p50_s: Duration = Field(alias="p50", description="Median.")
    p90_s: Duration = Field(alias="p90", description="90th percentile.")
    source: LeadTimeSource = Field(description="observed, or profile until starts were seen.")
    samples: Count | None = Field(default=None, description="Starts seen.")


class Reason(WireModel):
    """Why the number is what it is."""

    code: str = Field(description="In one CamelCase word for programs.")
    message: str = Field(description="With numbers, in a sentence for people.")


class HistoryEntry(WireModel):
    """A change of the number."""

    at_s: Timestamp = Field(alias="at", description="When.")
    from_replicas: Count = Field(alias="from", description="Instances before.")
    to_replicas: Count = Field(alias="to", description="Instances after.")
    code: str = Field(description="Why, as a reason's code.")


class VariantAutoscalingStatus(WireModel):
    """The decision for one scalable object."""

    observed_generation: Count | None = Field(
        default=None, description="Generation of the spec that was read."
    )
    decision_id: DecisionIdText | None = Field(
        default=None,
        alias="decisionID",
        description="The ServiceLevel's decision that this is part of.",
    )
    decided_at_s: Timestamp | None = Field(
        default=None, alias="decidedAt", description="When it was made."
    )
    valid_until_s: Timestamp | None = Field(
        default=None,
        alias="validUntil",
        description="After this the adapter withholds every value.",
    )
    group_names: str | None = Field(default=None, description="Groups, for the printer column.")
    cost_per_hour: AmountText | None = Field(
        default=None, description="Cost of all its instances an hour."
    )
    reason: str | None = Field(
        default=None, description="Code of the first reason, for the printer column."
    )
    replicas: Count | None = Field(default=None, description="Instances that exist.")
    ready_replicas: Count | None = Field(default=None, description="Instances that serve.")
    desired_replicas: Count | None = Field(default=None, description="Instances decided.")
    load: AmountText | None = Field(
        default=None, description="Instances that the work is worth, with a fraction."
    )
    utilization: AmountText | None = Field(
        default=None, description="Work over what the ready instances carry."
    )
    groups: tuple[GroupStatus, ...] = Field(default=(), description="The same of each group.")
    lead_time: LeadTimeStatus | None = Field(
        default=None, description="Time until a new instance serves."
    )
    reasons: tuple[Reason, ...] = Field(default=(), description="Why, with numbers.")
    history: tuple[HistoryEntry, ...] = Field(default=(), description="The last changes.")
    conditions: tuple[Condition, ...] = Field(default=(), description="ProfileTrusted and others.")
