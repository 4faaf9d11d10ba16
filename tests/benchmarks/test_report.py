"""The report of a benchmark: its last line can be read by a machine, and does not flatter."""

import json
import math

import pytest

from benchmarks.report import Figure, print_report, report_line


class TestReport:
    @pytest.mark.parametrize(
        ("figure", "is_met"),
        [
            (Figure(name="f", value=0.1, unit="frac", at_most=0.1), True),
            (Figure(name="f", value=0.11, unit="frac", at_most=0.1), False),
            (Figure(name="f", value=3.0, unit="qps", at_least=2.0), True),
            (Figure(name="f", value=1.0, unit="qps", at_least=2.0), False),
            (Figure(name="f", value=1.0, unit="qps"), None),
        ],
        ids=["at the bound", "above it", "enough", "too little", "no target"],
    )
    def test_a_figure_is_met_when_it_keeps_its_bound(self, figure, is_met):
        assert figure.is_met is is_met

    def test_a_figure_has_one_target(self):
        with pytest.raises(ValueError, match="two targets"):
            Figure(name="f", value=1.0, unit="s", at_most=2.0, at_least=0.5)

    def test_what_was_not_measured_is_no_number(self):
        with pytest.raises(ValueError, match="not JSON compliant"):
            report_line("made", [Figure(name="f", value=math.nan, unit="s")])

    def test_the_last_line_of_a_benchmark_is_its_report(self, capsys):
        print_report("made", [Figure(name="f", value=0.123, unit="frac", at_most=0.2)])
        report = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert report["figures"] == [
            {"name": "f", "value": 0.123, "unit": "frac", "target": "<= 0.2", "met": True}
        ]

    def test_a_missed_target_is_told(self):
        assert (
            print_report("made", [Figure(name="f", value=0.3, unit="frac", at_most=0.2)]) is False
        )

    def test_a_figure_beside_has_no_say(self):
        beside = [Figure(name="peer", value=9.0, unit="s")]
        assert print_report("made", [], beside) is True
