"""Cuts the burstiest day out of two weeks of ServeGen: `python -m benchmarks.servegen_day RATES LENGTHS --model NAME --out FILE`.

The first week is there to tune on, the second to report on. Of the second the day is taken whose ten-minute
totals have the highest index of dispersion (variance ÷ mean of the requests a bin): day 9 of m-large (24,320,
peak 2.7 times the mean) and day 9 of m-mid (307,900, with an outage of 4 h). RATES has the columns client, t_s,
rate_rps, dist and shape, a row a client and bin; LENGTHS model, client, window_s, field and quantiles.
"""

import argparse
import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

DAY_S, BIN_S = 86400, 600
_N_BINS = DAY_S // BIN_S
_REPORTED_DAYS = range(7, 14)
_QUANTILES = ("p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99.9")
_FIELDS = ("input_tokens", "output_tokens")

Row = dict[str, str]
Json = dict[str, object]


def _rows(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def burstiest_day(rates: list[Row]) -> tuple[int, float]:
    """The reported day with the highest index of dispersion of its bins' requests, and that index."""
    n = np.zeros((max(_REPORTED_DAYS) + 1, _N_BINS))
    for row in rates:
        day, at_s = divmod(int(row["t_s"]), DAY_S)
        n[day, at_s // BIN_S] += float(row["rate_rps"]) * BIN_S
    index = {day: float(n[day].var() / n[day].mean()) for day in _REPORTED_DAYS}
    day = max(index, key=lambda each: index[each])
    return day, index[day]


def cut(rates: list[Row], lengths: Iterator[Row], *, model: str) -> Json:
    """One day's rates by client and bin, and the clients' quantiles of lengths by window."""
    day, dispersion = burstiest_day(rates)
    bins: dict[int, list[tuple[int, float, str, float]]] = defaultdict(list)
    for row in rates:
        in_day, at_s = divmod(int(row["t_s"]), DAY_S)
        if in_day == day:
            law = (float(row["rate_rps"]), row["dist"], float(row["shape"]))
            bins[int(row["client"])].append((at_s, *law))
    windows: dict[int, dict[int, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(dict))
    for row in lengths:
        in_day, at_s = divmod(int(row["window_s"]), DAY_S)
        if row["model"] == model and in_day == day and row["field"] in _FIELDS:
            quantiles = [float(row[name]) for name in _QUANTILES]
            windows[int(row["client"])][at_s][row["field"]] = quantiles
    return {
        "model": model,
        "day": day,
        "dispersion": round(dispersion),
        "quantiles": [round(float(name[1:]) / 100.0, 4) for name in _QUANTILES],
        "clients": [
            {"client": client, "bins": sorted(bins[client]), "lengths": _windows(windows[client])}
            for client in sorted(bins)
        ],
    }


def _windows(of_client: dict[int, dict[str, list[float]]]) -> list[Json]:
    return [
        {"from_s": at_s, **fields}
        for at_s, fields in sorted(of_client.items())
        if fields.keys() == set(_FIELDS)
    ]


def main() -> None:
    """Read two weeks, write a day."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servegen_day", description=__doc__)
    parser.add_argument("rates", type=Path)
    parser.add_argument("lengths", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    day = cut(list(_rows(given.rates)), _rows(given.lengths), model=given.model)
    text = json.dumps(day, separators=(",", ":")) + "\n"
    given.out.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
