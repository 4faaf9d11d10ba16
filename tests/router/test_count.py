"""The router's page, as its readers see it."""

from prometheus_client.parser import text_string_to_metric_families

from llmd_autoscaler.router.count import Counts
from llmd_autoscaler.router.fleet import Instance
from llmd_autoscaler.router.pick import Work
from llmd_autoscaler.router.stream import Usage
from llmd_autoscaler.translate.routing import MixEntry
from tests.router.conftest import MIXED, STEP


def samples(
    counts: Counts, *instances: Instance
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(counts.page(instances))
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_cells_that_never_occurred_are_not_on_the_page() -> None:
    assert samples(Counts(started_at_s=7.5)) == {("llmd_router_started_at_seconds", ()): 7.5}


def test_every_series_carries_its_labels_in_order() -> None:
    counts = Counts(started_at_s=0.0)
    counts.arrived("m", "c", isl=65, at_s=0.0)
    counts.completed("m", "c", Usage(isl=64, osl=1, n_hit=16))
    counts.ended("m", "c", missed="")
    counts.ended("m", "c", missed="ttft")
    # the bin of 65 tokens ends at 64 * sqrt(2) = 91, that of 64 at 64
    arrival = (("model", "m"), ("class", "c"), ("isl", "91"))
    cell = (("model", "m"), ("class", "c"), ("isl", "64"), ("osl", "64"))
    found = samples(counts)
    assert found["llmd_router_arrivals_total", arrival] == 1
    assert found["llmd_router_arrivals_isl_tokens_total", arrival] == 65
    assert found["llmd_router_completions_total", cell] == 1
    assert found["llmd_router_isl_tokens_total", cell] == 64
    assert found["llmd_router_osl_tokens_total", cell] == 1
    assert found["llmd_router_hit_tokens_total", cell] == 16
    ended = (("model", "m"), ("class", "c"))
    assert found["llmd_router_attained_total", (*ended, ("bound", "all"))] == 1
    assert found["llmd_router_attained_total", (*ended, ("bound", "ttft"))] == 1


def test_the_arrivals_of_each_second_are_squared_and_summed_by_model() -> None:
    counts = Counts(started_at_s=0.0)
    for at_s in (7.0, 7.4, 7.9, 8.0, 12.5, 12.6):
        counts.arrived("m", "c" if at_s < 8.0 else "d", isl=65, at_s=at_s)
    counts.arrived("other", "c", isl=65, at_s=7.0)
    # three, one and two in a second: 9 + 1 + 4
    assert counts.value("arrivals_squared_total", "m") == 14
    assert counts.value("arrivals_squared_total", "other") == 1


def test_a_label_with_quotes_survives() -> None:
    counts = Counts(started_at_s=0.0)
    counts.client_error('a"b\\c\nd', "c")
    labels = (("model", 'a"b\\c\nd'), ("class", "c"))
    assert samples(counts)["llmd_router_client_errors_total", labels] == 1


def test_an_instance_shows_what_is_in_flight_there() -> None:
    instance = Instance(
        "pod-1", "http://127.0.0.1:1", MIXED, MixEntry(MIXED, 1, STEP), n_foreign=2.0
    )
    labels = (("target", "a100"), ("group", "mixed"), ("instance", "pod-1"))
    with instance.carrying(Work(prefill_s=0.5, decode_s=1.0)) as carried:
        found = samples(Counts(started_at_s=0.0), instance)
        assert found["llmd_router_in_flight", labels] == 1
        assert found["llmd_router_work_seconds", labels] == 1.5
        assert found["llmd_router_foreign", labels] == 2
        carried.has_begun()
        assert samples(Counts(started_at_s=0.0), instance)["llmd_router_work_seconds", labels] == 1
    assert (instance.n_in_flight, instance.work_s) == (0, 0.0)
