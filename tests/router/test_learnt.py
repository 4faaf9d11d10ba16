"""What the router learns from usage."""

import pytest

from llmd_autoscaler.router.learnt import Learnt


def test_the_start_is_four_bytes_a_token() -> None:
    assert Learnt().isl_of("m", 400) == 100


def test_a_prompt_is_never_estimated_as_empty() -> None:
    assert Learnt().isl_of("m", 0) == 1


def test_the_ratio_follows_what_the_servers_count() -> None:
    learnt = Learnt()
    for _ in range(1000):
        learnt.saw_prompt("m", prompt_bytes=2000, isl=1000)
    # 4 * 1000 + 2 * 1,000,000 bytes over 1,001,000 tokens: 2.002 bytes a token
    assert learnt.isl_of("m", 2002) == 1000
    assert learnt.isl_of("another", 400) == 100


def test_one_odd_prompt_does_not_turn_the_ratio_over() -> None:
    learnt = Learnt()
    learnt.saw_prompt("m", prompt_bytes=1000, isl=10)
    # (4000 + 1000) / (1000 + 10) = 4.95 bytes a token
    assert learnt.isl_of("m", 495) == 100


def test_a_change_of_clients_is_followed() -> None:
    learnt = Learnt()
    for _ in range(5000):
        learnt.saw_prompt("m", prompt_bytes=4000, isl=1000)
    for _ in range(5000):
        learnt.saw_prompt("m", prompt_bytes=2000, isl=1000)
    assert learnt.isl_of("m", 2000) == pytest.approx(1000, rel=0.02)


def test_mean_osl_is_learnt_a_class() -> None:
    learnt = Learnt()
    for _ in range(995):
        learnt.saw_answer("m", "interactive", osl=100)
    # 5 requests of the starting 200 tokens and 995 of 100 tokens
    assert learnt.mean_osl("m", "interactive") == pytest.approx(100.5)
    assert learnt.mean_osl("m", "relaxed") == 200


def test_an_empty_prompt_teaches_nothing() -> None:
    learnt = Learnt()
    learnt.saw_prompt("m", prompt_bytes=0, isl=100)
    assert learnt.isl_of("m", 400) == 100
