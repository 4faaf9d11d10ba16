"""The label selector of a workload (`matchLabels`, `matchExpressions`) against a set of labels."""

import re

from llmd_autoscaler.translate.json_object import Json, child, items, strings, text

# One requirement of a selector as `/scale` writes it: `a in (x,y)`, `a!=b`, `a=b`, `!a`, `a`.
_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")
_OPERATORS = {"in": "In", "notin": "NotIn"}
_COMMAS = re.compile(r",(?![^()]*\))")  # those outside of brackets


def read_selector(written: str) -> dict[str, object]:
    """The selector that a text such as `app=a,tier in (x,y)` means; nothing is what an empty one selects."""
    labels: dict[str, object] = {}
    expressions: list[dict[str, object]] = []
    for each in filter(None, (part.strip() for part in _COMMAS.split(written))):
        if found := _SET.match(each):
            values = [value.strip() for value in found[3].split(",")]
            expression = {"key": found[1], "operator": _OPERATORS[found[2]], "values": values}
            expressions.append(expression)
        elif "!=" in each:
            key, _, value = each.partition("!=")
            expressions.append({"key": key.strip(), "operator": "NotIn", "values": [value.strip()]})
        elif "=" in each:
            key, _, value = each.partition("=")
            labels[key.strip()] = value.lstrip("=").strip()
        else:
            operator = "DoesNotExist" if each.startswith("!") else "Exists"
            expressions.append({"key": each.lstrip("!"), "operator": operator})
    return {"matchLabels": labels, "matchExpressions": expressions}


def selects(selector: Json, labels: Json) -> bool:
    """Whether a selector selects these labels; an empty one, which no Deployment may have, selects nothing.

    An operator that we do not know selects nothing either: a pod too few is seen, a stranger's is not.
    """
    match_labels = child(selector, "matchLabels")
    expressions = list(items(selector, "matchExpressions"))
    if not match_labels and not expressions:
        return False
    return all(labels.get(key) == value for key, value in match_labels.items()) and all(
        _holds(expression, labels) for expression in expressions
    )


def _holds(expression: Json, labels: Json) -> bool:
    key, values = text(expression, "key"), strings(expression, "values")
    match text(expression, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
