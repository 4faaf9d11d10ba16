"""The CustomResourceDefinitions of our four kinds, generated from the types of the wire."""

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from llmd_autoscaler.translate.crd_schema import Schema, object_schema
from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile
from models.object_meta import API_VERSION
from models.resource import Resource
from models.service_level import ServiceLevel
from models.variant_autoscaling import VariantAutoscaling
from models.wire import WireModel

_HEAD = "# Generated from models/ by `llmd-autoscaler crds --out manifests/crds`: change the models, not this file.\n"
_WIDE = 1  # the priority of a column that only `kubectl get -o wide` shows


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`: one scalar of the object."""

    title: str
    path: str
    type: str = "string"
    is_wide: bool = False

    def wire(self) -> Schema:
        """As the CRD writes it."""
        priority = {"priority": _WIDE} if self.is_wide else {}
        return {"name": self.title, "type": self.type, "jsonPath": self.path, **priority}


_AGE = Column("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its type, what it is called, and what a list of it shows."""

    model: type[Resource]
    short_name: str
    columns: tuple[Column, ...]
    is_namespaced: bool = True

    @property
    def name(self) -> str:
        """Its kind."""
        return self.model.__name__

    @property
    def plural(self) -> str:
        """What its path says."""
        return f"{self.name.lower()}s"


KINDS = (
    Kind(
        ServiceLevel,
        "sl",
        (
            Column("Model", ".spec.modelID"),
            Column("Classes", ".status.summary.classes"),
            Column("QPS", ".status.summary.qps"),
            Column("SLO", ".status.summary.attainment"),
            Column("Predicted", ".status.summary.predicted"),
            Column("Cost/h", ".status.costPerHour"),
            Column("$/1M tokens", ".status.costPerMillionTokens"),
            Column("Feasible", ".status.summary.feasible"),
            Column("Binding", ".status.binding.limit", is_wide=True),
            Column("Binding of", ".status.binding.of", is_wide=True),
            Column("Traffic from", ".status.traffic.source", is_wide=True),
            Column("Routing", ".spec.routing", is_wide=True),
            Column("Decision", ".status.decisionID", is_wide=True),
            Column("Valid until", ".status.validUntil", is_wide=True),
            _AGE,
        ),
    ),
    Kind(
        VariantAutoscaling,
        "va",
        (
            Column("Model", ".spec.modelID"),
            Column("Accelerator", ".spec.accelerator"),
            Column("Groups", ".status.groupNames"),
            Column("Replicas", ".status.replicas", "integer"),
            Column("Desired", ".status.desiredReplicas", "integer"),
            Column("Load", ".status.load"),
            Column("Cost/h", ".status.costPerHour"),
            Column("Ready", ".status.readyReplicas", "integer"),
            Column("Reason", ".status.reason"),
            Column("Min", ".spec.minReplicas", "integer", is_wide=True),
            Column("Max", ".spec.maxReplicas", "integer", is_wide=True),
            Column("Utilization", ".status.utilization", is_wide=True),
            Column("Lead time p90", ".status.leadTime.p90", is_wide=True),
            Column("Actuation", ".spec.actuation", is_wide=True),
            Column("Decision", ".status.decisionID", is_wide=True),
            Column("Valid until", ".status.validUntil", is_wide=True),
            _AGE,
        ),
    ),
    Kind(
        CapacityProfile,
        "cprof",
        (
            Column("Model", ".spec.model"),
            Column("Accelerator", ".spec.accelerator"),
            Column("Count", ".spec.acceleratorCount", "integer"),
            Column("Engine", ".spec.engine.version"),
            Column("Trust", ".spec.trust"),
            Column("Error p95", ".spec.stepError.p95Frac"),
            Column("KV tokens", ".spec.kv.tokens", "integer", is_wide=True),
            Column("Startup p90", ".spec.startup.p90", is_wide=True),
            Column("By", ".spec.provenance.by", is_wide=True),
            _AGE,
        ),
    ),
    Kind(
        AcceleratorStock,
        "stock",
        (
            Column("Accelerator", ".spec.accelerator"),
            Column("Limit", ".spec.limit", "integer"),
            Column("Total", ".status.total", "integer"),
            Column("In use", ".status.inUse", "integer"),
            Column("Free", ".status.free", "integer"),
            Column("Price/h", ".spec.pricePerHour"),
            Column("Spot", ".spec.spot", "boolean"),
            Column("Resource", ".spec.resource", is_wide=True),
            Column("Per node", ".spec.perNode", "integer", is_wide=True),
            _AGE,
        ),
        is_namespaced=False,
    ),
)


def definitions() -> list[Schema]:
    """The four definitions as JSON data."""
    return [_definition(kind) for kind in KINDS]


def files() -> Mapping[str, str]:
    """The same as YAML, by the name of a file."""
    group = API_VERSION.partition("/")[0]
    return {
        f"{group}_{kind.plural}.yaml": _HEAD
        + yaml.safe_dump(_definition(kind), sort_keys=False, allow_unicode=True, width=120)
        for kind in KINDS
    }


def _definition(kind: Kind) -> Schema:
    group, _, version = API_VERSION.partition("/")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{group}"},
        "spec": {
            "group": group,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["llmd"],
            },
            "scope": "Namespaced" if kind.is_namespaced else "Cluster",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root(kind.model)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.wire() for column in kind.columns],
                }
            ],
        },
    }


def _root(model: type[Resource]) -> Schema:
    """The schema of a whole object; the server knows metadata better than we do."""
    spec, status = (_part(model, name) for name in ("spec", "status"))
    return {
        "type": "object",
        "description": " ".join((model.__doc__ or "").split()),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{API_VERSION}."},
            "kind": {"type": "string", "description": f"{model.__name__}."},
            "metadata": {"type": "object"},
            "spec": object_schema(spec),
            "status": object_schema(status, is_status=True),
        },
    }


def _part(model: type[Resource], name: str) -> type[WireModel]:
    """The type of spec or status, whether it may be absent or not."""
    annotation = model.model_fields[name].annotation
    choices = (annotation, *getattr(annotation, "__args__", ()))
    return next(each for each in choices if isinstance(each, type) and issubclass(each, WireModel))
