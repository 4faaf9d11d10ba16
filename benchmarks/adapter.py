"""How fast and how small the adapter is: `python -m benchmarks.adapter`, about a minute.

5,000 VariantAutoscalings, 1,000 requests a second for 20 s as the HPA controller sends them through
an API server: TLS with the front proxy's certificate, X-Remote-* headers, one object each, authorised
by an API server. The adapter, and then a bare aiohttp handler that answers the same bytes over the
same TLS, run on core 0; load and API server run on the others.
"""

import argparse
import asyncio
import os
import random
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.adapter_load import N_CONNECTIONS, Connections, Outcome, load
from benchmarks.adapter_world import NAMESPACE, name_of
from benchmarks.report import Figure, print_report
from tests.adapter.api_server import HPA_USER
from tests.controlplane.pki import Authority

RATE_QPS = 1000.0
MEASURED_S, WARM_UP_S = 20.0, 3.0
SEED = 11
CORE = 0  # of the measured process; the others are the load's
TARGET_P99_S, TARGET_RSS_MIB, TARGET_START_S = 0.010, 150.0, 5.0
METRICS = ("desired_replicas", "load", "utilization", "mixed_load")
PREFIX = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{NAMESPACE}/variantautoscalings.autoscaling.llmd.ai"


def say(text: str) -> None:
    """Progress; stdout is the report's."""
    print(f"  {text}", file=sys.stderr, flush=True)


def request(path: str) -> bytes:
    """A GET as kube-aggregator passes it on."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: llmd-adapter.llmd-system.svc",
        "User-Agent: kube-controller-manager/v1.37.2 (linux/amd64) system:serviceaccount:kube-system:hpa",
        "Accept: application/vnd.kubernetes.protobuf, */*",
        "Accept-Encoding: gzip",
        "Audit-Id: 5b0b5f0c-7c6a-4f0e-9a51-5a1b8f1f2b11",
        f"X-Remote-User: {HPA_USER}",
        "X-Remote-Uid: 0f6a3c1e-3ac2-4f43-8c3e-2f8f4c6b1a2d",
        "X-Remote-Group: system:serviceaccounts",
        "X-Remote-Group: system:serviceaccounts:kube-system",
        "X-Remote-Group: system:authenticated",
        "X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id: JTI=2a",
        "X-Forwarded-For: 127.0.0.1",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def requests(n: int, n_objects: int, seed: int) -> list[bytes]:
    """Requests for objects at random."""
    rng = random.Random(seed)
    return [
        request(f"{PREFIX}/{name_of(rng.randrange(n_objects))}/{rng.choice(METRICS)}")
        for _ in range(n)
    ]


def make_certificates(folder: Path) -> ssl.SSLContext:
    """Files for both servers; returns what the front proxy connects with."""
    serving, front_proxy = Authority("serving-ca"), Authority("front-proxy-ca")
    names = ["127.0.0.1", "llmd-adapter.llmd-system.svc"]
    serving.server("adapter", names).write(folder, "serving")
    (folder / "front-proxy-ca.crt").write_bytes(front_proxy.pem)
    context = ssl.create_default_context(cadata=serving.pem.decode())
    context.load_cert_chain(
        *front_proxy.client("front-proxy-client").write(folder, "front-proxy-client")
    )
    return context


@asynccontextmanager
async def program(
    command: Sequence[str], *, core: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, on one core where it is the measured one; ended with the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    all_cores = set(range(os.cpu_count() or 1))
    mine = {core} if core is not None else all_cores - {CORE} or all_cores
    os.sched_setaffinity(process.pid, mine)
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def address_of(process: asyncio.subprocess.Process) -> str:
    """The line that a world prints when it listens."""
    assert process.stdout is not None  # noqa: S101 (a pipe)
    return (await process.stdout.readline()).decode().strip()


async def until_ready(context: ssl.SSLContext, port: int, began_s: float) -> float:
    """Seconds from the start of a process until its /readyz says so."""
    while True:
        connections = Connections(context, "127.0.0.1", port)
        try:
            await connections.open(1)
            code, _ = await connections.get(request("/readyz"))
        except (OSError, asyncio.IncompleteReadError):
            code = 0
        await connections.close()
        if code == 200:
            return time.perf_counter() - began_s
        await asyncio.sleep(0.02)


async def measured(context: ssl.SSLContext, port: int, n_objects: int) -> Outcome:
    """The load on a port, after a warm-up."""
    connections = Connections(context, "127.0.0.1", port)
    await connections.open(N_CONNECTIONS)
    warm_up = requests(int(WARM_UP_S * RATE_QPS), n_objects, SEED + 1)
    await load(connections, warm_up, rate_qps=RATE_QPS, seed=SEED + 1, say=say)
    written = requests(int(MEASURED_S * RATE_QPS), n_objects, SEED)
    outcome = await load(connections, written, rate_qps=RATE_QPS, seed=SEED, say=say)
    await connections.close()
    return outcome


def memory_mib(pid: int, field: str) -> float:
    """A line of a process's status, such as VmRSS."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024.0
    raise SystemExit(f"/proc/{pid}/status has no {field}")


