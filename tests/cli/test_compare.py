"""`compare` from outside: one sentence and exit code 2 for what somebody must write otherwise."""

import pytest

from llmd_autoscaler.__main__ import main
from llmd_autoscaler.cli import kernel_cache


@pytest.fixture(autouse=True)
def _resolved_cache(monkeypatch, tmp_path):
    monkeypatch.setenv(kernel_cache.VARIABLE, str(tmp_path))
    monkeypatch.setenv(kernel_cache.RESOLVED, str(tmp_path))


def refused(capsys, *arguments):
    """What a command that ends with 2 said, which is one line."""
    try:
        code = main(("compare", *arguments))
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policies", "ours,nobody"), "no policy 'nobody'"),
        (("--scenario", "spik"), "did you mean spike?"),
        (("--scenario", "spike", "--trace", "x.csv"), "not allowed with argument"),
        (("--trace", "none.csv"), "none.csv: no such file"),
        (("--seed", "one"), "invalid int value: 'one'"),
        (("--rate-scale", "0"), "'0' is no number above 0"),
        (("--report", "none/at/all.html"), "--report none/at/all.html: cannot be written"),
        (("--speed", "3"), "unrecognized arguments: --speed 3"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(capsys, arguments, said):
    assert said in refused(capsys, *arguments)
