"""The folder of the compiled engine."""

import os
from pathlib import Path

import pytest

from llmd_autoscaler.cli.kernel_cache import RESOLVED, VARIABLE, kernel_cache, sources_digest


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Whatever the context sets is taken back after the test."""
    for name in (VARIABLE, RESOLVED):
        monkeypatch.setenv(name, "")


def test_a_changed_callee_in_another_file_changes_the_folder(tmp_path):
    (tmp_path / "caller.py").write_text("from callee import f\n")
    (tmp_path / "callee.py").write_text("def f(): return 1\n")
    before = sources_digest(tmp_path)
    (tmp_path / "callee.py").write_text("def f(): return 2\n")
    assert sources_digest(tmp_path) != before


def test_a_line_that_moves_from_one_file_to_the_next_changes_the_folder(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\ny = 2\n")
    (tmp_path / "b.py").write_text("")
    before = sources_digest(tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("y = 2\n")
    assert sources_digest(tmp_path) != before


def test_what_is_no_source_does_not_count(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    before = sources_digest(tmp_path)
    (tmp_path / "a.pyc").write_text("compiled")
    assert sources_digest(tmp_path) == before


def test_the_folder_is_below_the_one_that_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with kernel_cache() as folder:
        assert folder.parent == tmp_path
        assert os.environ[VARIABLE] == str(folder)


def test_a_child_takes_the_folder_of_its_parent_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with kernel_cache() as of_parent, kernel_cache() as of_child:
        assert of_child == of_parent


def test_a_folder_that_cannot_be_written_costs_one_line_and_leaves_nothing(
    monkeypatch, tmp_path, capsys
):
    file = tmp_path / "file"
    file.write_text("no folder can be made below a file")
    monkeypatch.setenv(VARIABLE, str(file))
    with kernel_cache() as folder:
        assert folder.is_dir()
        assert os.environ[VARIABLE] == str(folder)
    assert not folder.exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{file} cannot be written (not a directory)" in said


def test_without_a_given_folder_it_is_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with kernel_cache() as folder:
        assert folder.parent == Path(tmp_path, "llmd-autoscaler", "numba")
