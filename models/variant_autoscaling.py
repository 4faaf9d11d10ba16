"""VariantAutoscaling: one scalable object, the variant that it runs, and how many instances it shall have."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from models.capacity_profile import CapacityProfileSpec
from models.count import Count, Port, PositiveCount
from models.decimal_text import AmountText
from models.group import Group
from models.name import ObjectName, Text
from models.resource import Resource
from models.variant_autoscaling_status import VariantAutoscalingStatus
from models.wire import WireModel


class Actuation(StrEnum):
    """Who changes the number of instances."""

    HPA = "HPA"
    DIRECT = "Direct"
    ADVISORY = "Advisory"


class Scheme(StrEnum):
    """How the metrics page is reached."""

    HTTP = "http"
    HTTPS = "https"


class ScaleTargetRef(WireModel):
    """The object whose number of instances is scaled."""

    api_version: Text = Field(description="Its API version, such as apps/v1.")
    kind: Text = Field(description="Its kind, such as Deployment.")
    name: ObjectName = Field(description="Its name, in the same namespace.")


class ProfileRef(WireModel):
    """A CapacityProfile of the same namespace."""

    name: ObjectName = Field(description="Its name.")


class SecretKeyRef(WireModel):
    """One key of a Secret of the same namespace."""

    name: ObjectName = Field(description="The Secret.")
    key: Text = Field(description="The key in it.")


class MetricsEndpoint(WireModel):
    """Where an instance says how it is."""

    port: Port = Field(default=8000, description="Port of the pod; requests go there too.")
    path: str = Field(default="/metrics", pattern="^/", description="Path of the metrics page.")
    scheme: Scheme = Field(default=Scheme.HTTP, description="http or https.")
    bearer_token_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Token for a model server behind an API key."
    )


class VariantAutoscalingSpec(WireModel):
    """What is scaled, which variant it runs, and within which limits."""

    scale_target_ref: ScaleTargetRef = Field(description="What is scaled.")
    model_id: Text = Field(
        alias="modelID", description="The model that it serves, as its ServiceLevel names it."
    )
    accelerator: Text = Field(description="Its accelerator, as AcceleratorStock names it.")
    accelerator_count: PositiveCount = Field(default=1, description="Accelerators of one instance.")
    groups: tuple[Group, ...] = Field(
        default=(Group.MIXED,),
        min_length=1,
        description="What its engine can do: prefill, decode, mixed, batch.",
    )
    kv_domain: str = Field(
        default="", description="Objects with the same text can hand KV cache over."
    )
    link_gbps: AmountText | None = Field(
        default=None, description="How fast, in gigabits a second."
    )
    cost_per_hour: AmountText | None = Field(
        default=None,
        description="Cost of one instance; absent: its accelerators at the stock's price.",
    )
    min_replicas: Count = Field(
        default=1,
        description="Fewest instances; 0 needs an HPA whose own minReplicas is 0 too.",
    )
    max_replicas: PositiveCount = Field(description="Most instances.")
    profile_ref: ProfileRef | None = Field(
        default=None, description="The CapacityProfile of its variant; or write profile."
    )
    profile: CapacityProfileSpec | None = Field(
        default=None, description="The profile of its variant, written out here."
    )
    actuation: Actuation = Field(
        default=Actuation.HPA, description="Who changes the number of instances."
    )
    paused: bool = Field(default=False, description="Whether the present number is held.")
    metrics: MetricsEndpoint = Field(
        default=MetricsEndpoint(), description="Where an instance says how it is."
    )

    @field_validator("groups")
    @classmethod
    def _stand_once(cls, groups: tuple[Group, ...]) -> tuple[Group, ...]:
        twice = next((group for group in groups if groups.count(group) > 1), None)
        if twice is not None:
            raise ValueError(f'found "{twice}" twice; write each group once')
        return groups

    @field_validator("max_replicas")
    @classmethod
    def _is_no_less_than_min(cls, max_replicas: int, info: ValidationInfo[None]) -> int:
        min_replicas = info.data.get("min_replicas", 1)
        if max_replicas < min_replicas:
            raise ValueError(
                f"found {max_replicas}, below minReplicas {min_replicas}; write {min_replicas} or more"
            )
        return max_replicas

    @model_validator(mode="after")
    def _has_one_profile(self) -> Self:
        if (self.profile_ref is None) == (self.profile is None):
            which = "no profile" if self.profile is None else "both profileRef and profile"
            raise ValueError(f"found {which}; write exactly one of profileRef and profile")
        return self


class VariantAutoscaling(Resource):
    """One scalable object and the number of instances decided for it."""

    kind: Literal["VariantAutoscaling"] = Field(
        default="VariantAutoscaling", description="VariantAutoscaling."
    )
    spec: VariantAutoscalingSpec = Field(description="What is scaled and within which limits.")
    status: VariantAutoscalingStatus | None = Field(
        default=None, description="The decision: all that the metrics adapter reads."
    )
