"""The files of --record."""

import csv

import numpy as np

from llmd_autoscaler.core.score import Answers
from llmd_autoscaler.local.record import OUTCOMES, REQUESTS, write_requests
from llmd_autoscaler.simulator.replay import read_trace

ANSWERS = Answers(
    at_s=np.array([2.0, 1.0]),  # sent in another order than they arrived
    class_of=np.array([1, 0]),
    isl=np.array([20, 10]),
    osl=np.array([4, 2]),
    first_s=np.array([2.5, np.inf]),
    last_s=np.array([3.5, np.inf]),
)


def test_recorded_traffic_can_be_replayed(tmp_path):
    write_requests(tmp_path, ANSWERS, ["a", "b"], ["", "cut"])
    replay = read_trace(tmp_path / REQUESTS)
    assert replay.at_s.tolist() == [0.0, 1.0]
    assert (replay.isl.tolist(), replay.osl.tolist()) == ([10, 20], [2, 4])


def test_every_request_has_its_class_and_what_became_of_it(tmp_path):
    write_requests(tmp_path, ANSWERS, ["a", "b"], ["", "cut"])
    with (tmp_path / OUTCOMES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [(row["class"], row["last_token_s"], row["failure"]) for row in rows]
    assert found == [("a", "inf", "cut"), ("b", "3.500000", "")]
