"""What the API server checks beyond types: the twins of the models' validators, and bounds that keep them cheap.

Rules for editors: a refusal of a model needs its twin here, and its sentence says what to write instead.
The server estimates what a rule costs from the bounds of what it walks; without them it refuses the CRD.
A status has no bounds and no rules but one: the controller writes it, and must not be refused for a long message.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from models.accelerator_stock import AcceleratorStockSpec
from models.capacity_profile import EngineSpec, StartupSpec, StepSpec
from models.decimal_text import DecimalText
from models.decision_id import DecisionIdText
from models.duration import Duration
from models.name import LabelName, ObjectName
from models.service_level import Match, ServiceLevelSpec, Slo
from models.service_level_status import ServiceLevelStatus
from models.variant_autoscaling import MetricsEndpoint, VariantAutoscalingSpec
from models.variant_autoscaling_status import VariantAutoscalingStatus
from models.wire import WireModel

Field = tuple[type[WireModel], str]

MAX_TEXT = 1024  # of a text that a person writes: names of models have tens of characters
MAX_ENTRIES = 64  # of a mapping that a person writes


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL expression that must hold, and the sentence for when it does not."""

    holds: str
    sentence: str
    at: str = ""
    """The field that is to be changed, where that is not the one that has the rule."""
    spoken: str = ""
    """The sentence with numbers, as a CEL expression; the plain one is for when it fails."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """A text that means something else: how long it may be, and what to write."""

    type: object
    max_length: int
    wanted: str


TEXT_FORMS = (
    TextForm(DecimalText, 40, 'write a number in quotes, in plain digits, such as "14" or "0.99"'),
    TextForm(
        Duration,
        40,
        'write a duration, not below 0 and with its unit, such as "500ms", "90s" or "1h30m"',
    ),
    TextForm(LabelName, 63, "write at most 63 of a-z, 0-9 and '-', such as \"interactive\""),
    TextForm(ObjectName, 253, "write at most 253 of a-z, 0-9, '-' and '.', such as \"llama-70b\""),
    TextForm(DecisionIdText, 37, 'write leader epoch and counter, such as "7-1482"'),
)

# A paused leader may write after another took over: the adapter would withhold such a value, and so does the server.
_EPOCH_MAY_NOT_FALL = Rule(
    holds="int(self.split('-')[0]) >= int(oldSelf.split('-')[0])",
    sentence="a newer leader has decided since; stop writing, and become leader again first",
    spoken="'a newer leader has decided since (' + oldSelf + ', found ' + self + ');"
    " stop writing, and become leader again first'",
)

OBJECT_RULES: Mapping[type[WireModel], tuple[Rule, ...]] = {
    VariantAutoscalingSpec: (
        Rule(
            holds="has(self.profileRef) != has(self.profile)",
            sentence="write exactly one of profileRef and profile",
        ),
        Rule(
            holds="self.maxReplicas >= self.minReplicas",
            sentence="write a maxReplicas that is no less than minReplicas",
            at=".maxReplicas",
            # not by adding texts: the server takes a number as text to be of any length
            spoken="'found %d, below minReplicas %d; write %d or more'"
            ".format([self.maxReplicas, self.minReplicas, self.minReplicas])",
        ),
    ),
    Match: (
        Rule(
            holds="[has(self.header), has(self.objective), has(self.default)].filter(each, each).size() == 1",
            sentence="write exactly one of header, objective and default: true",
        ),
    ),
    Slo: (
        Rule(
            holds="has(self.ttft) || has(self.tpot) || has(self.e2e) || has(self.deadline)",
            sentence="write at least one of ttft, tpot, e2e and deadline",
        ),
    ),
    StepSpec: (
        Rule(
            holds="double(self.baseMs) > 0.0 || double(self.perDecodeMs) > 0.0",
            sentence="a decode step would take no time; write baseMs or perDecodeMs above 0",
        ),
    ),
    StartupSpec: (
        Rule(
            holds="duration(self.p90) >= duration(self.p50)",
            sentence="write a p90 at least as long as p50",
            at=".p90",
            spoken="'found p90 ' + self.p90 + ' below p50 ' + self.p50 + '; write p90 at least as long'",
        ),
    ),
}

FIELD_RULES: Mapping[Field, Rule] = {
    (Match, "default"): Rule("self", "write true, or leave it out"),
    (Slo, "percentile"): Rule(
        r"self.matches(r'^0+[.][0-9]*[1-9][0-9]*$')",
        'write a share above 0 and below 1, such as "0.99"',
    ),
    (ServiceLevelSpec, "classes"): Rule(
        "self.filter(each, has(each.match.default) && each.match.default).size() == 1",
        "write match: {default: true} in exactly one class",
    ),
    (MetricsEndpoint, "path"): Rule("self.startsWith('/')", 'write a path that begins with "/"'),
}

STATUS_RULES: Mapping[Field, Rule] = {
    (VariantAutoscalingStatus, "decisionID"): _EPOCH_MAY_NOT_FALL,
    (ServiceLevelStatus, "decisionID"): _EPOCH_MAY_NOT_FALL,
}

LIST_KEYS: Mapping[Field, str] = {
    (ServiceLevelSpec, "classes"): "name",
    (AcceleratorStockSpec, "shares"): "namespace",
}
"""Lists whose items are told apart by a field; so are conditions, wherever they stand."""

SETS: frozenset[Field] = frozenset({(VariantAutoscalingSpec, "groups")})

MAX_ITEMS: Mapping[Field, int] = {
    (VariantAutoscalingSpec, "groups"): 4,
    (ServiceLevelSpec, "classes"): 32,
    (ServiceLevelSpec, "servedModels"): 1024,
    (AcceleratorStockSpec, "shares"): 1024,
    (EngineSpec, "flags"): 256,
}
