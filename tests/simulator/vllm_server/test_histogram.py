"""Counting into buckets as the Prometheus client does it."""

from llmd_autoscaler.simulator.vllm_server.histogram import Histogram, length_edges_tokens


def test_a_value_on_an_edge_belongs_to_that_bucket():
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 3.0):
        histogram.observe(value)

    assert histogram.cumulative() == [1, 3, 4]
    assert histogram.sum == 7.5


def test_equal_values_are_counted_together():
    histogram = Histogram((1.0,))
    histogram.observe(0.5, 4)

    assert (histogram.cumulative(), histogram.sum) == ([4, 4], 2.0)


def test_length_edges_end_at_the_longest_request():
    assert length_edges_tokens(4096) == (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
    assert length_edges_tokens(5000)[-1] == 5000
