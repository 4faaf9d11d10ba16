"""Our kinds as the worked example of the design has them, and where the API serves them."""

import copy
from pathlib import Path

import yaml

GROUP = "/apis/autoscaling.llmd.ai/v1alpha1"
DOCUMENTS = {
    each["kind"]: each
    for each in yaml.safe_load_all((Path(__file__).parents[1] / "data/api.yaml").read_text())
}
PLURALS = {
    "ServiceLevel": "servicelevels",
    "VariantAutoscaling": "variantautoscalings",
    "CapacityProfile": "capacityprofiles",
    "AcceleratorStock": "acceleratorstocks",
}


def example(kind, namespace, **changes):
    """The worked example of a kind, in a namespace, with parts of its spec replaced; ... removes one."""
    made = copy.deepcopy(DOCUMENTS[kind])
    if kind != "AcceleratorStock":
        made["metadata"]["namespace"] = namespace
    for dotted, value in changes.items():
        *path, last = (int(p) if p.isdecimal() else p for p in dotted.split("__"))
        here = made["spec"]
        for step in path:
            here = here[step]
        if value is ...:
            del here[last]
        else:
            here[last] = value
    return made
