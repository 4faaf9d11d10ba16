"""Whole runs: in virtual time, and with every process of the system."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.run import run
from llmd_autoscaler.simulator.replay import read_trace

pytestmark = [pytest.mark.slow, pytest.mark.fleet, pytest.mark.timeout(240)]

KEYS = {
    "requests", "completed", "failed", "attainment", "gpu_hours", "static_gpu_hours",
    "lookahead_gpu_hours", "cost_usd", "decisions", "scaling_events", "reversals",
    "first_decision_s", "simulated_s", "wall_s", "lag_p99_s",
}  # fmt: skip
N_NEAR_THE_BOUND = 8  # one in a hundred
PROGRAMS = ("cluster", "adapter", "router", "controller")
LOCAL = [sys.executable, "-m", "llmd_autoscaler", "local", "--json"]


def result(said):
    return json.loads(said.splitlines()[-1])


def virtual(**options):
    out = io.StringIO()
    assert run(Options(is_virtual=True, is_json=True, **options), out)
    return result(out.getvalue())


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def process_ids(folder):
    return {name: int((folder / f"{name}.pid").read_text()) for name in PROGRAMS}


def pod_process_ids(cluster):
    """The servers: children of the cluster's process."""
    return [
        int(word) for word in Path(f"/proc/{cluster}/task/{cluster}/children").read_text().split()
    ]


def until(claim, process):
    """Wait for a claim while a run goes on."""
    while not claim():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)


def started(folder, *flags):
    return subprocess.Popen(
        [*LOCAL, "--record", str(folder), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcomes(folder):
    with (folder / "outcomes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def n_decided(folder):
    log = folder / "controller.log"
    return log.read_text().count('"tick_decided"') if log.exists() else 0


def n_counted_apart(said):
    """By what they count, how far the router's counts are from the load generator's."""
    found = re.findall(r"([\d,]+)\s(\w+)\sby\sits\scount,\s([\d,]+)", " ".join(said.split()))
    apart = Counter()
    for theirs, word, ours in found:
        apart[word] += abs(int(theirs.replace(",", "")) - int(ours.replace(",", "")))
    return apart


def test_the_same_seed_gives_the_same_run():
    first, second = (virtual(until_s=300.0) for _ in range(2))
    for of_run in (first, second):
        del of_run["wall_s"]
    assert first == second


def test_recorded_traffic_gives_the_same_requests_again(tmp_path):
    first = virtual(until_s=300.0, record=tmp_path / "first")
    again = virtual(trace=tmp_path / "first" / "requests.csv", rate_scale=1.0)
    assert again["requests"] == first["requests"]


def test_in_virtual_time_every_request_is_answered_and_every_key_is_there():
    found = virtual(until_s=300.0)
    assert found.keys() == KEYS
    assert found["completed"] == found["requests"]


def test_with_real_processes_every_request_has_one_answer_and_nothing_stays(tmp_path):
    folder = tmp_path / "run"
    process = started(folder, "--until", "120")
    until((folder / "controller.pid").exists, process)
    numbers = list(process_ids(folder).values())
    numbers += pod_process_ids(numbers[0])
    said, _ = process.communicate()
    assert process.returncode == 0, said
    found = result(said)
    assert found.keys() == KEYS
    # the packaged trace at 1.7 times its rate, as in virtual time
    assert found["requests"] == virtual(until_s=120.0)["requests"]
    assert (found["completed"], found["failed"]) == (found["requests"], 0)
    assert set(n_counted_apart(said)) <= {"attained"}
    # an answer within a few milliseconds of its bound may be in time on one side only
    assert sum(n_counted_apart(said).values()) <= N_NEAR_THE_BOUND
    assert len(numbers) > len(PROGRAMS)
    assert not [number for number in numbers if is_alive(number)]
    assert len(read_trace(folder / "requests.csv").at_s) == found["requests"]


def test_the_loop_goes_on_when_the_controller_is_killed(tmp_path):
    folder = tmp_path / "run"
    process = started(folder, "--until", "200")
    until(lambda: n_decided(folder) >= 3, process)
    killed = process_ids(folder)["controller"]
    os.kill(killed, signal.SIGKILL)
    n_before = n_decided(folder)
    until(lambda: n_decided(folder) >= n_before + 3, process)
    said, _ = process.communicate()
    found = result(said)
    assert (found["completed"], found["failed"]) == (found["requests"], 0)
    epochs = {
        json.loads(line)["status"]["decisionID"].partition("-")[0]
        for line in (folder / "statuses.jsonl").read_text().splitlines()
        if "decisionID" in line
    }
    assert epochs == {"1", "2"}


def test_ctrl_c_lets_open_requests_end_and_prints_the_table(tmp_path):
    folder = tmp_path / "run"
    process = started(folder, "--until", "1000")
    until(lambda: n_decided(folder) >= 4, process)  # 45 s after the first request, which is at 0
    numbers = process_ids(folder)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    found = result(said)
    assert process.returncode == 0
    assert 0 < found["requests"] == found["completed"]
    assert found["static_gpu_hours"] is None  # a bound of the whole replay
    assert not [number for number in numbers.values() if is_alive(number)]


def test_a_killed_run_leaves_no_process_behind(tmp_path):
    folder = tmp_path / "run"
    process = started(folder, "--until", "1000")
    until(lambda: n_decided(folder) >= 1, process)
    numbers = list(process_ids(folder).values())
    numbers += pod_process_ids(numbers[0])
    process.kill()
    process.communicate()
    deadline_s = time.monotonic() + 20
    while any(is_alive(number) for number in numbers) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not [number for number in numbers if is_alive(number)]
