import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.simulator.quantity import milli


@pytest.mark.parametrize(
    ("written", "thousandths"),
    [
        ("3", 3000),
        ("2500m", 2500),
        ("6.5", 6500),
        ("8.0000001", 8001),  # rounded up to the next thousandth
        ("-3", -3000),
        ("1k", 1_000_000),
        ("1Ki", 1_024_000),
        ("1e3", 1_000_000),
        ("100u", 1),  # 0.1 thousandths, rounded up
        ("0", 0),
        (".5", 500),
    ],
)
def test_a_quantity_reads_as_kubernetes_reads_it(written, thousandths):
    assert milli(written) == thousandths


@pytest.mark.parametrize(
    "written", ["", "NaN", "+Inf", "Inf", "1.2.3", "3x", "1 ", "m", "1mm", "0x1"]
)
def test_what_is_no_quantity_is_refused(written):
    with pytest.raises(ValueError, match="is no quantity"):
        milli(written)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_a_milli_quantity_reads_back_exactly(thousandths):
    assert milli(f"{thousandths}m") == thousandths
