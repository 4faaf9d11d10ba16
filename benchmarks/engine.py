"""How fast the engine simulates: `python -m benchmarks.engine`, about a minute.

The default trace on the default profile at 0.8 of one instance's capacity, answers as recorded, in
virtual time on one core: compiled, in plain Python, and what the first compilation costs.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from benchmarks.report import Figure, print_report
from llmd_autoscaler.core.capacity import free_routing
from llmd_autoscaler.core.engine import fleet
from llmd_autoscaler.core.engine.compiled import IS_COMPILED, as_float_row, as_int_row
from llmd_autoscaler.core.engine.state import LAST_AT, column, new_fleet, new_requests
from llmd_autoscaler.core.shapes import EDGES_TOKENS, N_BINS
from llmd_autoscaler.simulator.replay import Replay, read_trace
from llmd_autoscaler.translate.profile import engine_profile, load_catalog

PROFILE = "llama-3.1-70b-a100-tp4"
LOAD_FRAC = 0.8
ROUNDS_COMPILED = 200  # of the whole trace: 3.9 million requests
ROUNDS_PLAIN = 3
COMPILED_TARGET_PER_MINUTE = 100e6
PLAIN_TARGET_PER_MINUTE = 1e6
FIRST_DECISION_TARGET_S = 90.0


def capacity_qps(replay: Replay) -> float:
    """The rate at which one instance's work reaches one engine second a second: nothing lasts above it."""
    step = engine_profile(load_catalog(PROFILE).spec).step
    isl, osl = replay.isl.astype(np.float64), replay.osl.astype(np.float64)
    work_s = (
        step.per_decode_s * osl
        + step.per_context_token_s * osl * (isl + 0.5 * osl)
        + step.per_prefill_token_s * isl
        + 0.5 * step.per_attention_token_sq_s * isl**2
    )
    return float(1.0 / work_s.mean())


def measure(rounds: int) -> dict[str, float]:
    """Play the trace so many times over, each after the other, on one instance."""
    with as_file(files("llmd_autoscaler.local") / "data" / "azure_llm_2023_conv.csv.gz") as path:
        replay = read_trace(path)
    n = len(replay.at_s)
    haste = LOAD_FRAC * capacity_qps(replay) * replay.duration_s / n
    at_s, length_s = replay.at_s / haste, replay.duration_s / haste + 1.0
    requests = new_requests(n)
    engines = new_fleet([engine_profile(load_catalog(PROFILE).spec)], now_s=0.0)
    routing = free_routing(1, [0])
    osl = replay.osl
    bins = np.minimum(np.searchsorted(EDGES_TOKENS, replay.isl), N_BINS - 1)
    traffic = fleet.Traffic(
        at=as_float_row(at_s),
        class_of=as_int_row(np.zeros(n)),
        bin_of=as_int_row(bins),
        isl=as_int_row(replay.isl),
        osl=as_int_row(osl),
        expected_osl=as_float_row(np.full(n, osl.mean())),
    )
    fleet.serve(
        engines, requests, traffic, routing, 0, n
    )  # the first round compiles, or loads from the cache
    rss_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took_s = 0.0
    for k in range(1, rounds + 1):
        later = traffic._replace(at=as_float_row(at_s + k * length_s))
        started = time.perf_counter()
        fleet.serve(engines, requests, later, routing, 0, n)
        took_s += time.perf_counter() - started
        if k % max(1, rounds // 10) == 0:
            print(
                f"  {k * n:>10,} requests, {k * n / took_s * 60 / 1e6:8.1f} million a minute",
                file=sys.stderr,
            )
    fleet.advance_all(engines, requests, math.inf)
    return {
        "per_minute": rounds * n / took_s * 60.0,
        "mib_grown": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss_before) / 1024.0,
        "unanswered": float(np.isinf(column(requests, LAST_AT)).sum()),
        "checksum": float(column(requests, LAST_AT).sum()),
    }


def in_process(rounds: int, **environment: str) -> dict[str, float]:
    """The same in a process of its own; its wall time rides along."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine", "--rounds", str(rounds)],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "wall_s": time.perf_counter() - started}


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=0, help="only play so many rounds in this process"
    )
    rounds = parser.parse_args().rounds
    if rounds:
        print(json.dumps(measure(rounds)))
        return 0
    with tempfile.TemporaryDirectory() as empty:
        print("compiling into an empty cache ...", file=sys.stderr)
        first = in_process(1, NUMBA_CACHE_DIR=empty)
        print("again, from the cache ...", file=sys.stderr)
        second = in_process(1, NUMBA_CACHE_DIR=empty)
        print("compiled ...", file=sys.stderr)
        compiled = in_process(ROUNDS_COMPILED, NUMBA_CACHE_DIR=empty)
        same = in_process(ROUNDS_PLAIN, NUMBA_CACHE_DIR=empty)
        cache_mib = sum(p.stat().st_size for p in Path(empty).rglob("*") if p.is_file()) / 2**20
    print("in plain Python ...", file=sys.stderr)
    plain = in_process(ROUNDS_PLAIN, NUMBA_DISABLE_JIT="1")
    figures = [
        Figure(
            name="compiled",
            value=compiled["per_minute"],
            unit="requests/min",
            at_least=COMPILED_TARGET_PER_MINUTE,
        ),
        Figure(
            name="plain Python",
            value=plain["per_minute"],
            unit="requests/min",
            at_least=PLAIN_TARGET_PER_MINUTE,
        ),
        Figure(
            name="memory grown over all rounds",
            value=compiled["mib_grown"],
            unit="MiB",
            at_most=8.0,
        ),
        Figure(
            name="same bits compiled and plain",
            value=float(same["checksum"] == plain["checksum"]),
            unit="bool",
            at_least=1,
        ),
        Figure(
            name="start to first result, empty cache",
            value=first["wall_s"],
            unit="s",
            at_most=FIRST_DECISION_TARGET_S,
        ),
    ]
    beside = [
        Figure(name="start to first result, warm cache", value=second["wall_s"], unit="s"),
        Figure(name="cache on disk", value=cache_mib, unit="MiB"),
    ]
    return 0 if print_report("engine", figures, beside) else 1


if __name__ == "__main__":
    assert IS_COMPILED or "--rounds" in sys.argv  # noqa: S101 (the parent measures both)
    sys.exit(main())
