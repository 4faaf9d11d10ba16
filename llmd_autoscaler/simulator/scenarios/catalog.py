"""The scenarios that come with the package."""

import difflib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import ValidationError

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.scenarios.program import Scenario
from llmd_autoscaler.translate.yaml_document import read_documents

_PACKAGED = "llmd_autoscaler.simulator.scenarios"
_ENDING = ".yaml"


def names() -> tuple[str, ...]:
    """Those that there are, in order."""
    return tuple(sorted(file.name.removesuffix(_ENDING) for file in _files()))


def load(name: str) -> Scenario:
    """A scenario by its name.

    Raises: ConfigError: there is none of that name.
    """
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(
            f"scenario {name!r}: no such scenario; {hint}write {', '.join(known)} or list"
        )
    file = files(_PACKAGED).joinpath(name + _ENDING)
    return read(file.read_text(encoding="utf-8"), f"scenario {name}")


def config_of(scenario: Scenario) -> Traversable | None:
    """The folder of the resources that a scenario runs on; None: those of every local run."""
    if scenario.config is None:
        return None
    return files(_PACKAGED).joinpath("configs", scenario.config)


def listing() -> str:
    """A line for each scenario."""
    width = max(map(len, names()))
    return "\n".join(f"{name:<{width}}  {load(name).about}" for name in names())


def _files() -> Iterator[Traversable]:
    return (file for file in files(_PACKAGED).iterdir() if file.name.endswith(_ENDING))


def read(text: str, source: str) -> Scenario:
    """A scenario from its YAML.

    Raises: ConfigError: the first thing that is wrong, with its line.
    """
    (document,) = read_documents(text, source)
    try:
        return Scenario.model_validate(document.data)
    except ValidationError as error:
        first = error.errors()[0]
        line = document.line_of(tuple(part for part in first["loc"]))
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{source}:{line}: {where}: {first['msg']}; see the fields of program.py"
        ) from error
