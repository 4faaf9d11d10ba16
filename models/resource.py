"""What the four kinds have in common."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.object_meta import API_VERSION, ObjectMeta
from models.wire import WireModel


class Resource(WireModel):
    """An object of our API group."""

    api_version: Literal["autoscaling.llmd.ai/v1alpha1"] = Field(
        default=API_VERSION, description="API group and version."
    )
    metadata: ObjectMeta = Field(description="Name, namespace, labels.")

    @model_validator(mode="after")
    def _says_what_it_is(self) -> Self:
        # what nobody set is not written, but an object without its kind is none
        self.model_fields_set.update(("api_version", "kind"))
        return self
