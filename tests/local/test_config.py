"""What a local run is declared by: folders of YAML, and the one that comes with the package."""

from importlib.resources import files

import pytest

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.local.config import SHARES, load_config, traffic_shares

DEFAULT = files("llmd_autoscaler.local").joinpath("config", "default.yaml").read_text()


def load(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    return load_config(tmp_path)


def test_the_default_is_one_model_on_four_a100_within_three_and_ten_instances():
    blueprint = load_config()
    (target,) = blueprint.targets
    assert blueprint.model == "meta-llama/Llama-3.1-70B-Instruct"
    assert (target.state.n_accelerators, target.state.accelerator) == (4, "A100-80GB")
    assert (target.state.min_instances, target.state.max_instances) == (3, 10)
    assert target.state.usd_per_hour == 14.0


def test_the_default_classes_are_those_that_results_are_scored_by():
    interactive, relaxed = (each.qos for each in load_config().classes)
    assert (interactive.name, interactive.percentile_frac) == ("interactive", 0.99)
    # 1 s + 0.5 s per 1,000 prompt tokens
    assert interactive.bounds.ttft_bound_s(2000) == 2.0
    assert interactive.bounds.tpot_max_s == 0.08
    assert (relaxed.name, relaxed.percentile_frac) == ("relaxed", 0.95)
    assert relaxed.bounds.e2e_bound_s() == 60.0


def test_seven_in_ten_requests_of_the_default_are_interactive():
    assert traffic_shares(load_config()) == (0.7, 0.3)


def test_without_the_annotation_every_class_gets_as_much(tmp_path):
    text = "".join(line for line in DEFAULT.splitlines(keepends=True) if SHARES not in line)
    blueprint = load(tmp_path, text.replace("  annotations:\n", ""))
    assert traffic_shares(blueprint) == (0.5, 0.5)


@pytest.mark.parametrize(
    "written", ["interactive=0.7", "interactive=0.7,relaxed=0.4", "a=0.7,relaxed=0.3", "much"]
)
def test_shares_that_leave_a_request_without_class_are_refused(tmp_path, written):
    blueprint = load(tmp_path, DEFAULT.replace("interactive=0.7,relaxed=0.3", written))
    with pytest.raises(ConfigError, match="write a share for each class, in sum 1"):
        traffic_shares(blueprint)


def test_a_folder_may_spread_its_resources_over_files(tmp_path):
    for i, document in enumerate(DEFAULT.split("---\n")):
        (tmp_path / f"{i}.yml").write_text(document)
    assert load_config(tmp_path) == load_config()


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such file or directory; name a folder of YAML files"):
        load_config(tmp_path / "none")
