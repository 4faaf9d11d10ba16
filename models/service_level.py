"""ServiceLevel: the classes of one model's requests and what each is promised."""

from collections import Counter
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from models.count import Count
from models.decimal_text import DecimalText
from models.duration import Duration, PositiveDuration
from models.name import LabelName, Text
from models.resource import Resource
from models.service_level_status import ServiceLevelStatus
from models.wire import WireModel


class Routing(StrEnum):
    """How far whoever routes the requests follows the fractions of a decision."""

    OBEYED = "Obeyed"
    BY_LABEL = "ByLabel"
    UNCONTROLLED = "Uncontrolled"


class ServedModel(WireModel):
    """Another name that counts as this model."""

    name: Text = Field(description="Alias, or name of a LoRA adapter.")
    adapter: bool = Field(default=False, description="Whether it is a LoRA adapter.")


class HeaderMatch(WireModel):
    """A request header that must have a value."""

    name: Text = Field(description="Name of the header; upper and lower case are the same.")
    value: str = Field(description="Its value.")


class Match(WireModel):
    """Which requests belong to a class: exactly one of the three."""

    header: HeaderMatch | None = Field(default=None, description="Those with this header.")
    objective: Text | None = Field(default=None, description="Those of this InferenceObjective.")
    default: bool | None = Field(
        default=None, description="true: those that no other class matches."
    )

    @field_validator("default")
    @classmethod
    def _is_true(cls, default: bool | None) -> bool | None:
        # false would be a rule that matches nothing, and read as "not the default, but something"
        if default is False:
            raise ValueError("found false; write true, or leave it out")
        return default

    @model_validator(mode="after")
    def _is_one_rule(self) -> Self:
        rules = [
            name for name in ("header", "objective", "default") if getattr(self, name) is not None
        ]
        if len(rules) != 1:
            raise ValueError(
                f"found {' and '.join(rules) or 'no rule'}; write exactly one of header, objective and default: true"
            )
        return self


class TtftBound(WireModel):
    """Longest time from arrival to the first token."""

    max_s: PositiveDuration = Field(alias="max", description="For a prompt without length.")
    per_thousand_prompt_tokens_s: Duration | None = Field(
        default=None,
        alias="perThousandPromptTokens",
        description="Allowance a thousand prompt tokens.",
    )


class LatencyBound(WireModel):
    """Longest time."""

    max_s: PositiveDuration = Field(
        alias="max", description="The longest time that attains the SLO."
    )


class Slo(WireModel):
    """The bounds that a share of the requests must attain, all of them."""

    percentile: DecimalText = Field(
        description="Share of requests that must attain every bound, below 1."
    )
    ttft: TtftBound | None = Field(default=None, description="Time to the first token.")
    tpot: LatencyBound | None = Field(
        default=None, description="Mean gap between the tokens of one request."
    )
    e2e: LatencyBound | None = Field(
        default=None, alias="e2e", description="Time to the last token."
    )
    deadline_s: PositiveDuration | None = Field(
        default=None, alias="deadline", description="Time to the last token of work that may wait."
    )

    @field_validator("percentile")
    @classmethod
    def _is_a_share(cls, percentile: float) -> float:
        if not 0 < percentile < 1:
            raise ValueError(
                f'found "{percentile:g}"; write a share above 0 and below 1, such as "0.99"'
            )
        return percentile

    @model_validator(mode="after")
    def _promises_something(self) -> Self:
        if self.ttft is None and self.tpot is None and self.e2e is None and self.deadline_s is None:
            raise ValueError("found no bound; write at least one of ttft, tpot, e2e and deadline")
        return self


class QosClassSpec(WireModel):
    """Requests that share one SLO and one priority."""

    name: LabelName = Field(description="Name of the class, unique in the model.")
    priority: int = Field(default=0, ge=-(2**31), lt=2**31, description="Higher is shed later.")
    match: Match = Field(description="Which requests belong to it.")
    slo: Slo = Field(description="What they are promised.")


class ServiceLevelSpec(WireModel):
    """One model, its classes of requests and its limits as a whole."""

    model_id: Text = Field(
        alias="modelID", description="What clients name; unique in the namespace."
    )
    served_models: tuple[ServedModel, ...] = Field(
        default=(), description="Aliases and LoRA adapters that count as this model."
    )
    routing: Routing = Field(
        default=Routing.UNCONTROLLED, description="How far requests follow our fractions."
    )
    min_instances: Count = Field(
        default=1,
        description="Fewest instances of the model as a whole; with 0 it sleeps where nobody asks.",
    )
    idle_after_s: PositiveDuration | None = Field(
        default=None,
        alias="idleAfter",
        description="Time without requests before the last instance goes, where minInstances is 0.",
    )
    classes: tuple[QosClassSpec, ...] = Field(
        min_length=1, description="Classes in the order of matching; exactly one is the default."
    )

    @field_validator("classes")
    @classmethod
    def _are_told_apart(cls, classes: tuple[QosClassSpec, ...]) -> tuple[QosClassSpec, ...]:
        name, n = Counter(each.name for each in classes).most_common(1)[0]
        if n > 1:
            raise ValueError(f'found {n} classes named "{name}"; give each a name of its own')
        defaults = [each.name for each in classes if each.match.default]
        if not defaults:
            raise ValueError("found no default class; write match: {default: true} in one")
        if len(defaults) > 1:
            raise ValueError(
                f"found {len(defaults)} default classes ({', '.join(defaults)}); leave one"
            )
        return classes


class ServiceLevel(Resource):
    """What one model's requests are promised, and the decision that keeps the promise."""

    kind: Literal["ServiceLevel"] = Field(default="ServiceLevel", description="ServiceLevel.")
    spec: ServiceLevelSpec = Field(description="The classes and what they are promised.")
    status: ServiceLevelStatus | None = Field(
        default=None, description="The decision: all that the router reads."
    )
