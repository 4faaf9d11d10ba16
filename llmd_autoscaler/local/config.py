"""What a local run runs: the resources of a folder, or those that come with the package."""

from importlib.resources import as_file, files
from pathlib import Path

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.blueprint import Blueprint, read_blueprint
from llmd_autoscaler.translate.yaml_file import load_resources

# Annotation of the ServiceLevel: which part of a trace's requests is whose, `interactive=0.7,relaxed=0.3`.
SHARES = "simulator.llmd.ai/shares"
_PACKAGED = "llmd_autoscaler.local"
_ENDINGS = {".yaml", ".yml"}


def load_config(folder: Path | None = None) -> Blueprint:
    """The model that the YAML files of a folder declare, in the order of their names.

    Raises: ConfigError: there is nothing to read, something wrong in it, or it declares no runnable model.
    """
    if folder is not None:
        return _load(folder)
    with as_file(files(_PACKAGED).joinpath("config")) as packaged:
        return _load(packaged)


def traffic_shares(blueprint: Blueprint) -> tuple[float, ...]:
    """The part of the requests that each class gets, as the annotation says; equal parts without one.

    Raises: ConfigError: the annotation names other classes, or its parts do not sum to 1.
    """
    names = [each.qos.name for each in blueprint.classes]
    written = blueprint.annotations.get(SHARES, "")
    if not written:
        return tuple(1.0 / len(names) for _ in names)
    pairs = [part.partition("=") for part in written.replace(" ", "").split(",")]
    try:
        parts = {name: float(share) for name, _, share in pairs}
    except ValueError:
        parts = {}
    is_whole = abs(sum(parts.values()) - 1.0) < 1e-6 and min(parts.values(), default=-1.0) >= 0.0  # noqa: PLR2004
    if sorted(parts) != sorted(names) or not is_whole:
        example = ",".join(f"{name}={1 / len(names):.3g}" for name in names)
        raise ConfigError(
            f'ServiceLevel "{blueprint.service_level}": metadata.annotations.{SHARES}: found "{written}"; '
            f"write a share for each class, in sum 1, such as {example}"
        )
    return tuple(parts[name] for name in names)


def _load(folder: Path) -> Blueprint:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"config {folder}: {reason}; name a folder of YAML files") from error
    if not paths:
        raise ConfigError(f"config {folder}: no YAML file in it; write resources into NAME.yaml")
    resources = [resource for path in paths for resource in load_resources(path)]
    return read_blueprint(resources, f"config {folder}")
