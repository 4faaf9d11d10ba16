"""Decimals: plain digits in, the shortest plain digits out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decimal_text import read_decimal, write_decimal


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.99", 0.99), ("14", 14.0), ("-3.50", -3.5), ("007", 7.0), ("0.0000001", 1e-7)],
)
def test_plain_digits_are_read(text, value):
    assert read_decimal(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "1e3", "1.", ".5", "+1", "nan", "inf", "1_000", "1,5", "0x1", " 1", "1\n", "٣", "9" * 400],
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="write a number in plain digits"):
        read_decimal(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (14.0, "14"),
        (84.50, "84.5"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-7, "0.0000001"),
        (1e20, "100000000000000000000"),
        (100.0, "100"),
    ],
)
def test_a_number_has_one_spelling_without_exponent_or_trailing_zeros(value, text):
    assert write_decimal(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_written(value):
    with pytest.raises(ValueError, match="cannot be written as a decimal"):
        write_decimal(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_reading_back_what_was_written_gives_the_same_number(value):
    assert read_decimal(write_decimal(value)) == value


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=5
    )
)
def test_a_canonical_text_stays_as_it_is(value):
    text = write_decimal(float(value))
    assert write_decimal(read_decimal(text)) == text
