"""A day of ServeGen as a replay: every client with its own rate, burst law and lengths, bin by bin.

ServeGen publishes laws, not requests: for each client and ten minutes a rate and the family and shape of its
inter-arrival times, and for each client and six hours quantiles of its lengths. From them, per client and bin:

    N    = floor(rate_rps x 600 x rate_scale + U)                   U uniform: right in the mean, and never far off
    g_0..g_N  from Gamma(shape) or Weibull(shape)                   the scale cancels
    t_j  = start + 600 x (g_0 + .. + g_j) / (g_0 + .. + g_N)        j < N

so that the totals of a bin are the recorded ones, and the law shows within it: for Gamma(1) that is a Poisson process
with its count given. At a smaller rate a burst has as many requests and lasts longer: the law is one of gaps.
Lengths come from the client's quantiles, straight lines between them, prompt and answer independently. A client
without quantiles (their files are missing at the source: a third of the requests) asks as the others of its bin do.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.replay import Replay

Array = NDArray[np.float64]
BIN_S = 600.0


class _Window(TypedDict):
    """Lengths from a time of the day on, at the file's quantiles."""

    from_s: float
    input_tokens: list[float]
    output_tokens: list[float]


class _Client(TypedDict):
    """One client: (start, requests a second, G or W, shape) by bin; a bin that is absent had no request."""

    client: int
    bins: list[tuple[float, float, str, float]]
    lengths: list[_Window]


class _Day(TypedDict):
    quantiles: list[float]
    clients: list[_Client]


@dataclass(frozen=True, slots=True, eq=False)
class _Requests:
    """Arrays (request,); a length of 0 is not known."""

    at_s: Array
    isl: Array
    osl: Array


def replay(day_file: Path, *, seed: int, rate_scale: float) -> Replay:
    """A day's requests, drawn anew for each seed.

    Args:
        day_file: as `python -m benchmarks.servegen_day` writes it.
        seed: of arrivals and lengths.
        rate_scale: how many times as many requests as the recorded day had.

    Raises: ConfigError: the file cannot be read, or so small a part of the day holds no request.
    """
    day = _read(day_file)
    parts = [
        _requests(client, day["quantiles"], np.random.default_rng([seed, n]), rate_scale)
        for n, client in enumerate(day["clients"])
    ]
    at_s, isl, osl = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("at_s", "isl", "osl")
    )
    if not len(at_s):
        raise ConfigError(f"day {day_file}: no request at rate {rate_scale:g}; write a larger one")
    order = np.argsort(at_s, kind="stable")
    at_s, isl, osl = at_s[order], isl[order], osl[order]
    rng = np.random.default_rng([seed, len(parts)])
    source = _filled(at_s, isl > 0, rng)
    return Replay(
        at_s=at_s - at_s[0],
        isl=isl[source].astype(np.int64),
        osl=osl[source].astype(np.int64),
        class_of=np.zeros(len(at_s), dtype=np.int64),
    )


def _read(day_file: Path) -> _Day:
    try:
        # made by our own command and kept with the project: its fields are as that wrote them
        return cast("_Day", json.loads(gzip.decompress(day_file.read_bytes())))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ConfigError(
            f"day {day_file}: cannot be read ({error}); make it with python -m benchmarks.servegen_day"
        ) from error


def _requests(
    client: _Client, quantiles: Sequence[float], rng: np.random.Generator, rate_scale: float
) -> _Requests:
    """What one client asks all day."""
    at_s = np.concatenate([np.zeros(0), *_arrivals(client, rng, rate_scale)])
    isl, osl = np.zeros(len(at_s)), np.zeros(len(at_s))
    windows = client["lengths"]
    if windows:
        starts_s = np.array([window["from_s"] for window in windows])
        # before the first window that is known, that one
        window_of = np.maximum(np.searchsorted(starts_s, at_s, side="right") - 1, 0)
        for w, window in enumerate(windows):
            here = np.flatnonzero(window_of == w)
            for lengths, field in ((isl, window["input_tokens"]), (osl, window["output_tokens"])):
                drawn = np.interp(rng.random(len(here)), quantiles, field)
                lengths[here] = np.maximum(np.rint(drawn), 1.0)
    return _Requests(at_s, isl, osl)


def _arrivals(client: _Client, rng: np.random.Generator, rate_scale: float) -> Iterator[Array]:
    """One bin after the other."""
    for start_s, rate_rps, law, shape in client["bins"]:
        n = int(rate_rps * BIN_S * rate_scale + rng.random())
        if n == 0:
            continue
        gaps = rng.weibull(shape, n + 1) if law == "W" else rng.standard_gamma(shape, n + 1)
        ends = np.cumsum(gaps)
        yield start_s + BIN_S * ends[:-1] / ends[-1]


def _filled(at_s: Array, is_known: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.intp]:
    """(request,) whose lengths each request has: its own, or those of one of its bin that are known."""
    known = np.flatnonzero(is_known)
    if not len(known):
        raise ConfigError("no client of the day has lengths; make the day with its lengths")
    bin_of = np.floor(at_s / BIN_S)
    # a bin without any that is known takes those of the bins after it, the last ones those before
    low = np.searchsorted(bin_of[known], bin_of, side="left")
    high = np.searchsorted(bin_of[known], bin_of, side="right")
    drawn = low + np.floor(rng.random(len(at_s)) * np.maximum(high - low, 1)).astype(np.intp)
    other = known[np.minimum(drawn, len(known) - 1)]
    return np.where(is_known, np.arange(len(at_s)), other)
