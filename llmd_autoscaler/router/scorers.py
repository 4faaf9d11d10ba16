"""Finds the scorer by name: ours, or one that another package offers."""

from importlib.metadata import entry_points

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.router.pick import LeastWork, Scorer

LEAST_WORK = "least-work"
# a package names its class here: [project.entry-points."llmd_autoscaler.scorers"] NAME = "module:Class"
GROUP = "llmd_autoscaler.scorers"


def scorer_named(name: str) -> Scorer:
    """The scorer of that name, made without arguments.

    Raises: ConfigError: nobody offers it, or what is offered cannot be loaded or is no scorer.
    """
    if name == LEAST_WORK:
        return LeastWork()
    offered = entry_points(group=GROUP)
    if name not in offered.names:
        known = ", ".join(sorted({LEAST_WORK, *offered.names}))
        raise ConfigError(
            f"no scorer is called {name!r}: write one of {known}, or install the package that has it"
        )
    try:
        scorer: object = offered[name].load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"the scorer {name!r} ({offered[name].value}) cannot be loaded: {error}"
        ) from error
    if not callable(getattr(scorer, "costs", None)):
        raise ConfigError(
            f"the scorer {name!r} ({offered[name].value}) has no method costs(asked, candidates)"
        )
    return scorer  # type: ignore[return-value]  # a plug-in's types are its own; its shape was checked
