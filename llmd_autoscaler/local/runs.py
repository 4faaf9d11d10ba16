"""Many runs in virtual time on all cores: each worker process holds the traffic, and takes small jobs."""

import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from llmd_autoscaler.errors import ObservationError
from llmd_autoscaler.simulator.contest import Contender, Outcome, outcome
from llmd_autoscaler.simulator.virtual import Setup

# What a worker was given when it started: the setups by their key.
_setups: dict[str, Setup] = {}


@dataclass(frozen=True, slots=True)
class Job:
    """One run: whose traffic, from which start size, under which policy."""

    key: str
    start: tuple[tuple[str, int], ...]
    contender: Contender


class Runs:
    """A pool of processes over some setups.

    Use it as a context: its workers end with it, whatever happens inside.
    """

    def __init__(self, setups: Mapping[str, Setup], *, n_workers: int | None = None) -> None:
        # spawned, not forked: the solver's threads of this process must not be copied in mid-flight
        self._pool = ProcessPoolExecutor(
            max_workers=n_workers or usable_cores(),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(dict(setups),),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            # nobody waits for what a run of minutes would still find
            for worker in multiprocessing.active_children():
                worker.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def play(
        self, jobs: Sequence[Job], done: Callable[[int, Contender], None]
    ) -> list[Outcome | None]:
        """Outcomes in the order of the jobs; None where a policy found no fleet.

        Args: done: told after each run how many are over, and which ended last.
        Raises: ObservationError: a worker died, as for want of memory.
        """
        futures: dict[Future[Outcome | None], Job] = {self._pool.submit(_run, j): j for j in jobs}
        try:
            for n, future in enumerate(as_completed(futures), start=1):
                future.result()
                done(n, futures[future].contender)
        except BrokenProcessPool as error:
            raise ObservationError(
                "a worker process of the comparison died: give it more memory, or compare less with --until or --policies"
            ) from error
        return [future.result() for future in futures]


def usable_cores() -> int:
    """Cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _begin(setups: dict[str, Setup]) -> None:
    """A worker starts: Ctrl-C is the parent's to handle, and a parent that is killed takes its workers along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _setups.update(setups)


def _end_with_parent() -> None:
    # workers hold both ends of the queue that they wait at, so a parent's death does not close it
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(job: Job) -> Outcome | None:
    setup = dataclasses.replace(_setups[job.key], start=dict(job.start))
    return outcome(setup, job.contender)
