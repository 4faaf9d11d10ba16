"""The points of a profile under way: each is on disk as soon as it is measured, so that nothing is measured twice."""

import json
import os
from pathlib import Path

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.point import Point
from llmd_autoscaler.profiling.points_file import read_points, row_of


class Store:
    """A points file that grows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resume(self) -> list[Point]:
        """The points of an earlier run; a last line that was cut in writing is dropped from the file.

        Raises: ConfigError: the file is there and holds something else.
        """
        if not self.path.exists() or not self.path.stat().st_size:
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self.path.write_bytes(whole)
        return read_points([self.path]) if whole else []

    def append(self, point: Point) -> None:
        """One more point, on disk when this returns.

        Raises: ConfigError: the disk does not take it.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row_of(point)) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"{self.path}: {reason}; name a file that can be written") from error
