"""The label selector of a workload (`matchLabels`, `matchExpressions`) against a set of labels."""

from llmd_autoscaler.translate.json_object import Json, child, items, strings, text


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
