"""Codes and conditions in plain words, and what a person can do: the one place for these sentences."""

from collections.abc import Mapping

# Why a number is what it is, by code of a reason.
_REASONS: Mapping[str, str] = {
    "DemandUp": "More traffic is expected than the present instances carry",
    "DemandDown": "Fewer instances have been enough for the whole scale-in window",
    "DemandMet": "The present instances carry the expected traffic",
    "Held": "Fewer would do, but not for long enough yet",
    "WarmingUp": "Too little traffic has been seen since the start to judge",
    "NoTraffic": "There is no traffic",
    "NotObserved": "Nobody could be asked for the traffic: the last decision holds",
    "AtLimit": "More instances are needed than the limit allows",
    "Infeasible": "No number of instances within the limits keeps the SLO",
    "Paused": "Paused: the number is held",
}

# What a failing condition means, and what to do, by type; a reason of its own comes first.
_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "SLOFeasible": (
        "The SLO cannot be kept within the limits",
        "Raise maxReplicas or the accelerator stock, add a faster variant, or loosen the bound that is named.",
    ),
    "TargetResolved": (
        "There is nothing to scale",
        "Correct spec.scaleTargetRef of the VariantAutoscaling, or make the Deployment that it names.",
    ),
    "MetricsAvailable": (
        "Instances do not answer when asked for their metrics",
        "Check port and path in spec.metrics, and that the controller may reach the pods.",
    ),
    "ProfileTrusted": (
        "The capacity profile does not fit",
        "Name a CapacityProfile of this model, accelerator and engine version, or measure one.",
    ),
    "OptimizationReady": (
        "No number can be computed",
        "Follow what the reason says; until then the last decision holds.",
    ),
    "HPAHealthy": (
        "The HorizontalPodAutoscaler does not follow",
        "Look at `kubectl describe hpa`: its metric, its limits and its target must be those of the VariantAutoscaling.",
    ),
    "RoutingFollowed": (
        "Requests do not go where the decision sends them",
        "Point clients at our router, or set spec.routing to what the endpoint picker really does.",
    ),
    "Conflict": (
        "Two objects claim the same",
        "Delete one of the two that the message names.",
    ),
}
_BY_REASON: Mapping[str, tuple[str, str]] = {
    "SecondServiceLevel": (
        "Two ServiceLevels name one model",
        "Delete one of them: a model has one ServiceLevel in its namespace.",
    ),
    "OverlappingSelectors": (
        "Two targets select the same pods",
        "Give each its own label, and name it in both selectors.",
    ),
    "NoPrice": (
        "The price of an instance is not known",
        "Write spec.costPerHour of the VariantAutoscaling, or pricePerHour of its AcceleratorStock.",
    ),
    "NoServiceLevel": (
        "The model has no ServiceLevel",
        "Write a ServiceLevel with this modelID in the same namespace.",
    ),
    "NoTargets": (
        "The model has no VariantAutoscaling",
        "Write a VariantAutoscaling with this modelID in the same namespace.",
    ),
    "WarmingUp": (
        "Too little traffic has been seen since the start to judge",
        "Nothing: it ends by itself after a full window.",
    ),
    "NotObserved": (
        "Nobody could be asked for the traffic",
        "Check that the router (or the pods' metrics) can be reached from the controller.",
    ),
}
_OTHERWISE = ("A condition fails", "Read its message.")


def reason_words(code: str) -> str:
    """A reason's code as a sentence; an unknown one stands as it is."""
    return _REASONS.get(code, code)


def condition_words(type_: str, reason: str) -> tuple[str, str]:
    """(what is wrong, what to do) of a condition that fails."""
    return _BY_REASON.get(reason) or _CONDITIONS.get(type_) or _OTHERWISE
