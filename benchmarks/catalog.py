"""Fits the capacity profiles of the catalogue, and says how well they predict what they have not seen.

`python -m benchmarks.catalog` fits, compares with the files in models/catalog and reports; with
`--write` it writes them. A profile's coefficients come from two thirds of its points, its errors from
the other third and from the very digits that are written.
"""

import argparse
import math
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.catalog_entry import (
    MAX_NUM_BATCHED_TOKENS,
    MEASURED,
    PER_REQUEST_MS,
    SEED,
    STEP_FIELDS,
    Entry,
    entries,
    per_prompt_k_token_ms,
)
from benchmarks.profiled_entry import PROFILED, ProfiledEntry
from benchmarks.report import Figure, print_report
from benchmarks.scaled_entry import SCALED, ScaledEntry
from benchmarks.step_fit import errors_of, fit_step, step_ms_of
from benchmarks.step_points import Cell, silicon_cells, silicon_point

# enough for the 5th and the 95th percentile of a coefficient
N_OTHER_SPLITS = 200


def held_out_figures(entry: Entry) -> list[Figure]:
    """The errors of a profile on its held-out points; those of the measured one have targets."""
    is_measured = entry.name == MEASURED
    name = f"{entry.name} step error, held out"
    median, p95, worst = entry.fit.median_frac, entry.fit.p95_frac, entry.fit.worst_frac
    return [
        _frac(f"{name}, median", median, at_most=0.03 if is_measured else None),
        _frac(f"{name}, p95", p95, at_most=0.10 if is_measured else None),
        _frac(f"{name}, worst", worst),
    ]


def other_splits(entry: Entry) -> list[Figure]:
    """What other seeds would have given: whether ours was lucky, and how firm each coefficient is."""
    fits = [fit_step(entry.points, seed=SEED + i) for i in range(1, N_OTHER_SPLITS + 1)]
    name = f"{entry.name} step error, held out"
    suffix = f"mean of {N_OTHER_SPLITS} other splits"
    figures = [
        _frac(f"{name}, median, {suffix}", float(np.mean([fit.median_frac for fit in fits]))),
        _frac(f"{name}, p95, {suffix}", float(np.mean([fit.p95_frac for fit in fits]))),
    ]
    for i, field in enumerate(STEP_FIELDS):
        low, high = np.quantile([fit.coefficients[i] for fit in fits], (0.05, 0.95))
        for which, value in (("p5", float(low)), ("p95", float(high))):
            figure = f"{entry.name} {field}, {which} of {N_OTHER_SPLITS} other splits"
            figures.append(Figure(name=figure, value=value, unit="ms"))
    return figures


def beyond_the_grid(entry: Entry, cells: Sequence[Cell]) -> list[Figure]:
    """How the measured profile does where it was not fitted at all: unloaded prompts, and shared prefixes."""
    shared = [silicon_point(cell) for cell in cells if cell["grid"] == "prefix"]
    errors = {
        "unloaded TTFT error, ISL 32 to 32,000": unloaded_ttft_errors(entry, cells),
        "step error, 90 % shared prefix": errors_of(entry.fit.coefficients, shared),
    }
    return [
        _frac(f"{entry.name} {what}, {which}", value)
        for what, of_cells in errors.items()
        for which, value in (("median", float(np.median(of_cells))), ("worst", max(of_cells)))
    ]


def unloaded_ttft_errors(entry: Entry, cells: Sequence[Cell]) -> list[float]:
    """Relative errors of front end and steps together, for one prompt on an idle server."""
    per_k_token_ms = per_prompt_k_token_ms(cells)
    errors = []
    for cell in cells:
        if cell["grid"] == "ttft":
            isl = cell["isl"]
            n_steps = math.ceil(isl / MAX_NUM_BATCHED_TOKENS)
            steps_ms = step_ms_of(
                entry.fit.coefficients, (n_steps, 0.0, isl, 0.0, isl**2 / 2 / 1e6)
            )
            ttft_ms = PER_REQUEST_MS + per_k_token_ms * isl / 1e3 + steps_ms
            errors.append(abs(ttft_ms / (1e3 * cell["ttft_p50"]) - 1))
    return errors


def _frac(name: str, value: float, *, at_most: float | None = None) -> Figure:
    return Figure(name=name, value=value, unit="frac", at_most=at_most)


def profiled_figures(entry: ProfiledEntry) -> list[Figure]:
    """The step errors of a profile that our own fit made, each prompt length by a fit that had not seen it."""
    fitted = entry.fitted()
    name = f"{entry.name} step error, unseen prompt lengths"
    return [
        _frac(f"{name}, median", fitted.median_frac),
        _frac(f"{name}, p95", fitted.p95_frac),
        _frac(f"{name}, worst", fitted.worst_frac),
    ]


def write(entry: Entry | ProfiledEntry | ScaledEntry) -> None:
    """Write a file of the catalogue, and say so."""
    entry.path.write_text(entry.text(), encoding="utf-8")
    print(f"{entry.name}: written to models/catalog/{entry.path.name}")


def n_files_that_differ(catalog: Sequence[Entry | ProfiledEntry | ScaledEntry]) -> int:
    """Files of the catalogue that are absent or say something else."""
    return sum(
        not entry.path.is_file() or entry.path.read_text(encoding="utf-8") != entry.text()
        for entry in catalog
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, write if asked to, report; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalog", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files of models/catalog")
    is_writing = parser.parse_args(arguments).write
    catalog = entries()
    figures: list[Figure] = []
    beside: list[Figure] = []
    for entry in catalog:
        fit = entry.fit
        a, b, c, k, e = fit.coefficients
        print(
            f"{entry.name}: t_ms = {a:g} + {b:g} d + {c:g} p + {k:g} C/1e3 + {e:g} W/1e6; "
            f"{fit.n_fitted} points fitted, {fit.n_held_out} held out: "
            f"median {100 * fit.median_frac:.1f} %, p95 {100 * fit.p95_frac:.1f} %, worst {100 * fit.worst_frac:.1f} %"
        )
        if is_writing:
            write(entry)
        figures += held_out_figures(entry)
        beside += other_splits(entry)
    beside += beyond_the_grid(catalog[0], silicon_cells())
    for profiled in PROFILED:
        if is_writing:
            write(profiled)
        beside += profiled_figures(profiled)
    if is_writing:  # after the profile that they are scaled from
        for scaled in SCALED:
            write(scaled)
    figures.append(
        Figure(
            name="catalogue files that differ",
            value=n_files_that_differ([*catalog, *PROFILED, *SCALED]),
            unit="files",
            at_most=0,
        )
    )
    return 0 if print_report("catalog", figures, beside) else 1


if __name__ == "__main__":
    sys.exit(main())
