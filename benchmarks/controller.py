"""What the controller costs with 1,000 variants: `python -m benchmarks.controller`, six to nine minutes.

1,000 models of one variant, one HPA and one pod each, on a real API server; the controller's own loop in a
process of its own, as the service account that we ship. A tick has the time of one period after the one
before and begins as soon as that one is over: five simulated minutes, a renewal of every status, take
as long as twenty ticks do. Nine of ten models have traffic that is the same in every tick, the others'
comes at random at steady rates. Requests are those of the API server's audit log. Before that each model
has its first capacity table made, more a tick than the loop makes otherwise, and that is not measured.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.controller_audit import Request, by_what, requests, status_writes, within
from benchmarks.controller_pages import MODELS_A_ROUTER, n_steady
from benchmarks.controller_world import NAMESPACE, name_of, populate
from benchmarks.report import Figure, print_report
from llmd_autoscaler.cli.kernel_cache import kernel_cache
from llmd_autoscaler.kube.api import Kube
from llmd_autoscaler.settings import TickSettings
from tests.controlplane.plane import ControlPlane
from tests.controlplane.session import install_crds
from tests.e2e.identity import NAMESPACE as SYSTEM
from tests.e2e.identity import apply_roles

SEED = 8
ACCOUNT = "llmd-controller"
# one renewal every five minutes, and one more for whatever else happens
MOST_WRITES_AN_HOUR = 13.0
PERIOD_S = TickSettings().period_s
_KINDS = 2  # a VariantAutoscaling and a ServiceLevel a model
_Row = Mapping[str, object]


def say(text: str) -> None:
    """Progress; stdout is the report's."""
    print(f"  {text}", file=sys.stderr, flush=True)


