"""Points on disk: one JSON object a line, in the format of docs/points.md, with a sentence for whatever is wrong.

Rules for editors: units are checked by what cannot be, never guessed and repaired.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.point import Clients, Load, Point, Server, Shape

Row = Mapping[str, object]

_GZIP = ".gz"
_MOST_BYTES = 256 * 2**20
# Little's law: clients x time. What asks for three times the clients that there were has another unit.
_LITTLE_MARGIN = 3.0
_FLAGS = ("max_num_batched_tokens", "max_num_seqs", "api_servers", "kv_tokens")
_MANY_IN_ENGINE = 1.5


def read_points(paths: Iterable[Path]) -> list[Point]:
    """The points of some files, in their order.

    Raises: ConfigError: a file cannot be read, or a line of it is wrong.
    """
    points: list[Point] = []
    for path in paths:
        found = [_point(line, f"{path}:{number}") for number, line in _lines(path)]
        if not found:
            raise ConfigError(f"{path}: no points; name a file with one JSON object a line")
        points += found
    return points


def row_of(point: Point) -> dict[str, object]:
    """A point as a line says it."""
    load, clients, server = point.load, point.clients, point.server
    row: dict[str, object] = {
        "isl": round(load.isl),
        "osl": round(load.osl),
        "conc": load.concurrency,
        "rate": load.rate_qps,
        "prefix": load.prefix_frac,
    }
    if len(load.shapes) > 1:
        row["shapes"] = [[s.isl, s.osl, s.weight] for s in load.shapes]
    if load.n_prefixes > 1:
        row["n_prefixes"] = load.n_prefixes
    row |= {"warm_s": _short(point.warm_s), "window_s": _short(point.window_s)}
    row |= {name: _short(getattr(clients, field)) for name, field in _CLIENT_FIELDS.items()}
    row |= {name: _short(getattr(server, field)) for name, field in _SERVER_FIELDS.items()}
    row["srv"] = {name: _short(getattr(server, field)) for name, field in _SRV_FIELDS.items()}
    row |= dict(point.flags)
    if point.trouble:
        row["trouble"] = list(point.trouble)
    return row


# name in the file: field of Clients, Server
_CLIENT_FIELDS = {
    "errors": "errors",
    "n_first": "n_first",
    "n_done": "n_done",
    "rps": "rps",
    "out_tps": "out_tps",
    "ttft_mean": "ttft_mean_s",
    "ttft_p50": "ttft_p50_s",
    "ttft_p95": "ttft_p95_s",
    "itl_mean": "itl_mean_s",
    "itl_p95": "itl_p95_s",
    "tpot_p95": "tpot_p95_s",
    "e2e_p50": "e2e_p50_s",
    "ci95": "ci95_frac",
}
_SERVER_FIELDS = {
    "in_tps_server": "in_tps",
    "out_tps_server": "out_tps",
    "kv_mean": "kv_mean_frac",
    "kv_max": "kv_max_frac",
    "running": "n_running",
    "waiting": "n_waiting",
}
_SRV_FIELDS = {
    "ttft": "ttft_s",
    "queue": "queue_s",
    "prefill": "prefill_s",
    "iters": "steps_per_s",
    "iter_tokens": "tokens_per_step",
    "pc_hit": "hit_tokens",
    "pc_query": "queried_tokens",
}
_SECONDS = ("ttft_mean", "ttft_p50", "ttft_p95", "itl_mean", "itl_p95", "e2e_p50")


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if path.suffix == _GZIP:
            content = gzip.decompress(content)
        text = content.decode()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: {reason}; name a file of points that can be read") from error
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        raise ConfigError(
            f"{path}: {error}; name a file of points, one JSON object a line"
        ) from error
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, line) for number, line in numbered if line.strip()]


def _point(line: str, where: str) -> Point:
    try:
        row: object = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}; write one JSON object a line") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: found {line[:40]!r}; write a JSON object")
    return _Reader(row, where).point()


class _Reader:
    """Reads the fields of one line."""

    def __init__(self, row: Row, where: str) -> None:
        self._row = row
        self._where = where

    def point(self) -> Point:
        load = self._load()
        clients = self._clients(load)
        srv = self._row.get("srv") or {}
        if not isinstance(srv, dict):
            raise self._wrong("srv", "is no object; leave it out or write the server's own figures")
        inner = _Reader(srv, f"{self._where}: srv")
        server = Server(
            **{field: self._optional(name) for name, field in _SERVER_FIELDS.items()},
            **{field: inner._optional(name) for name, field in _SRV_FIELDS.items()},
        )
        for name, frac in (("kv_mean", server.kv_mean_frac), ("kv_max", server.kv_max_frac)):
            if frac is not None and frac > 1.0:
                raise self._wrong(name, f"found {frac:g}; write a fraction, 0 to 1")
        self._check_units(load, clients)
        return Point(
            load=load,
            warm_s=self._optional("warm_s") or 0.0,
            window_s=self._number("window_s", least=1e-9),
            clients=clients,
            server=server,
            where=self._where.rpartition("/")[2],  # a page is read elsewhere than on this machine
            trouble=self._trouble(),
            left_out=self._left_out(load, server),
            flags=self._flags(),
        )

    def _load(self) -> Load:
        conc, rate = self._optional("conc"), self._optional("rate")
        if (conc is None) == (rate is None):
            raise self._wrong(
                "conc", "exactly one of conc and rate must be a number; the other is null"
            )
        if conc is not None and (conc < 1 or conc != int(conc)):
            raise self._wrong("conc", f"found {conc:g}; write a whole number of clients, 1 or more")
        if rate is not None and rate <= 0:
            raise self._wrong("rate", f"found {rate:g}; write requests a second, above 0")
        prefix = self._optional("prefix") or 0.0
        if prefix >= 1.0:
            raise self._wrong(
                "prefix", f"found {prefix:g}; write the shared share of the prompt, 0 to below 1"
            )
        return Load(
            shapes=self._shapes(),
            concurrency=None if conc is None else int(conc),
            rate_qps=rate,
            prefix_frac=prefix,
            n_prefixes=int(self._optional("n_prefixes") or 1),
        )

    def _shapes(self) -> tuple[Shape, ...]:
        shapes = self._row.get("shapes")
        if shapes is None:
            return (Shape(int(self._number("isl", least=1)), int(self._number("osl", least=1))),)
        if not isinstance(shapes, list) or not shapes:
            raise self._wrong("shapes", "is no list of [isl, osl, weight]")
        return tuple(self._shape(entry) for entry in shapes)

    def _shape(self, entry: object) -> Shape:
        match entry:
            case [int(isl), int(osl), int() | float() as weight] if min(isl, osl) > 0 < weight:
                return Shape(isl, osl, float(weight))
            case _:
                raise self._wrong(
                    "shapes", f"found {entry!r}; write [isl, osl, weight], all above 0"
                )

    def _clients(self, load: Load) -> Clients:
        optional = {
            field: self._optional(name)
            for name, field in _CLIENT_FIELDS.items()
            if name not in {"errors", "n_first", "n_done", "rps", "out_tps"}
        }
        if load.osl > 1 and optional["itl_mean_s"] is None and self._optional("n_done"):
            raise self._wrong("itl_mean", "missing; write the mean gap between tokens, in seconds")
        return Clients(
            rps=self._number("rps"),
            out_tps=self._number("out_tps"),
            n_first=int(self._optional("n_first") or 0),
            n_done=int(self._optional("n_done") or 0),
            errors=int(self._optional("errors") or 0),
            **optional,
        )

    def _check_units(self, load: Load, clients: Clients) -> None:
        """Seconds: in a closed loop, rate x time is at most the clients that there are."""
        if load.concurrency is None:
            return
        most = _LITTLE_MARGIN * load.concurrency
        for name, rate, time_s in (
            ("itl_mean", clients.out_tps, clients.itl_mean_s),
            ("ttft_mean", clients.rps, clients.ttft_mean_s),
            ("ttft_p50", clients.rps, clients.ttft_p50_s),
        ):
            if time_s is not None and rate * time_s > most:
                raise self._wrong(
                    name,
                    f"found {time_s:g}, which at {rate:g}/s keeps {rate * time_s:.0f} clients busy where there are "
                    f"{load.concurrency}; write seconds",
                )

    def _left_out(self, load: Load, server: Server) -> str:
        if self._row.get("pd"):
            return "prefill and decode on two servers"
        servers = self._optional("servers")
        if servers is not None and servers > 1:
            return f"{servers:g} servers together"
        open_clients = (server.n_running or 0.0) + (server.n_waiting or 0.0)
        if load.concurrency is not None and open_clients > _MANY_IN_ENGINE * load.concurrency + 1:
            return f"{open_clients:.0f} requests in the engine of {load.concurrency} clients: others were there, too"
        return ""

    def _trouble(self) -> tuple[str, ...]:
        trouble = self._row.get("trouble") or []
        if not isinstance(trouble, list) or not all(isinstance(each, str) for each in trouble):
            raise self._wrong("trouble", "is no list of texts")
        return tuple(trouble)

    def _flags(self) -> tuple[tuple[str, int], ...]:
        given = ((name, self._optional(name)) for name in _FLAGS)
        return tuple((name, int(value)) for name, value in given if value is not None)

    def _optional(self, name: str) -> float | None:
        value = self._row.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(name, f"found {value!r}; write a number")
        if not 0.0 <= value < math.inf:
            raise self._wrong(name, f"found {value:g}; write a number of 0 or more")
        return float(value)

    def _number(self, name: str, *, least: float = 0.0) -> float:
        value = self._optional(name)
        if value is None:
            raise self._wrong(name, "missing; write a number (docs/points.md)")
        if value < least:
            raise self._wrong(name, f"found {value:g}; write {least:g} or more")
        return value

    def _wrong(self, name: str, sentence: str) -> ConfigError:
        return ConfigError(f"{self._where}: {name}: {sentence}")


def write_points(path: Path, points: Sequence[Point]) -> None:
    """Write a whole file of points."""
    path.write_text("".join(json.dumps(row_of(p)) + "\n" for p in points), encoding="utf-8")


def _short(value: object) -> object:
    """Six significant digits: further ones are noise."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
