"""What `make` compiles, so that no run has to."""

import subprocess
import sys

import pytest

PROGRAM = [sys.executable, "-m", "llmd_autoscaler"]


@pytest.mark.slow
@pytest.mark.fleet
@pytest.mark.timeout(240)
def test_after_it_a_run_compiles_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    def compiled():
        return {path.name for path in tmp_path.rglob("*.nbc")}

    subprocess.run([*PROGRAM, "warm"], check=True, stdout=subprocess.DEVNULL)
    before = compiled()
    run = [*PROGRAM, "local", "--virtual", "--until", "900"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    assert before
    assert compiled() == before
