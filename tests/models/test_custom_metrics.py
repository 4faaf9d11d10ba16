"""Quantities: the only numbers that the HPA may read from us."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.custom_metrics import quantity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (3, "3"),
        (3.21, "3210m"),
        (2.5, "2500m"),
        (0.0004, "0"),
        (0.001, "1m"),
        (3.0000001, "3"),  # in full the HPA would round it up to a fourth instance
        (2**31 - 1, "2147483647"),
    ],
)
def test_a_number_is_written_whole_or_in_whole_thousandths(value, text):
    assert quantity(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.001, 2**31, 2**31 - 0.0001])
def test_what_the_hpa_cannot_count_is_refused(value):
    with pytest.raises(ValueError, match="cannot be served as a quantity"):
        quantity(value)


@given(st.floats(min_value=0, max_value=2**31 - 1))
def test_a_quantity_is_within_half_a_thousandth_and_has_no_point(value):
    text = quantity(value)
    read = int(text[:-1]) / 1000 if text.endswith("m") else int(text)
    assert abs(read - value) <= 0.0005 + value * 1e-15
