"""`make run`: a whole run from its flags to its table, with real processes or in virtual time."""

import asyncio
import contextlib
import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.hindsight import Hindsight, lookahead_gpu_hours, static_hindsight
from llmd_autoscaler.local.live import LiveRun
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.page import PAGE, check_report, write_bounds
from llmd_autoscaler.local.progress import Screen
from llmd_autoscaler.local.record import write_decisions, write_requests
from llmd_autoscaler.local.report import Pace, Report, virtual_report
from llmd_autoscaler.local.scenario import blueprint_of, replay_of, setup_of
from llmd_autoscaler.local.table import minutes, table
from llmd_autoscaler.simulator import virtual
from llmd_autoscaler.simulator.virtual import Setup
from llmd_autoscaler.translate.blueprint import Blueprint


def run(options: Options, out: TextIO) -> bool:
    """Run, and write progress and table; returns whether there was anything to tabulate.

    Raises: ConfigError: a file or flag is wrong. ObservationError: a process did not start or died.
    """
    screen, began_wall = Screen(out), time.perf_counter()
    check_report(options.report, is_virtual=options.is_virtual)
    with _folder(options.record) as folder:
        blueprint = blueprint_of(options)
        setup = setup_of(blueprint, replay_of(blueprint, options), seed=options.seed)
        screen.say(_headline(blueprint, setup, options))
        screen.show("looking for the best static fleet, with hindsight, in virtual time ...")
        setup, bounds = _started_at_the_best(setup)
        if options.is_virtual:
            report = _virtual(setup, bounds, folder, began_wall)
        else:
            write_bounds(folder, setup, bounds)
            page_file = options.report or (folder / PAGE if options.record else None)
            live = LiveRun(blueprint, setup, options.speed, folder, screen, began_wall, page_file)
            asyncio.run(live.run())
            live.write_record()
            report = live.report(bounds)
    if not len(report.answers.at_s):
        screen.say("stopped before the first request")
        return False
    screen.say(f"\n{table(report, columns=screen.columns)}")
    if options.is_json:
        screen.say(json.dumps(report.as_json()))
    return True


def _started_at_the_best(setup: Setup) -> tuple[Setup, Hindsight]:
    """The setup at the start size of the best static fleet, and the bounds."""
    bounds = static_hindsight(setup)
    # where no static fleet keeps the SLO, the largest comes closest
    start = bounds.static_instances or {t.name: t.max_instances for t in setup.targets}
    setup = dataclasses.replace(setup, start=start)
    return setup, dataclasses.replace(bounds, lookahead_gpu_hours=lookahead_gpu_hours(setup))


def _virtual(setup: Setup, bounds: Hindsight, folder: Path, began_wall: float) -> Report:
    result, published = virtual.run(setup)
    pace = Pace(setup.replay.duration_s, time.perf_counter() - began_wall)
    names = [qos.name for qos in setup.classes]
    reasons = ["" if done else "refused" for done in result.answers.is_completed.tolist()]
    write_requests(folder, result.answers, names, reasons)
    write_decisions(folder, published.publications)
    return virtual_report(setup.classes, result, bounds, pace)


@contextlib.contextmanager
def _folder(record: Path | None) -> Iterator[Path]:
    """Where a run writes: a folder that is kept, or one that goes with the run.

    Raises: ConfigError: it cannot be made, or holds a record already.
    """
    if record is None:
        with tempfile.TemporaryDirectory(prefix="llmd-autoscaler-") as temporary:
            yield Path(temporary)
        return
    try:
        record.mkdir(parents=True, exist_ok=True)
        is_empty = not any(record.iterdir())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--record {record}: {reason}; name a folder that can be made") from error
    if not is_empty:
        raise ConfigError(
            f"--record {record}: not empty; name a new folder, so that no record is mixed up"
        )
    yield record


def _headline(blueprint: Blueprint, setup: Setup, options: Options) -> str:
    replay = setup.replay
    on = " + ".join(
        f"{target.name} ({target.n_accelerators} x {target.accelerator}, {target.min_instances} to {target.max_instances})"
        for target in setup.targets
    )
    pace = (
        "in virtual time"
        if options.is_virtual
        else f"{options.speed:g} times as fast: {minutes(replay.duration_s / options.speed)} and the start"
    )
    return f"{blueprint.model} on {on}\n{len(replay.at_s):,} requests in {minutes(replay.duration_s)}, {pace}"
