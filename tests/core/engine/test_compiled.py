"""One code, compiled and plain."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmd_autoscaler.core.engine.compiled import IS_COMPILED
from tests.core.engine.trace import digest

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.slow
def test_plain_python_and_compiled_code_give_the_same_bits() -> None:
    other = subprocess.run(
        [sys.executable, "-m", "tests.core.engine.trace"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1" if IS_COMPILED else "0"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == digest()


def test_a_trace_played_twice_gives_the_same_bits() -> None:
    assert digest() == digest()
