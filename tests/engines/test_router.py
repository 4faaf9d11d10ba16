"""The page of our router, as the controller reads it."""

import pytest

from llmd_autoscaler.engines.router import RouterPage, read_page
from llmd_autoscaler.errors import ObservationError

PAGE = b"""\
# HELP llmd_router_started_at_seconds When this router started.
# TYPE llmd_router_started_at_seconds gauge
llmd_router_started_at_seconds 1.764e+09
# TYPE llmd_router_arrivals_total counter
llmd_router_arrivals_total{model="org/m",class="chat",isl="1024"} 7
llmd_router_arrivals_total{model="org/m",class="batch",isl="91"} 2
llmd_router_arrivals_isl_tokens_total{model="org/m",class="chat",isl="1024"} 6300
llmd_router_arrivals_squared_total{model="org/m"} 21
llmd_router_completions_total{model="org/m",class="chat",isl="1024",osl="128"} 5
llmd_router_isl_tokens_total{model="org/m",class="chat",isl="1024",osl="128"} 4500
llmd_router_osl_tokens_total{model="org/m",class="chat",isl="1024",osl="128"} 600
llmd_router_hit_tokens_total{model="org/m",class="chat",isl="1024",osl="128"} 100
llmd_router_attained_total{model="org/m",class="chat",bound="all"} 4
llmd_router_attained_total{model="org/m",class="chat",bound="ttft"} 1
llmd_router_in_flight{instance="a"} 3
"""
STARTED = b"llmd_router_started_at_seconds 1\n"


def test_every_cell_of_a_page_is_read():
    cell = ("org/m", "chat", 1024, 128)

    assert read_page(PAGE) == RouterPage(
        started_at_s=1.764e9,
        arrivals={("org/m", "chat", 1024): 7.0, ("org/m", "batch", 91): 2.0},
        arrivals_isl_tokens={("org/m", "chat", 1024): 6300.0},
        arrivals_squared={"org/m": 21.0},
        completions={cell: 5.0},
        isl_tokens={cell: 4500.0},
        osl_tokens={cell: 600.0},
        hit_tokens={cell: 100.0},
        attained={("org/m", "chat", "all"): 4.0, ("org/m", "chat", "ttft"): 1.0},
    )


def test_a_router_that_saw_nothing_yet_has_no_cells():
    page = read_page(STARTED)

    assert (page.arrivals, page.completions, page.attained) == ({}, {}, {})


def test_a_model_name_with_quotes_survives():
    page = read_page(
        STARTED + rb'llmd_router_arrivals_total{model="a\"b\\c",class="x",isl="64"} 1' + b"\n"
    )

    assert list(page.arrivals) == [('a"b\\c', "x", 64)]


def test_a_page_without_a_start_time_is_not_our_router():
    with pytest.raises(ObservationError, match="no llmd_router_started_at_seconds"):
        read_page(b"vllm:num_requests_running 1\n")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('llmd_router_arrivals_total{model="m",class="c"} 1', "without the label isl"),
        ('llmd_router_arrivals_total{model="m",class="c",isl="1.5"} 1', "isl='1.5'"),
        ('llmd_router_arrivals_total{model="m",class="c",isl="-64"} 1', "isl='-64'"),
        ('llmd_router_arrivals_total{model="m",class="c",isl="64"} NaN', "is nan"),
        ('llmd_router_attained_total{model="m",class="c"} 1', "without the label bound"),
    ],
)
def test_a_broken_cell_fails_the_page_for_the_rest_would_look_like_less_demand(line, sentence):
    with pytest.raises(ObservationError, match=sentence):
        read_page(STARTED + line.encode() + b"\n")
