"""`compare`: every policy over the same traffic in virtual time, from its flags to its table and its page."""

import dataclasses
import difflib
import json
import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.comparison import as_json
from llmd_autoscaler.local.comparison_page import write_page
from llmd_autoscaler.local.comparison_plot import plot
from llmd_autoscaler.local.comparison_table import table
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.progress import Screen
from llmd_autoscaler.local.rounds import compare
from llmd_autoscaler.local.scenario import blueprint_of, replay_of, setup_of
from llmd_autoscaler.local.sweep import ENTRIES, NAMES, Entry

_FALLBACK_COLUMNS = 80
_LINE_EVERY_WALL_S = 5.0


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """The flags of `compare`."""

    run: Options
    seeds: tuple[int, ...] = (1,)
    policies: tuple[str, ...] = NAMES
    report: Path | None = None
    is_json: bool = False


def run(options: CompareOptions, out: TextIO) -> None:
    """Compare, and write progress, table and picture.

    Raises: ConfigError: a file or flag is wrong. ObservationError: a worker died.
    """
    entries = chosen_entries(options.policies)
    if options.report is not None:
        _check_writable(options.report)
    screen = Screen(out)
    blueprint = blueprint_of(options.run)
    setups = {
        str(seed): setup_of(
            blueprint,
            replay_of(blueprint, dataclasses.replace(options.run, seed=seed)),
            seed=seed,
        )
        for seed in options.seeds
    }
    first = setups[str(options.seeds[0])]
    hours = first.replay.duration_s / 3600.0
    about = f"{blueprint.model}: {len(first.replay.at_s):,} requests in {hours:.2f} h, seed {', '.join(setups)}"
    screen.say(about)
    found = list(compare(setups, entries, Progress(screen).show).values())
    columns = shutil.get_terminal_size((_FALLBACK_COLUMNS, 24)).columns
    for each in found:
        screen.say(f"\n{table(each, columns=columns)}\n")
        screen.say(plot(each, columns=columns, has_colour=_has_colour(out)))
    if options.report is not None:
        write_page(options.report, about, found)
        screen.say(f"\nreport: {options.report}")
    if options.is_json:
        screen.say(json.dumps(as_json(found)))


@dataclass(slots=True)
class Progress:
    """Lines about the rounds: on a terminal each, elsewhere one every few seconds."""

    screen: Screen
    _shown_wall: float = -math.inf

    def show(self, line: str) -> None:
        """A line that the next one replaces."""
        now_wall = time.perf_counter()
        if self.screen.stream.isatty() or now_wall - self._shown_wall >= _LINE_EVERY_WALL_S:
            self.screen.show(line)
            self._shown_wall = now_wall


def chosen_entries(names: Sequence[str]) -> list[Entry]:
    """The policies that were asked for.

    Raises: ConfigError: one is unknown.
    """
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"--policies: no policy {name!r}: there are {', '.join(NAMES)}{hint}")
    return [entry for entry in ENTRIES if entry.name in names]


def _check_writable(path: Path) -> None:
    """Say before minutes of work that its result has no place.

    Raises: ConfigError: the folder is missing or cannot be written.
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(
            f"--report {path}: cannot be written; name a file in a folder that exists"
        )


def _has_colour(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR")
