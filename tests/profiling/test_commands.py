"""`fit` and `predict` as a person runs them: files in, files and sentences out."""

import io
import json

import pytest

from llmd_autoscaler.cli import fit as fit_command
from llmd_autoscaler.cli import predict as predict_command
from llmd_autoscaler.cli import profile as profile_command
from llmd_autoscaler.cli.parser import Parser
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.answer import Question, answer_load, read_mix
from llmd_autoscaler.profiling.points_file import write_points
from llmd_autoscaler.translate.profile import load_profile
from tests.profiling.points import GRID, TRUE


def run(*arguments: str) -> int:
    """A command line of the three commands."""
    parser = Parser(prog="test", allow_abbrev=False)
    commands = parser.add_subparsers(dest="name", required=True)
    for command in (fit_command, predict_command, profile_command):
        command.add_to(commands)
    given = parser.parse_args(arguments)
    return given.command.run(given)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder with a points file, and the profile and the page that were fitted to it."""
    folder = tmp_path_factory.mktemp("fitted")
    write_points(folder / "points.jsonl", GRID)
    run(
        "fit", "--points", str(folder / "points.jsonl"), "--out", str(folder / "My_Profile.yaml"),
        "--report", str(folder / "page.html"), "--model", "org/model", "--accelerator", "H100-80GB",
        "--kv-tokens", str(TRUE.kv_tokens), "--clock", "0,1764000000,1",
    )  # fmt: skip
    return folder


def test_a_fit_writes_a_profile_that_everything_else_can_read(fitted):
    resource = load_profile(str(fitted / "My_Profile.yaml"))
    assert resource.metadata.name == "my-profile"
    assert resource.spec.step.base_ms == pytest.approx(6.0, rel=0.02)
    assert resource.spec.points is not None
    assert resource.spec.points.count == len(GRID)
    assert "90 % intervals" in (resource.spec.provenance.source or "")


def test_a_page_holds_its_charts_itself(fitted):
    page = (fitted / "page.html").read_text()
    assert "src=" not in page.split("<script>", 1)[0]
    data = json.loads(page.split('id="data">', 1)[1].split("</script>", 1)[0])
    words = {figure["words"] for figure in data["figures"]}
    assert words >= {"ITL mean", "TTFT p50", "output tokens/s"}
    # the laxest SLO carries no less than the strictest, at any length
    strict, lax = data["frontier"][0]["rate"], data["frontier"][-1]["rate"]
    assert all(a <= b for a, b in zip(strict, lax, strict=True))


def test_points_are_judged_in_the_documented_json(fitted, capsys):
    profile = str(fitted / "My_Profile.yaml")
    run("predict", "--profile", profile, "--points", str(fitted / "points.jsonl"), "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["points"] == len(GRID)
    assert said["errors"]["itl_mean"].keys() >= {
        "median_frac", "p95_frac", "worst_frac", "worst_point",
    }  # fmt: skip
    assert said["errors"]["itl_mean"]["median_frac"] < 0.02
    assert said["by_regime"].keys() == {"unloaded", "engine"}


def test_a_load_is_answered_with_intervals_around_each_figure(fitted, capsys):
    profile = str(fitted / "My_Profile.yaml")
    run("predict", "--profile", profile, "--isl", "1024", "--osl", "128", "--rate", "5", "--json")
    said = json.loads(capsys.readouterr().out)
    for name, (low, high) in said["intervals"].items():
        assert low <= said[name] <= high, name
    assert said["limit"] in {"none", "engine"}


def test_a_prefix_hit_makes_the_ttft_shorter(fitted, capsys):
    profile = str(fitted / "My_Profile.yaml")
    ttft_s = []
    for hit in ("0", "0.9"):
        run(
            "predict", "--profile", profile, "--isl", "4096", "--osl", "64", "--concurrency", "4",
            "--prefix-hit", hit, "--json",
        )  # fmt: skip
        ttft_s.append(json.loads(capsys.readouterr().out)["ttft_p50_s"])
    assert ttft_s[1] < 0.5 * ttft_s[0]


def test_a_profile_of_another_version_is_a_warning_with_both():
    warned = io.StringIO()
    question = Question(isl=128, osl=16, concurrency=1, engine_version="0.32.0")
    answer_load("llama-3.1-8b-h100", question, is_json=True, to=io.StringIO(), warn=warned)
    assert "0.26.0" in warned.getvalue()
    assert "0.32.0" in warned.getvalue()


def test_a_mix_file_is_read_with_its_comments_and_weights(tmp_path):
    file = tmp_path / "mix"
    file.write_text("# chat\n1024 128 0.7\n\n256,16\n")
    assert [(s.isl, s.osl, s.weight) for s in read_mix(file)] == [(1024, 128, 0.7), (256, 16, 1.0)]


@pytest.mark.parametrize("line", ["1024", "a b", "1024 0", "1024 128 -1", "1024 128 inf"])
def test_a_wrong_line_of_a_mix_is_named(tmp_path, line):
    file = tmp_path / "mix"
    file.write_text(f"128 16\n{line}\n")
    with pytest.raises(ConfigError, match="mix:2: found"):
        read_mix(file)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (Question(isl=1, osl=1), "--concurrency N or --rate QPS"),
        (Question(isl=1, concurrency=1), "the shape is missing"),
        (Question(isl=1, osl=1, concurrency=1, prefix_frac=1.0), "--prefix-hit is 1"),
    ],
)
def test_a_load_that_is_not_whole_says_what_is_missing(question, sentence):
    with pytest.raises(ConfigError, match=sentence):
        question.load()


def test_a_variant_that_nobody_names_is_asked_for(fitted, tmp_path):
    with pytest.raises(ConfigError, match="--accelerator is missing"):
        run(
            "fit", "--points", str(fitted / "points.jsonl"), "--out", str(tmp_path / "a.yaml"),
            "--model", "org/model", "--kv-tokens", "1000",
        )  # fmt: skip


@pytest.mark.parametrize("budget", ["10", "0m", "ten", "-3m"])
def test_a_budget_that_is_no_duration_is_refused(budget, capsys):
    with pytest.raises(SystemExit):
        run("profile", "--endpoint", "http://127.0.0.1:1", f"--budget={budget}")
    assert "is no duration: write one such as 90s or 10m" in capsys.readouterr().err
