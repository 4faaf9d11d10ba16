"""The recipe of the image, which this machine cannot build: what it copies is there, and what it starts exists."""

import re
import tomllib

from tests.manifests.kustomize import MANIFESTS, built, of_kind, pod_spec

ROOT = MANIFESTS.parent
RECIPE = (ROOT / "Containerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def copied():
    """What comes from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", RECIPE, re.MULTILINE)
    return [word for line in lines for word in line.split()[:-1]]


def let_through():
    """What the builder is given."""
    lines = (ROOT / ".containerignore").read_text().splitlines()
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


def test_all_that_is_copied_exists_and_is_given_to_the_builder():
    assert [each for each in copied() if not (ROOT / each).exists()] == []
    assert set(copied()) == let_through()


def test_every_package_of_the_wheel_is_in_it():
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = document["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(copied())


def test_the_files_that_the_metadata_names_are_in_it():
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= set(copied())


def test_the_entry_point_is_a_script_of_ours():
    (entry,) = re.findall(r'^ENTRYPOINT \["(.*)"\]$', RECIPE, re.MULTILINE)
    assert entry in PROJECT["scripts"]
    assert "llmd-adapter" in PROJECT["scripts"]


def test_both_stages_have_the_oldest_python_that_we_promise_and_are_pinned():
    images = re.findall(r"^FROM (\S+)", RECIPE, re.MULTILINE)
    assert len(set(images)) == 1
    assert images[0].startswith(f"python:{PROJECT['requires-python'].removeprefix('>=')}-slim-")


def test_it_runs_as_the_user_of_the_manifests():
    (user,) = re.findall(r"^USER (\d+):\d+$", RECIPE, re.MULTILINE)
    for each in of_kind(built("base"), "Deployment", "StatefulSet"):
        assert pod_spec(each)["securityContext"]["runAsUser"] == int(user)


def test_the_manifests_ask_for_the_version_of_the_project():
    for each in of_kind(built("overlays/default"), "Deployment"):
        (container,) = pod_spec(each)["containers"]
        assert container["image"] == f"llmd-autoscaler:{PROJECT['version']}"
