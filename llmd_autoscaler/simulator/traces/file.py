"""A trace's file: opened, told by its content, and read row by row, with a sentence for whatever is wrong in it."""

import gzip
import zlib
from pathlib import Path

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.simulator.traces import azure, burstgpt, mooncake
from llmd_autoscaler.simulator.traces.request import MOST_TOKENS, Form, Request

_SHOWN = 60  # characters of what was found: a file without line breaks is one line
# Three times the longest trace that is published; beyond it a time is in another unit than it should be.
_LONGEST_S = 366 * 86400.0
# Ten times the largest trace that is published: a device, or a few compressed bytes that never end, stop here.
_MOST_BYTES = 2**30
_GZIP = b"\x1f\x8b"


def read_requests(path: Path) -> list[Request]:
    """The requests of a trace in order of arrival; times are the file's own, in seconds.

    Raises: ConfigError: missing, empty, of no known form, a bad row or one out of order, by its line number.
    """
    lines = _text(path).splitlines() or [""]
    form = _form(path, lines[0])
    n_header = 1 if form.has_header else 0
    found: list[Request] = []
    for line, row in enumerate(lines[n_header:], start=1 + n_header):
        request = _request(path, line, form, row) if row.strip() else None
        if request is None:
            continue
        if found:
            _check_order(path, line, found[0].at_s, found[-1].at_s, request.at_s)
        found.append(request)
    if not found:
        under = " under the header" if form.has_header else ""
        raise ConfigError(f"trace {path}: no request in it; give at least one row{under}")
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            is_compressed = file.read(len(_GZIP)) == _GZIP
        with gzip.open(path) if is_compressed else path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ConfigError(
                f"trace {path}: longer than {_MOST_BYTES >> 20} MiB; cut it into shorter traces"
            )
        return content.decode("utf-8-sig")
    except FileNotFoundError as error:
        columns = azure.SECONDS_HEADER.replace(",", ", ")
        raise ConfigError(
            f"trace {path}: no such file; give a CSV with the columns {columns}"
        ) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigError(f"trace {path}: cannot be read as text or gzip ({error})") from error


def _form(path: Path, first: str) -> Form:
    """How the rows are written, by the first line."""
    header = ",".join(name.strip() for name in first.split(","))
    if header.startswith("{"):
        return mooncake.FORM
    form = azure.FORMS.get(header) or burstgpt.form(header)
    if form is None:
        raise ConfigError(
            f"trace {path}:1: found the header {first[:_SHOWN] or '(nothing)'}; write {azure.SECONDS_HEADER} or "
            f"{azure.PUBLISHED_HEADER} or {burstgpt.HEADER} or, without a header, {mooncake.EXAMPLE} a line"
        )
    return form


def _request(path: Path, line: int, form: Form, row: str) -> Request | None:
    """One row; an answer has at least its first token."""
    # not the csv module: nothing here is quoted, and a stray quote would take the rest of the file for one field
    try:
        request = form.read_row(row)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(
            f"trace {path}:{line}: found {row[:_SHOWN]!r}; write {form.row}"
        ) from error
    if request is None:
        return None
    if not request.is_plausible:
        raise ConfigError(
            f"trace {path}:{line}: found {row[:_SHOWN]!r}; times are finite, prompts have 1 to {MOST_TOKENS:,} tokens, answers 0 to as many"
        )
    return request._replace(osl=max(1, request.osl))


def _check_order(path: Path, line: int, first_s: float, last_s: float, at_s: float) -> None:
    if at_s < last_s:
        raise ConfigError(
            f"trace {path}:{line}: arrives before the row above it; sort the rows by time"
        )
    if at_s - first_s > _LONGEST_S:
        raise ConfigError(
            f"trace {path}:{line}: arrives {at_s - first_s:.0f} s after the first row; "
            "write times in the unit of the form, within a year of each other"
        )