@contextmanager
def pages(n_models: int) -> Iterator[list[str]]:
    """The process that serves pods' and routers' pages; the routers' addresses."""
    names = ",".join(name_of(m) for m in range(n_models))
    command = [sys.executable, "-m", "benchmarks.controller_pages", "--seed", str(SEED)]
    process = subprocess.Popen(
        [*command, "--names", names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 (both are pipes)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def run(plane: ControlPlane, given: argparse.Namespace, folder: Path) -> list[_Row]:
    """The ticks of the measured process."""
    apply_roles(plane, "base/controller/rbac.yaml")
    identity = plane.service_account(SYSTEM, ACCOUNT)
    rows = folder / "rows.jsonl"
    with pages(given.variants) as routers, (folder / "log.jsonl").open("w") as log:
        command = [sys.executable, "-m", "benchmarks.controller_ticks", "--rows", str(rows)]
        command += ["--namespace", NAMESPACE, "--lease", f"{SYSTEM}/{ACCOUNT}"]
        command += [word for url in routers for word in ("--router", url)]
        assert plane.apiserver.process is not None  # noqa: S101 (it runs)
        command += ["--models", str(given.variants), "--api-pid", str(plane.apiserver.process.pid)]
        command += ["--settle", str(given.settle), "--ticks", str(given.ticks)]
        environment = os.environ | {"KUBECONFIG": str(identity)}
        subprocess.run(command, check=True, stdout=log, env=environment)
    return [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]


async def prepare(plane: ControlPlane, n_models: int) -> None:
    """The objects."""
    async with await Kube.connect(kubeconfig=str(plane.kubeconfig), timeout_s=30.0) as kube:
        await populate(kube, n_models)


def figures(
    rows: Sequence[_Row], asked: Sequence[Request], n_models: int
) -> tuple[list[Figure], list[Figure]]:
    """What the ticks after the warm-up come to.

    Args:
        rows: all ticks.
        asked: the requests of the measured ticks.
        n_models: how many models there were.
    """
    measured = [row for row in rows if not row["is_warm_up"]]
    hours = len(measured) * PERIOD_S / 3600.0
    steady, noisy = writes_an_hour(asked, n_models, hours)
    of_ticks = [each for each in asked if each.is_of_a_tick]
    refused = sum(each.code in {0, 401, 403} or each.code >= 500 for each in asked)
    found = [
        Figure(
            name="statuses written of an object, steady traffic",
            value=steady,
            unit="writes/h",
            at_most=MOST_WRITES_AN_HOUR,
        ),
        Figure(name="requests refused or failed", value=refused, unit="requests", at_most=0),
        Figure(
            name="ticks that failed",
            value=sum(bool(row["failure"]) for row in measured),
            unit="ticks",
            at_most=0,
        ),
        Figure(name="tick, median", value=statistics.median(took(measured)), unit="s"),
        Figure(name="tick, worst", value=max(took(measured)), unit="s"),
        Figure(name="RSS", value=number(measured[-1], "rss_mib"), unit="MiB"),
        Figure(
            name="requests a tick",
            value=len(of_ticks) / len(measured),
            unit="requests",
        ),
    ]
    beside = [
        Figure(name="variants", value=n_models, unit="variants"),
        Figure(name="ticks measured", value=len(measured), unit="ticks"),
        Figure(name="simulated time of a tick", value=PERIOD_S, unit="s"),
        Figure(name="models a router", value=MODELS_A_ROUTER, unit="models"),
        Figure(name="statuses written of an object, random traffic", value=noisy, unit="writes/h"),
        Figure(name="RSS at its peak", value=number(measured[-1], "peak_mib"), unit="MiB"),
        Figure(name="ticks of the warm-up", value=len(rows) - len(measured), unit="ticks"),
        Figure(name="CPU of a tick, median", value=middle(measured, "cpu_s"), unit="s"),
        Figure(
            name="CPU of the API server a tick, median",
            value=middle(measured, "api_cpu_s"),
            unit="s",
        ),
        Figure(name="first tick, which writes every status", value=took(rows)[0], unit="s"),
        Figure(
            name="CPU of the API server in the first tick",
            value=number(rows[0], "api_cpu_s"),
            unit="s",
        ),
        Figure(
            name="event loop held up, worst",
            value=max(number(row, "stalled_s") for row in measured),
            unit="s",
        ),
        Figure(name="open files", value=number(measured[-1], "n_files"), unit="files"),
        *steps(measured),
        *(
            Figure(name=f"a tick: {what}", value=n / len(measured), unit="requests")
            for what, n in sorted(by_what(of_ticks).items())
        ),
        *(
            Figure(name=f"beside, in all: {what}", value=n, unit="requests")
            for what, n in sorted(by_what(e for e in asked if not e.is_of_a_tick).items())
        ),
    ]
    return found, beside


def writes_an_hour(asked: Sequence[Request], n_models: int, hours: float) -> tuple[float, float]:
    """Status writes of an object and hour: of models with steady traffic, and with random."""
    written, n = status_writes(asked), n_steady(n_models)
    by_model = [written[name_of(m)] / _KINDS / hours for m in range(n_models)]
    noisy = by_model[n:]
    return statistics.fmean(by_model[:n]), statistics.fmean(noisy) if noisy else 0.0


def steps(rows: Sequence[_Row]) -> list[Figure]:
    """The steps of a tick."""
    names = ("observe", "scrape", "decide", "publish")
    found: list[Figure] = []
    for name in names:
        of_step = [
            float(taken.get(name, 0.0)) for row in rows if isinstance(taken := row["steps_s"], dict)
        ]
        found.append(Figure(name=f"{name}, median", value=statistics.median(of_step), unit="s"))
    return found


def took(rows: Sequence[_Row]) -> list[float]:
    """How long each tick took."""
    return [number(row, "took_s") for row in rows]


def middle(rows: Sequence[_Row], field: str) -> float:
    """The median of a field."""
    return statistics.median(number(row, field) for row in rows)


def number(row: _Row, field: str) -> float:
    """A field of a row."""
    value = row[field]
    assert isinstance(value, (int, float))  # noqa: S101 (written by controller_ticks)
    return float(value)


def measure(given: argparse.Namespace) -> bool:
    """Everything."""
    with (
        kernel_cache(),
        tempfile.TemporaryDirectory() as name,
        ControlPlane(audit=True, controllers=("serviceaccount-controller",)) as plane,
    ):
        install_crds(plane)
        say(f"{given.variants} variants ...")
        asyncio.run(prepare(plane, given.variants))
        rows = run(plane, given, Path(name))
        measured = [row for row in rows if not row["is_warm_up"]]
        user = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
        began_s = number(measured[0], "began_wall_s")
        last = measured[-1]
        ended_s = number(last, "began_wall_s") + number(last, "took_s")
        asked = within(requests(plane.audit_events(), user), began_s, ended_s)
    return print_report("controller", *figures(rows, asked, given.variants))


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=1000)
    parser.add_argument(
        "--settle",
        type=int,
        default=8,
        help="ticks between the last first table and the first measured",
    )
    parser.add_argument("--ticks", type=int, default=20, help="measured; 20 are a renewal of all")
    return 0 if measure(parser.parse_args()) else 1


if __name__ == "__main__":
    sys.exit(main())
