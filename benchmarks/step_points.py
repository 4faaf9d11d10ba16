"""The points behind the catalogue, read from benchmarks/data: what was measured and what was predicted."""

import csv
import gzip
import json
from pathlib import Path
from typing import TypedDict

from benchmarks.step_fit import Point

DATA = Path(__file__).parent / "data"
SILICON = DATA / "llama-3.1-8b-h100.jsonl.gz"
SILICON_FACTS = DATA / "llama-3.1-8b-h100-facts.json"
OPERATOR_TABLES = DATA / "llama-3.1-70b-tp4.csv.gz"

# The API server's time a request and a streamed token: measured by hand, H100, vLLM 0.26.0.
API_SERVER_PER_REQUEST_MS = 3.3
API_SERVER_PER_TOKEN_MS = 0.085
# Above this use the engine waits for the API server, and a cell says nothing about the engine. All
# cells of more than 8,500 streamed tokens/s, where one process is known to be the limit, are among them.
_API_SERVER_MAX_USE = 0.8
# A cell is the engine's when nearly all of its clients are in the engine; the rest are on their way.
_LEAST_IN_ENGINE_FRAC = 0.8


class ServerFacts(TypedDict):
    """What a cell's server says of the window: rates a second, times in seconds."""

    iters: float
    iter_tokens: float
    queue: float
    prefill: float
    pc_hit: float


class Cell(TypedDict):
    """A row of the H100 grids: a closed loop of `conc` clients, watched for a few seconds."""

    grid: str
    isl: int
    osl: int
    conc: int
    prefix: float
    rps: float
    out_tps: float
    in_tps_server: float
    out_tps_server: float
    ttft_p50: float
    running: float
    waiting: float
    srv: ServerFacts


class SiliconFacts(TypedDict):
    """What was noted about the H100 and its server beside the grids."""

    kv: dict[str, float]
    startup_s: dict[str, float]
    sleep_mode: dict[str, float]


class TableRow(TypedDict):
    """A row of the operator tables, as text: one prefill pass or one decode step."""

    system: str
    kind: str
    isl: str
    batch: str
    context_ms: str
    decode_step_ms: str
    memory_gib: str


def silicon_cells() -> list[Cell]:
    """Every row that was measured on the H100."""
    with gzip.open(SILICON, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def silicon_facts() -> SiliconFacts:
    """KV capacity and start-up times of the H100's server."""
    facts: SiliconFacts = json.loads(SILICON_FACTS.read_text(encoding="utf-8"))
    return facts


def is_engine_bound(cell: Cell) -> bool:
    """Whether 1 / iters is the time of a step: the engine never waits for work.

    A lone client leaves it idle while it turns round; an API server that is the limit does so too.
    Cells with prefix hits are not for fitting: all their requests share one prefix, whose context the
    engine reads once for all of them, and real sessions have many.
    """
    return (
        cell["grid"] in {"A", "B"}
        and cell["srv"]["pc_hit"] == 0
        and cell["conc"] > 1
        and cell["running"] + cell["waiting"] >= _LEAST_IN_ENGINE_FRAC * cell["conc"]
        and api_server_use(cell) <= _API_SERVER_MAX_USE
    )


def api_server_use(cell: Cell) -> float:
    """Share of one API server process that a cell keeps busy."""
    return (
        cell["rps"] * API_SERVER_PER_REQUEST_MS + cell["out_tps"] * API_SERVER_PER_TOKEN_MS
    ) / 1000


def silicon_point(cell: Cell) -> Point:
    """The mean step of a cell: what its server counted, over its number of steps.

    The model is linear, so the mean step time belongs to the mean of what the steps carry.
    """
    n_steps_per_s = cell["srv"]["iters"]
    n_prompts = cell["in_tps_server"] / cell["isl"] / n_steps_per_s
    n_generated = cell["out_tps_server"] / n_steps_per_s
    # the first token of an answer comes out of the step that ends its prefill
    n_decodes = n_generated - n_prompts
    hit_tokens = cell["prefix"] * cell["isl"]
    # sum of chunk * (context before + chunk / 2) over the chunks of a prompt, however it is cut
    attention = n_prompts * (cell["isl"] ** 2 - hit_tokens**2) / 2
    return Point(
        name=f"{cell['isl']}x{cell['osl']} at {cell['conc']}",
        kind="cell",
        terms=(
            1.0,
            n_decodes,
            max(0.0, cell["srv"]["iter_tokens"] - n_generated),
            n_decodes * (cell["isl"] + cell["osl"] / 2) / 1e3,
            attention / 1e6,
        ),
        step_ms=1000 / n_steps_per_s,
    )


def table_rows(system: str) -> list[TableRow]:
    """The operator tables' rows of one system, with its four accelerators."""
    with gzip.open(OPERATOR_TABLES, "rt", encoding="utf-8", newline="") as lines:
        return [
            TableRow(
                system=row["system"],
                kind=row["kind"],
                isl=row["isl"],
                batch=row["batch"],
                context_ms=row["context_ms"],
                decode_step_ms=row["decode_step_ms"],
                memory_gib=row["memory_gib"],
            )
            for row in csv.DictReader(lines)
            if row["system"] == system
        ]


def table_point(row: TableRow) -> Point:
    """A row of the operator tables as a step: a prefill pass over whole prompts, or a decode step."""
    isl, batch = int(row["isl"]), int(row["batch"])
    name = f"{row['kind']} {isl} x {batch}"
    if row["kind"] == "prefill":
        terms = (1.0, 0.0, float(batch * isl), 0.0, batch * isl**2 / 2 / 1e6)
        return Point(name, "prefill", terms, float(row["context_ms"]))
    terms = (1.0, float(batch), 0.0, batch * isl / 1e3, 0.0)
    return Point(name, "decode", terms, float(row["decode_step_ms"]))


def table_tokens(row: TableRow) -> int:
    """Tokens of KV cache that a row takes: the tables also say what no card could hold."""
    return int(row["isl"]) * int(row["batch"])
