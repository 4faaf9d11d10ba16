"""What hindsight says of the traffic of a local run: a file that the run writes before its first request."""

import json
from collections.abc import Mapping
from pathlib import Path

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.page.fields import number
from llmd_autoscaler.page.shape import BoundJson
from llmd_autoscaler.translate.json_object import items, text


def read_bounds(path: Path | None) -> list[BoundJson]:
    """The bounds of a run; none without a file.

    Raises: ConfigError: the file cannot be read, or is none of a run.
    """
    if path is None:
        return []
    try:
        found: object = json.loads(path.read_text())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"--bounds {path}: {reason}; name the file that a local run wrote"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"--bounds {path}: no JSON ({error}); name the file that a local run wrote"
        ) from error
    if not isinstance(found, Mapping):
        raise ConfigError(f"--bounds {path}: not an object; name the file that a local run wrote")
    return [
        {
            "name": text(each, "name"),
            "detail": text(each, "detail"),
            "gpu_hours": number(each, "gpu_hours") or 0.0,
            "mean_gpus": number(each, "mean_gpus") or 0.0,
            "usd_per_hour": number(each, "usd_per_hour"),
        }
        for each in items(found, "bounds")
    ]
