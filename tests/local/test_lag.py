"""The lag of the event loop."""

from llmd_autoscaler.local.lag import LagMeter


def test_before_anything_was_measured_there_is_no_lag():
    assert LagMeter().p99_s() == 0.0


def test_one_lag_in_a_hundred_is_above_the_figure():
    meter = LagMeter()
    meter._lags_s = [i / 1000 for i in reversed(range(200))]
    # 0.198 and 0.199 are not above 0.198: position 198 of 0 to 199
    assert meter.p99_s() == 0.198