def cpu_s(pid: int) -> float:
    """User and system seconds of a process."""
    parts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def run(n_objects: int) -> bool:
    """Measure both, and report."""
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {CORE} or {CORE})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = make_certificates(folder)
        world = ["benchmarks.adapter_world", "--folder", name]
        async with program([*world, "--objects", str(n_objects)]) as api:
            adapter, body = await measure_adapter(await address_of(api), folder, context, n_objects)
        say("the bare handler ...")
        async with program([*world, "--bare", body.decode()], core=CORE) as bare:
            port = int((await address_of(bare)).rpartition(":")[2])
            cpu_before_s = cpu_s(bare.pid)
            outcome = await measured(context, port, n_objects)
            used_s = cpu_s(bare.pid) - cpu_before_s
            beside = outcome_figures("bare aiohttp handler", outcome, used_s)
            beside.append(
                Figure(
                    name="RSS, bare aiohttp handler",
                    value=memory_mib(bare.pid, "VmRSS"),
                    unit="MiB",
                )
            )
    figures, more = adapter
    return print_report("adapter", figures, [*more, *beside])


async def measure_adapter(
    api: str, folder: Path, context: ssl.SSLContext, n_objects: int
) -> tuple[tuple[list[Figure], list[Figure]], bytes]:
    """Figures of the adapter, and one of its answers."""
    say("the adapter ...")
    port, began_s = free_port(), time.perf_counter()
    files = ["--tls-cert-file", str(folder / "serving.crt")]
    files += ["--tls-private-key-file", str(folder / "serving.key")]
    command = ["adapter", "--api", api, "--port", str(port), *files]
    async with program(command, core=CORE) as process:
        start_s = await until_ready(context, port, began_s)
        say(f"ready after {start_s:.2f} s")
        listed_mib = memory_mib(process.pid, "VmRSS")
        cpu_before_s = cpu_s(process.pid)
        outcome = await measured(context, port, n_objects)
        used_s = cpu_s(process.pid) - cpu_before_s
        rss_mib, peak_mib = memory_mib(process.pid, "VmRSS"), memory_mib(process.pid, "VmHWM")
        connections = Connections(context, "127.0.0.1", port)
        await connections.open(1)
        _, body = await connections.get(request(f"{PREFIX}/{name_of(0)}/load"))
        page = (
            await connections.get(
                request("/metrics")
                .replace(HPA_USER.encode(), b"a")
                .replace(b"system:authenticated", b"system:masters")
            )
        )[1]
        await connections.close()
    errors = sum(n for code, n in outcome.codes.items() if code != 200)
    figures = [
        Figure(
            name="p99 at 1,000 requests/s",
            value=outcome.percentile_s(0.99) * 1e3,
            unit="ms",
            at_most=TARGET_P99_S * 1e3,
        ),
        Figure(name="answers other than 200", value=errors, unit="requests", at_most=0),
        Figure(name="RSS after the load", value=rss_mib, unit="MiB", at_most=TARGET_RSS_MIB),
        Figure(name="start to Ready", value=start_s, unit="s", at_most=TARGET_START_S),
    ]
    beside = [
        Figure(name="objects", value=n_objects, unit="objects"),
        Figure(name="RSS after the list", value=listed_mib, unit="MiB"),
        Figure(name="RSS at its peak", value=peak_mib, unit="MiB"),
        Figure(name="reviews asked", value=reviews(page), unit="calls"),
        *outcome_figures("adapter", outcome, used_s),
    ]
    return (figures, beside), body


def outcome_figures(who: str, outcome: Outcome, used_s: float) -> list[Figure]:
    """What else a load says."""
    n_sent = len(outcome.latency_s)
    return [
        *(
            Figure(name=f"{name}, {who}", value=outcome.percentile_s(q) * 1e3, unit="ms")
            for name, q in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
        ),
        Figure(name=f"rate, {who}", value=n_sent / outcome.wall_s, unit="requests/s"),
        Figure(
            name=f"CPU per request, {who}",
            # of warm-up and load together
            value=used_s / (n_sent * (1.0 + WARM_UP_S / MEASURED_S)) * 1e6,
            unit="us",
        ),
    ]


def reviews(page: bytes) -> float:
    """How often the adapter has asked the API server about anybody."""
    lines = (
        line for line in page.decode().splitlines() if line.startswith("llmd_adapter_reviews_total")
    )
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=5000)
    return 0 if asyncio.run(run(parser.parse_args().objects)) else 1


if __name__ == "__main__":
    sys.exit(main())
