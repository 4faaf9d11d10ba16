"""A whole comparison: from flags to table, page and JSON, with worker processes."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.compare import CompareOptions, chosen_entries, run
from llmd_autoscaler.local.options import Options
from llmd_autoscaler.local.sweep import NAMES


def compared(tmp_path, *policies, seeds=(1,)):
    out = io.StringIO()
    run(
        CompareOptions(
            run=Options(until_s=240.0, is_virtual=True),
            seeds=seeds,
            policies=policies,
            report=tmp_path / "report.html",
            is_json=True,
        ),
        out,
    )
    return out.getvalue()


def test_an_unknown_policy_is_told_those_that_there_are():
    with pytest.raises(
        ConfigError, match=r"no policy 'hpa-kw': there are ours, .*did you mean hpa-kv\?"
    ):
        chosen_entries(["ours", "hpa-kw"])


def test_policies_keep_their_order_whatever_was_asked_first():
    assert [entry.name for entry in chosen_entries(["hpa-kv", "ours"])] == ["ours", "hpa-kv"]
    assert tuple(entry.name for entry in chosen_entries(NAMES)) == NAMES


def test_a_report_without_a_place_is_refused_before_any_work(tmp_path):
    options = CompareOptions(run=Options(), report=tmp_path / "none" / "report.html")
    with pytest.raises(ConfigError, match=r"--report .*: cannot be written"):
        run(options, io.StringIO())


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_comparison_ends_with_table_page_and_json(tmp_path):
    said = compared(tmp_path, "ours", "static", "keda-slo", seeds=(1, 2))
    found = json.loads(said.splitlines()[-1])
    assert {row["name"] for row in found["policies"]} == {"ours", "static", "keda-slo"}
    assert {row["params"]["seed"] for row in found["policies"]} == {1, 2}
    assert "seed 1" in said
    assert "seed 2" in said
    assert (tmp_path / "report.html").stat().st_size > 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_workers_change_nothing_about_a_run(tmp_path):
    def rows(said):
        return json.loads(said.splitlines()[-1])["policies"]

    assert rows(compared(tmp_path, "ours", "static")) == rows(compared(tmp_path, "ours", "static"))


_HANGING = """
import sys, time
from llmd_autoscaler.local.runs import Runs

if __name__ == "__main__":
    with Runs({}, n_workers=1) as runs:
        future = runs._pool.submit(time.sleep, 60)
        while not future.running():
            time.sleep(0.01)
        print(next(iter(runs._pool._processes)), flush=True)
        time.sleep(60)
"""


@pytest.mark.slow
def test_a_killed_comparison_leaves_no_worker_behind(tmp_path):
    path = tmp_path / "hanging.py"
    path.write_text(_HANGING)
    parent = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline_s = time.monotonic() + 20
    while is_alive(worker) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not is_alive(worker)


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
