"""A router's page as arrays; what it names that we do not know is left out and counted."""

import pytest

from llmd_autoscaler.controller.ports import ModelKey
from llmd_autoscaler.controller.router_counts import read_ledger
from llmd_autoscaler.core.shapes import bin_named
from llmd_autoscaler.engines.router import read_page

MODEL = ModelKey("llm", "m")
CLASSES = {MODEL: ("interactive", "relaxed")}


def ledger(*lines, classes=None):
    text = "\n".join(["llmd_router_started_at_seconds 5", *lines]) + "\n"
    return read_ledger(read_page(text.encode()), classes or CLASSES)


def arrivals(**labels):
    labels = {"model": "m", "class": "relaxed", "isl": "1024"} | labels
    text = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"llmd_router_arrivals_total{{{text}}} 7"


def test_a_cell_stands_at_its_class_and_edge():
    found = ledger(arrivals())
    assert found.by_model[MODEL].traffic.arrivals[1, bin_named(1024)] == 7
    assert (found.n_ignored, found.by_model[MODEL].traffic.started_at_s) == (0, 5)


@pytest.mark.parametrize("labels", [{"model": "x"}, {"class": "x"}, {"isl": "1000"}])
def test_a_cell_that_we_do_not_know_is_left_out_and_counted(labels):
    found = ledger(arrivals(), arrivals(**labels))
    assert (found.by_model[MODEL].traffic.arrivals.sum(), found.n_ignored) == (7, 1)


def test_a_model_that_the_page_does_not_name_has_no_counts_from_it():
    assert MODEL not in ledger(arrivals(model="x")).by_model


def test_a_bound_that_we_do_not_know_is_left_out_and_counted():
    found = ledger('llmd_router_attained_total{model="m",class="relaxed",bound="karma"} 1')
    assert (found.by_model[MODEL].outcomes.counts.sum(), found.n_ignored) == (0, 1)


def test_one_model_of_two_namespaces_keeps_its_own_classes():
    other = ModelKey("other", "m")
    found = ledger(arrivals(), classes=CLASSES | {other: ("relaxed",)})
    assert [found.by_model[key].traffic.arrivals.shape[0] for key in (MODEL, other)] == [2, 1]
    assert [found.by_model[key].traffic.arrivals.sum() for key in (MODEL, other)] == [7, 7]
