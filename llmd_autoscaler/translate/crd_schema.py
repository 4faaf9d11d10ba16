"""Wire types as structural OpenAPI schemas, the only form in which the API server takes a type."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import NoneType
from typing import Annotated, Final, get_args, get_origin

from pydantic import WithJsonSchema
from pydantic.fields import FieldInfo

from llmd_autoscaler.translate.crd_rules import (
    FIELD_RULES,
    LIST_KEYS,
    MAX_ENTRIES,
    MAX_ITEMS,
    MAX_TEXT,
    OBJECT_RULES,
    SETS,
    STATUS_RULES,
    TEXT_FORMS,
    Field,
    Rule,
)
from models.condition import Condition
from models.decimal_text import DecimalText
from models.decision_id import DecisionIdText
from models.duration import Duration
from models.wire import WireModel

Schema = dict[str, object]

_RULES: Final = "x-kubernetes-validations"
_BOUNDS: Mapping[str, str] = {
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "pattern": "pattern",
}
_LARGEST_INT32 = 2**31 - 1


def object_schema(model: type[WireModel], *, is_status: bool = False) -> Schema:
    """A mapping with all its fields, each with its description.

    Args:
        model: the type.
        is_status: what the controller writes: it gets no default, or the server would hold another
            object than the one that was written, and no bound that a long sentence could break.
    """
    fields = {_alias(name, field): field for name, field in model.model_fields.items()}
    defaults = {} if is_status else _defaults(model)
    required = [alias for alias, field in fields.items() if field.is_required()]
    schema: Schema = {"type": "object", "description": _line(model.__doc__)}
    if required:
        schema["required"] = required
    schema["properties"] = {
        alias: _field_schema((model, alias), field, is_status=is_status)
        | ({"default": defaults[alias]} if alias in defaults else {})
        for alias, field in fields.items()
    }
    rules = () if is_status else OBJECT_RULES.get(model, ())
    return schema | _validations(rules)


def _field_schema(where: Field, field: FieldInfo, *, is_status: bool) -> Schema:
    schema = _schema(field.annotation, field.metadata, where, is_status=is_status)
    rules = STATUS_RULES if is_status else FIELD_RULES
    if where in rules:
        # a sentence of its own is better than one on the form of any number
        schema |= _validations((rules[where],))
    return schema | {"description": _line(field.description)}


def _schema(
    annotation: object, metadata: Iterable[object], where: Field, *, is_status: bool
) -> Schema:
    """The schema of a type as a field states it: `X | None`, `Annotated[X, ...]`, `tuple[X, ...]`."""
    annotation, metadata = _unwrapped(annotation, list(metadata))
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        return _list(item, dict(_bounds(metadata)), where, is_status=is_status)
    if get_origin(annotation) is dict:
        text: Schema = {"type": "string", "maxLength": MAX_TEXT}
        return {"type": "object", "additionalProperties": text, "maxProperties": MAX_ENTRIES}
    if not isinstance(annotation, type):
        raise TypeError(f"{where[0].__name__}.{where[1]}: no schema for {annotation}")
    if issubclass(annotation, WireModel):
        return object_schema(annotation, is_status=is_status)
    if issubclass(annotation, StrEnum):
        return {"type": "string", "enum": [each.value for each in annotation]}
    return _scalar(annotation, metadata, is_status=is_status)


def _unwrapped(annotation: object, metadata: list[object]) -> tuple[object, list[object]]:
    """A type without its `| None` (nothing stands on the wire where nothing is) and `Annotated`."""
    arguments = get_args(annotation)
    if NoneType in arguments:
        [inner] = (each for each in arguments if each is not NoneType)
        return _unwrapped(inner, metadata)
    if get_origin(annotation) is Annotated:
        return _unwrapped(arguments[0], [*arguments[1:], *metadata])
    return annotation, metadata


def _list(item: object, bounds: Mapping[str, object], where: Field, *, is_status: bool) -> Schema:
    schema: Schema = {
        "type": "array",
        "items": _schema(item, (), where, is_status=is_status),
        "x-kubernetes-list-type": "set" if where in SETS else "atomic",
    }
    key = "type" if item is Condition else LIST_KEYS.get(where)
    if key:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    if "minLength" in bounds:
        schema["minItems"] = bounds["minLength"]
    return schema if is_status else schema | {"maxItems": MAX_ITEMS[where]}


def _scalar(annotation: type, metadata: list[object], *, is_status: bool) -> Schema:
    bounds = dict(_bounds(metadata))
    wire = _wire_form(metadata)
    if wire is not None:
        return _text_form(wire, metadata, is_status=is_status)
    if annotation is bool:
        return {"type": "boolean"}
    if annotation is int:
        return {"type": "integer", "format": "int32"} | bounds
    return {"type": "string"} | bounds | ({} if is_status else {"maxLength": MAX_TEXT})


def _text_form(wire: Schema, metadata: list[object], *, is_status: bool) -> Schema:
    """A number, a duration or a name that is text on the wire."""
    form = next((each for each in TEXT_FORMS if _wire_form(get_args(each.type)) == wire), None)
    if form is None:
        return wire
    limits = dict(_limits(metadata))
    if form.type is DecimalText:
        wire["pattern"] = _decimal_pattern(limits)
    if form.type is DecisionIdText:
        # its rule walks it: without a bound the server would take it to be as long as a request
        return wire | {"maxLength": form.max_length}
    if is_status:
        return wire
    # the pattern once more as a rule: a pattern that is broken says only itself
    rule = f"self.matches(r'{wire['pattern']}')"
    if form.type is Duration:
        rule += f" && duration(self) {'>' if 'gt' in limits else '>='} duration('0s')"
    return wire | {"maxLength": form.max_length} | _validations([Rule(rule, form.wanted)])


def _decimal_pattern(limits: Mapping[str, object]) -> str:
    """Digits within limits: what a comparison would do for numbers, since these are texts."""
    if limits.get("le") == 1:
        return r"^(0(\.[0-9]+)?|1(\.0+)?)$"
    return r"^[0-9]+(\.[0-9]+)?$" if "ge" in limits else r"^-?[0-9]+(\.[0-9]+)?$"


def _validations(rules: Iterable[Rule]) -> Schema:
    written = [
        {"rule": rule.holds, "message": rule.sentence}
        | ({"fieldPath": rule.at} if rule.at else {})
        | ({"messageExpression": rule.spoken} if rule.spoken else {})
        for rule in rules
    ]
    return {_RULES: written} if written else {}


def _wire_form(metadata: Iterable[object]) -> Schema | None:
    """What a type says that it looks like on the wire, where that is not what it is in Python."""
    for each in metadata:
        if isinstance(each, WithJsonSchema) and each.json_schema is not None:
            return dict(each.json_schema)
    return None


def _bounds(metadata: Iterable[object]) -> Iterator[tuple[str, object]]:
    """Limits by their names in a schema."""
    for name, value in _limits(metadata):
        if name == "lt" and isinstance(value, int):
            yield "maximum", value - 1
        elif name in _BOUNDS:
            yield _BOUNDS[name], value


def _limits(metadata: Iterable[object]) -> Iterator[tuple[str, object]]:
    """Limits by pydantic's names."""
    for each in _flat(metadata):
        for name in (*_BOUNDS, "gt", "lt"):
            value = getattr(each, name, None)
            if value is not None:
                yield name, value


def _flat(metadata: Iterable[object]) -> Iterator[object]:
    """A `Field(ge=0)` in an Annotated holds its limits one step deeper."""
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from each.metadata
        else:
            yield each


def _defaults(model: type[WireModel]) -> Schema:
    """What the server fills in; what reads the same when it is absent stays absent."""
    wire = model.model_construct().model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: value for name, value in wire.items() if value not in ("", [], {})}


def _alias(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _line(text: str | None) -> str:
    """A docstring or a description as one line."""
    if not text:
        raise TypeError("a field without a description: kubectl explain would have nothing to say")
    return " ".join(text.split())
