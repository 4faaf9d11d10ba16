"""A condition of a resource, as Kubernetes writes them."""

from enum import StrEnum

from pydantic import Field

from models.count import Count
from models.name import Text
from models.timestamp import Timestamp
from models.wire import WireModel


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(WireModel):
    """One thing that is true, false or unknown of a resource, with the reason."""

    type: Text = Field(description="What the condition is about, such as SLOFeasible.")
    status: ConditionStatus = Field(description="Whether it holds: True, False or Unknown.")
    reason: Text = Field(description="Why, in one CamelCase word for programs.")
    message: str = Field(default="", description="Why, with numbers, in a sentence for people.")
    observed_generation: Count | None = Field(
        default=None, description="The metadata.generation that this was said of."
    )
    last_transition_time_s: Timestamp = Field(
        alias="lastTransitionTime", description="When status last changed."
    )
