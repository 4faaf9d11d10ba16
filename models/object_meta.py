"""What every Kubernetes object carries, and our API group's name."""

from typing import Final

from pydantic import Field, JsonValue

from models.count import Count
from models.name import LabelName, ObjectName
from models.timestamp import Timestamp
from models.wire import WireModel

API_VERSION: Final = "autoscaling.llmd.ai/v1alpha1"


class ObjectMeta(WireModel):
    """Kubernetes' metadata; all its fields, so that a slip in a file is told from a field that we do not use."""

    name: ObjectName = Field(
        description="Name of the object, unique for its kind in the namespace."
    )
    namespace: LabelName | None = Field(default=None, description="Namespace of the object.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that selectors match.")
    annotations: dict[str, str] = Field(
        default_factory=dict, description="Notes of tools and people."
    )
    generation: int | None = Field(default=None, ge=0, description="Counts the changes of spec.")
    resource_version: str | None = Field(default=None, description="Version of the whole object.")
    uid: str | None = Field(
        default=None, description="Identity of this object among all of its name."
    )
    creation_timestamp_s: Timestamp | None = Field(
        default=None, alias="creationTimestamp", description="When the object was created."
    )
    deletion_timestamp_s: Timestamp | None = Field(
        default=None, alias="deletionTimestamp", description="When the object is to be gone."
    )
    deletion_grace_period_seconds: Count | None = Field(
        default=None, description="Seconds that it is given to end by itself."
    )
    generate_name: str | None = Field(
        default=None, description="Prefix of a name that the server completes."
    )
    self_link: str | None = Field(default=None, description="Not used by Kubernetes any more.")
    finalizers: tuple[str, ...] = Field(
        default=(), description="Who must agree before the object goes."
    )
    owner_references: tuple[dict[str, JsonValue], ...] = Field(
        default=(), description="Objects that this one goes with."
    )
    managed_fields: tuple[dict[str, JsonValue], ...] = Field(
        default=(), description="Which manager set which fields."
    )
