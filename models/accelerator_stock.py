"""AcceleratorStock: how many accelerators of one type there are, and what they cost."""

from typing import Literal

from pydantic import Field, field_validator

from models.condition import Condition
from models.count import Count, PositiveCount
from models.decimal_text import AmountText
from models.name import LabelName, Text
from models.object_meta import ObjectMeta
from models.resource import Resource
from models.wire import WireModel


class Share(WireModel):
    """The part of the stock that one namespace may use."""

    namespace: LabelName = Field(description="The namespace.")
    max: Count = Field(description="Most accelerators that it may use.")


class AcceleratorStockSpec(WireModel):
    """One accelerator type of the cluster."""

    accelerator: Text = Field(description="Its name in profiles and VariantAutoscalings.")
    resource: Text = Field(default="nvidia.com/gpu", description="The resource that pods ask for.")
    node_selector: dict[str, str] = Field(
        default_factory=dict, description="Labels of the nodes that have it."
    )
    limit: Count | None = Field(
        default=None, description="How many may be used; absent: counted from the nodes."
    )
    per_node: PositiveCount | None = Field(default=None, description="How many a node has.")
    price_per_hour: AmountText | None = Field(default=None, description="Price of one for an hour.")
    spot: bool = Field(default=False, description="Whether it may be taken away at short notice.")
    shares: tuple[Share, ...] = Field(default=(), description="Limits of namespaces.")

    @field_validator("shares")
    @classmethod
    def _names_each_namespace_once(cls, shares: tuple[Share, ...]) -> tuple[Share, ...]:
        names = [share.namespace for share in shares]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'found two shares of namespace "{twice}"; write one')
        return shares


class AcceleratorStockStatus(WireModel):
    """What the controller sees of the stock."""

    observed_generation: Count | None = Field(
        default=None, description="Generation of the spec that was read."
    )
    total: Count | None = Field(default=None, description="Accelerators that exist.")
    in_use: Count | None = Field(default=None, description="Accelerators that pods hold.")
    free: Count | None = Field(default=None, description="Accelerators that a new pod could get.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Discovered.")


class AcceleratorStock(Resource):
    """The stock of one accelerator type; it belongs to the whole cluster."""

    kind: Literal["AcceleratorStock"] = Field(
        default="AcceleratorStock", description="AcceleratorStock."
    )
    spec: AcceleratorStockSpec = Field(description="The accelerator type.")
    status: AcceleratorStockStatus | None = Field(
        default=None, description="What the controller sees of it."
    )

    @field_validator("metadata")
    @classmethod
    def _has_no_namespace(cls, metadata: ObjectMeta) -> ObjectMeta:
        if metadata.namespace is not None:
            raise ValueError(
                f'found namespace "{metadata.namespace}"; leave it out, an AcceleratorStock belongs to the whole cluster'
            )
        return metadata
