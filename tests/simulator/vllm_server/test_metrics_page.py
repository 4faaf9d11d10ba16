"""The simulated page beside the recorded one of vLLM 0.26.0, both ways: what is there, and what is not."""

from collections import defaultdict
from pathlib import Path

import pytest

from llmd_autoscaler.core.engine.instance import EngineSnapshot
from llmd_autoscaler.engines.exposition import samples_by_name
from llmd_autoscaler.engines.vllm import read_page
from llmd_autoscaler.simulator.vllm_server.metrics_page import MetricsPage
from llmd_autoscaler.simulator.vllm_server.tally import Tally

RECORDED = (Path(__file__).parents[2] / "data" / "vllm" / "metrics-0.26.0-h100.txt").read_bytes()
MODEL = "meta-llama/Llama-3.1-8B-Instruct"

# Every difference between the two pages, by the beginning of the series' names, with its reason.
ONLY_RECORDED = {
    "python_": "the garbage collector of the interpreter says nothing about an engine",
    "process_": "memory, files and CPU of the simulator would pass for those of an engine",
    "http_": "of the web framework, by handler; nobody counts requests there, for drained ones look served",
}
ONLY_SIMULATED: dict[str, str] = {}
# On both pages, in spite of a prefix above: a restart is noticed by it.
ON_BOTH = {"process_start_time_seconds"}
# Labels whose values are those of the machine, by series.
OWN_VALUES = {"vllm:cache_config_info": "block counts and sizes follow the profile"}


def simulated(model: str = MODEL) -> bytes:
    # As on the recorded server: 32,768 tokens at most, 462,944 in the KV cache.
    page = MetricsPage(model=model, max_model_len=32_768, kv_tokens=462_944, started_s=1000.0)
    snapshot = EngineSnapshot(
        n_running=3, n_waiting=5, kv_used_tokens=115_736, n_steps=7, n_step_tokens=70, busy_s=1.0
    )
    return page.render(Tally(32_768), snapshot, n_in_front=1)


def types_of(page: bytes) -> dict[str, str]:
    headers = [line.split() for line in page.decode().splitlines() if line.startswith("# TYPE ")]
    return {name: kind for _, _, name, kind in headers}


def label_sets_of(page: bytes) -> dict[str, set[frozenset[object]]]:
    """Per sample name every label set, bucket edges (`le`) included."""
    names = {
        line.split("{")[0].split(" ")[0]
        for line in page.decode().splitlines()
        if not line.startswith("#")
    }
    sets: dict[str, set[frozenset[object]]] = defaultdict(set)
    for name, samples in samples_by_name(page, names - {""}).items():
        for sample in samples:
            labels = sample.labels
            sets[name].add(frozenset(labels if name in OWN_VALUES else labels.items()))
    return dict(sets)


def without(found: dict[str, object], allowed: dict[str, str]) -> dict[str, object]:
    return {
        name: value
        for name, value in found.items()
        if name in ON_BOTH or not name.startswith(tuple(allowed))
    }


def test_names_and_types_are_those_of_the_recorded_page():
    assert without(types_of(simulated()), ONLY_SIMULATED) == without(
        types_of(RECORDED), ONLY_RECORDED
    )


def test_label_sets_and_bucket_edges_are_those_of_the_recorded_page():
    assert without(label_sets_of(simulated()), ONLY_SIMULATED) == without(
        label_sets_of(RECORDED), ONLY_RECORDED
    )


def test_every_line_of_help_stands_before_its_type():
    headers = [line.split()[1:3] for line in simulated().decode().splitlines() if line[:1] == "#"]

    assert headers[::2] == [["HELP", name] for _, name in headers[1::2]]


@pytest.mark.parametrize("prefix", ONLY_RECORDED)
def test_no_allowance_outlives_its_difference(prefix):
    differing = set(types_of(RECORDED)) - set(types_of(simulated()))

    assert any(name.startswith(prefix) for name in differing)


def test_the_page_is_read_back_to_the_last_concept():
    page = read_page(simulated())

    assert page.missing == {}
    assert page.model_name == MODEL
    assert page.started_at_s == 1000.0
    assert page.n_running == 3.0
    assert page.n_waiting == 4.0  # five wait, one of them still in the API server
    assert page.kv_usage_frac == 0.25  # 115,736 of 462,944
    assert page.kv_capacity_tokens == 462_944
    assert page.is_sleeping is False


def test_a_model_name_with_quotes_does_not_break_the_page():
    assert read_page(simulated('a"b\\c')).model_name == 'a"b\\c'
