"""Recorded traffic: reads request traces, scales them, and gives each request its class."""

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmd_autoscaler.errors import ConfigError

# Headers of the two forms of the Azure LLM inference traces: as published, and as seconds from the start.
SECONDS_HEADER = ("arrival_s", "input_tokens", "output_tokens")
PUBLISHED_HEADER = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
# Ten times the longest context of any model: beyond it a number is a mistake, and its prompt would fill the memory.
_MOST_TOKENS = 10_000_000
_SHOWN = 60  # characters of what was found: a file without line breaks is one line


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Requests in order of arrival: arrays (request,); times in seconds from the first."""

    at_s: NDArray[np.float64]
    isl: NDArray[np.int64]
    osl: NDArray[np.int64]
    class_of: NDArray[np.int64]

    @property
    def duration_s(self) -> float:
        """From the first arrival to the last."""
        return float(self.at_s[-1])

    def scaled(self, rate: float) -> "Replay":
        """The same requests at a rate that many times higher, by repeating or dropping requests, not by haste.

        Requests keep their times, so bursts and trends keep their pace; each is repeated floor(rate) or
        floor(rate) + 1 times, evenly, and copies follow within the gap to the next request.
        """
        n_copies = np.diff(np.floor(np.arange(len(self.at_s) + 1) * rate + 1e-9)).astype(np.int64)
        source = np.repeat(np.arange(len(self.at_s)), n_copies)
        first = np.cumsum(n_copies) - n_copies
        copy = np.arange(len(source)) - first[source]
        gaps = np.append(np.diff(self.at_s), 0.0)
        at_s = self.at_s[source] + gaps[source] * copy / np.maximum(n_copies[source], 1)
        # A copy is another request: it takes the lengths of one half the trace away.
        other = (source + copy * (len(self.at_s) // 2)) % len(self.at_s)
        return Replay(at_s, self.isl[other], self.osl[other], np.zeros(len(source), dtype=np.int64))

    def until(self, end_s: float) -> "Replay":
        """Only what arrives before a time."""
        n = int(np.searchsorted(self.at_s, end_s))
        return Replay(self.at_s[:n], self.isl[:n], self.osl[:n], self.class_of[:n])

    def with_classes(self, shares: Sequence[float], *, seed: int) -> "Replay":
        """Each request's class by a seeded hash of its index: the same whichever part is replayed."""
        draws = np.array([_uniform(f"{seed}/{i}") for i in range(len(self.at_s))])
        class_of = np.searchsorted(np.cumsum(shares)[:-1], draws, side="right")
        return Replay(self.at_s, self.isl, self.osl, class_of.astype(np.int64))


def _uniform(text: str) -> float:
    """A number in [0, 1) that a text always gives."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2.0**64


def read_trace(path: Path) -> Replay:
    """An Azure LLM trace, .csv or .csv.gz, with either header.

    Raises: ConfigError: missing, empty, another header, a bad row or one out of order, by its line number.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"trace {path}: no such file; give a CSV with the columns {', '.join(SECONDS_HEADER)}"
        ) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigError(f"trace {path}: cannot be read as text or gzip ({error})") from error
    # not the csv module: nothing here is quoted, and a stray quote would take the rest of the file for one field
    first, *rows = text.splitlines() or [""]
    header = tuple(name.strip() for name in first.split(","))
    if header not in (SECONDS_HEADER, PUBLISHED_HEADER):
        raise ConfigError(
            f"trace {path}:1: found the header {first[:_SHOWN] or '(nothing)'}; write {','.join(SECONDS_HEADER)} or {','.join(PUBLISHED_HEADER)}"
        )
    records: list[tuple[float, int, int]] = []
    for line, row in enumerate(rows, start=2):
        if not row.strip():
            continue
        record = _record(path, line, header, row)
        if records and record[0] < records[-1][0]:
            raise ConfigError(
                f"trace {path}:{line}: arrives before the row above it; sort the rows by time"
            )
        records.append(record)
    if not records:
        raise ConfigError(f"trace {path}: no request in it; give at least one row under the header")
    at_s = np.array([record[0] for record in records])
    return Replay(
        at_s=at_s - at_s[0],
        isl=np.array([record[1] for record in records], dtype=np.int64),
        osl=np.array([record[2] for record in records], dtype=np.int64),
        class_of=np.zeros(len(records), dtype=np.int64),
    )


def _record(path: Path, line: int, header: tuple[str, ...], row: str) -> tuple[float, int, int]:
    """One row: arrival in seconds, prompt and answer tokens; an answer has at least its first token."""
    try:
        when, isl, osl = row.split(",")
        at_s = float(when) if header == SECONDS_HEADER else _published_s(when)
        lengths = int(isl), int(osl)
    except ValueError as error:
        raise ConfigError(
            f"trace {path}:{line}: found {row[:_SHOWN]!r}; write a time and two whole numbers of tokens"
        ) from error
    if not np.isfinite(at_s) or lengths[0] < 1 or lengths[1] < 0 or max(lengths) > _MOST_TOKENS:
        raise ConfigError(
            f"trace {path}:{line}: found {row[:_SHOWN]!r}; times are finite, prompts have 1 to {_MOST_TOKENS:,} tokens, answers 0 to as many"
        )
    return at_s, lengths[0], max(1, lengths[1])


def _published_s(when: str) -> float:
    """A time as published, `2023-11-16 18:15:46.6805900`, in seconds: seven decimals are one too many for Python."""
    moment, _, fraction = when.partition(".")
    base = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return base.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)
