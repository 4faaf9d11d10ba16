"""What holds for every wire type."""

import json

import pytest
from pydantic import ValidationError

from models.accelerator_stock import AcceleratorStock, AcceleratorStockSpec
from models.capacity_profile import CapacityProfile
from models.group import Group
from models.object_meta import ObjectMeta
from models.service_level import ServiceLevel, TtftBound
from models.service_level_status import Route, ServiceLevelStatus
from models.variant_autoscaling import VariantAutoscaling
from models.wire import WireModel


def every_type(of: type[WireModel] = WireModel):
    for each in of.__subclasses__():
        yield each
        yield from every_type(each)


# a type counts once its module is imported: naming the four kinds keeps their imports
KINDS = (ServiceLevel, VariantAutoscaling, CapacityProfile, AcceleratorStock)
STOCK = {
    "apiVersion": "autoscaling.llmd.ai/v1alpha1",
    "kind": "AcceleratorStock",
    "metadata": {"name": "a100"},
    "spec": {"accelerator": "A100-80GB"},
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_kind_has_a_float_in_its_schema(kind):
    # Kubernetes' conventions forbid floats: they do not survive every client unchanged
    assert '"number"' not in json.dumps(kind.model_json_schema())


@pytest.mark.parametrize(
    "kind",
    sorted(set(every_type()), key=lambda kind: kind.__name__),
    ids=lambda kind: kind.__name__,
)
def test_every_field_is_described(kind):
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


def test_an_unknown_field_is_refused():
    with pytest.raises(ValidationError, match="nodes"):
        AcceleratorStock.from_wire(STOCK | {"nodes": 3})


def test_a_field_of_a_newer_version_is_ignored_where_we_are_told_to():
    read = AcceleratorStock.from_wire(
        STOCK | {"status": {"total": 64, "reserved": 3}}, is_tolerant=True
    )
    assert read.to_wire() == STOCK | {"status": {"total": 64}}


def test_the_wire_knows_a_field_by_its_wire_name_only():
    with pytest.raises(ValidationError, match="price_per_hour"):
        AcceleratorStock.from_wire(
            STOCK | {"spec": {"accelerator": "A100-80GB", "price_per_hour": "3.5"}}
        )


def test_python_sets_a_field_by_our_name_in_our_unit():
    assert TtftBound(max_s=90).to_wire() == {"max": "1m30s"}


def test_an_object_made_in_python_says_what_it_is():
    made = AcceleratorStock(
        metadata=ObjectMeta(name="a100"), spec=AcceleratorStockSpec(accelerator="A100-80GB")
    )
    assert made.to_wire() == STOCK


def test_an_absent_value_is_not_written_but_an_empty_list_that_was_set_is():
    status = ServiceLevelStatus(observed_generation=None, infeasible=())
    assert status.to_wire() == {"infeasible": []}


def test_a_fraction_that_is_no_number_cannot_be_published():
    with pytest.raises(ValidationError, match="finite"):
        Route(class_name="a", target="b", group=Group.MIXED, fraction=float("nan"))


def test_a_value_does_not_change():
    made = AcceleratorStock.from_wire(STOCK)
    with pytest.raises(ValidationError, match="frozen"):
        made.spec.limit = 3
