"""What is wrong with a value from the wire, in sentences that say what was found and what to write instead."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pydantic import ValidationError

from models.decimal_text import UnquotedNumberError
from models.found import found, shortened
from models.wire import WireModel

Path = tuple[str | int, ...]

_TYPES = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "model_type": "a mapping",
    "string_too_short": "a text that is not empty",
    "string_type": "a text",
    "too_short": "at least one item",
    "tuple_type": "a list",
}
_LIMITS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "{} or less"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where.

    `is_unknown_field` faults come first in a report: a slip in a name is the cause of the "missing"
    that stands beside it.
    """

    path: Path
    sentence: str
    is_unknown_field: bool = False

    def text(self) -> str:
        """The field and what is wrong with it."""
        return f"{field_path(self.path)}: {self.sentence}" if self.path else self.sentence


@dataclass(frozen=True, slots=True)
class _Slip:
    """One error of pydantic's: which of its rules was broken where, and by what."""

    path: Path
    rule: str
    value: object
    context: Mapping[str, object]
    written: str


def field_path(path: Path) -> str:
    """A place in a document as people write it: `spec.classes[0].slo.percentile`."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{shortened(step)}" for step in path
    ).removeprefix(".")


def faults(
    error: ValidationError, model: type[WireModel], written: Callable[[Path], str] = lambda _: ""
) -> list[Fault]:
    """Everything that a failed `from_wire` found, most helpful first.

    Args:
        error: what the validation raised.
        model: the type that was read.
        written: the text of a file at a path, or "": a number loses its spelling when it is read.
    """
    slips = [
        _Slip(each["loc"], each["type"], each["input"], each.get("ctx", {}), written(each["loc"]))
        for each in error.errors(include_url=False)
    ]
    # a list of one wrong item is not too short as well
    told = [each for each in slips if each.rule != "too_short" or not _is_above(each.path, slips)]
    return sorted(
        (_fault(each, model) for each in told), key=lambda fault: not fault.is_unknown_field
    )


def closest(name: str, known: Sequence[str]) -> str:
    """What to write instead of a name that is not known: the nearest one, or else all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6) or [
        each for each in known if each.lower() == name.lower()
    ]
    return f"did you mean {near[0]}?" if near else f"write {one_of(known)}"


def one_of(names: Sequence[str]) -> str:
    """The names as a choice: "one of a, b and c"."""
    if not names:
        return "nothing there"
    return names[0] if len(names) == 1 else f"one of {', '.join(names[:-1])} and {names[-1]}"


def _fault(slip: _Slip, model: type[WireModel]) -> Fault:
    if slip.rule == "extra_forbidden":
        name, known = str(slip.path[-1]), _fields_at(model, slip.path[:-1])
        sentence = f"unknown field; {closest(shortened(name), known)}"
        return Fault(slip.path, sentence, is_unknown_field=True)
    if slip.rule == "missing":
        return Fault(slip.path, _missing(model, slip.path))
    return Fault(slip.path, _sentence(slip))


def _sentence(slip: _Slip) -> str:
    error = slip.context.get("error")
    is_unquoted = isinstance(error, UnquotedNumberError)
    if is_unquoted or (slip.rule == "string_type" and isinstance(slip.value, bool | int | float)):
        quoted = f'write "{slip.written or slip.value}" in quotes'
        why = ": Kubernetes has no floats here" if is_unquoted else ""
        return f"found {found(slip.value, slip.written)}; {quoted}{why}"
    if isinstance(error, ValueError):
        return str(error)
    if slip.rule == "json_invalid":
        # JSON can escape half of a character (a lone surrogate), which no text holds
        return "found a text with half a character; write whole ones"
    return f"found {found(slip.value, slip.written)}; write {_wanted(slip)}"


def _wanted(slip: _Slip) -> str:
    rule, value = slip.rule, slip.value
    if rule == "int_type" and isinstance(value, str) and value.lstrip("-").isdigit():
        return f"{shortened(value)} without quotes"
    if rule in _TYPES:
        return _TYPES[rule]
    if rule in _LIMITS:
        key, text = _LIMITS[rule]
        limit = slip.context[key]
        return text.format(f"{limit:g}" if isinstance(limit, float) else limit)
    if rule in {"enum", "literal_error"}:
        return _choice(value, str(slip.context["expected"]))
    if rule == "string_pattern_mismatch":
        return f"a text that matches {slip.context['pattern']}"
    # no field of ours has another rule today; its name is better than nothing
    return f"a value that keeps the rule {rule}"


def _choice(value: object, expected: str) -> str:
    """The names that an enum allows; a boolean is mostly one of them without its quotes."""
    if isinstance(value, bool) and f"'{value}'" in expected:
        return f'"{value}" in quotes'
    return expected.replace("'", "")


def _missing(model: type[WireModel], path: Path) -> str:
    parent = _model_at(model, path[:-1])
    fields = parent.model_fields.values() if parent else ()
    described = next((field.description for field in fields if field.alias == path[-1]), None)
    return f"missing; write {path[-1]}" + (f": {_as_clause(described)}" if described else "")


def _as_clause(description: str) -> str:
    """A description as the end of a sentence: "Most instances." -> "most instances"."""
    words = description.removesuffix(".")
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def _is_above(path: Path, slips: Sequence[_Slip]) -> bool:
    return any(len(each.path) > len(path) and each.path[: len(path)] == path for each in slips)


def _fields_at(model: type[WireModel], path: Path) -> list[str]:
    parent = _model_at(model, path)
    return [field.alias or name for name, field in parent.model_fields.items()] if parent else []


def _model_at(model: type[WireModel], path: Path) -> type[WireModel] | None:
    here: type[WireModel] | None = model
    for step in path:
        if here is None:
            return None
        if isinstance(step, str):
            here = next(
                (
                    _model_in(field.annotation)
                    for field in here.model_fields.values()
                    if field.alias == step
                ),
                None,
            )
    return here


def _model_in(annotation: object) -> type[WireModel] | None:
    """The wire type within `X | None`, `tuple[X, ...]` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, WireModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
