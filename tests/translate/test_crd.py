"""The definitions of our kinds: what stands in manifests/crds, and what holds of every field in them.

What the API server makes of them stands in tests/e2e/test_crds.py.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import yaml

from llmd_autoscaler.cli import crds
from llmd_autoscaler.cli.parser import Parser
from llmd_autoscaler.translate.crd import definitions, files

CRDS = Path(__file__).parents[2] / "manifests" / "crds"


def schema(plural):
    [found] = [each for each in definitions() if each["spec"]["names"]["plural"] == plural]
    return found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(here, path="") -> Iterator[tuple[str, dict]]:
    """Every schema within a schema, with its path."""
    yield path, here
    for name, each in here.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if part in here:
            yield from nodes(here[part], f"{path}[]")


def at(plural, *path):
    here = schema(plural)
    for name in path:
        here = here["items"] if name == "[]" else here["properties"][name]
    return here


NODES = [
    (definition["spec"]["names"]["kind"] + path, node)
    for definition in definitions()
    for path, node in nodes(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
]
STATUS = [(path, node) for path, node in NODES if ".status" in path]
SPEC = [(path, node) for path, node in NODES if ".spec" in path]


def test_the_manifests_are_what_the_models_generate():
    assert {path.name: path.read_text() for path in CRDS.iterdir()} == dict(files())


def test_a_file_is_the_definition_that_it_was_made_from():
    assert [yaml.safe_load(text) for text in files().values()] == definitions()


def test_every_type_is_one_that_the_server_checks():
    types = {"object", "array", "string", "integer", "boolean"}
    assert [path for path, node in NODES if node["type"] not in types] == []


def test_nothing_is_left_that_a_structural_schema_may_not_have():
    banned = {"$ref", "anyOf", "title", "nullable", "x-kubernetes-preserve-unknown-fields"}
    assert [path for path, node in NODES if node.keys() & banned] == []


def test_every_field_explains_itself():
    """A text in a list or a mapping has no name of its own, and metadata is the server's."""
    silent = [path for path, node in NODES if not node.get("description")]
    plain = {path for path, node in NODES if path.endswith("[]") and node["type"] != "object"}
    assert [path for path in silent if path not in plain and not path.endswith(".metadata")] == []


def test_every_list_says_how_two_writers_share_it():
    lists = [(path, node) for path, node in NODES if node["type"] == "array"]
    assert lists
    assert [path for path, node in lists if "x-kubernetes-list-type" not in node] == []


def test_every_whole_number_fits_what_kubernetes_holds():
    numbers = [(path, node) for path, node in NODES if node["type"] == "integer"]
    assert numbers
    for path, node in numbers:
        assert node["format"] == "int32", path
        assert -(2**31) <= node["minimum"] <= node["maximum"] <= 2**31 - 1, path


def test_the_server_adds_nothing_to_a_status():
    """Or what the controller wrote would never be what it reads, and it would write for ever."""
    assert [path for path, node in STATUS if "default" in node] == []


def test_what_a_person_writes_is_bounded():
    """The server estimates the cost of rules from these bounds."""
    texts = [(p, n) for p, n in SPEC if n["type"] == "string" and not n.keys() & {"enum", "format"}]
    lists = [(p, n) for p, n in SPEC if n["type"] == "array"]
    assert [path for path, node in texts if "maxLength" not in node] == []
    assert [path for path, node in lists if "maxItems" not in node] == []


def test_what_the_controller_writes_is_not_refused_for_its_length():
    assert [path for path, node in STATUS if node.keys() & {"maxItems"}] == []
    bounded = [path.rpartition(".")[2] for path, node in STATUS if "maxLength" in node]
    assert set(bounded) == {"decisionID"}


def test_a_default_is_written_as_the_wire_writes_it():
    front_end = ("spec", "frontEnd", "perRequestMs")
    assert at("capacityprofiles", *front_end)["default"] == "0"
    assert at("variantautoscalings", "spec", "groups")["default"] == ["mixed"]
    assert at("variantautoscalings", "spec", "metrics")["default"] == {
        "port": 8000,
        "path": "/metrics",
        "scheme": "http",
    }


def test_a_limit_on_a_number_that_is_text_becomes_a_pattern():
    assert at("variantautoscalings", "spec", "costPerHour")["pattern"] == r"^[0-9]+(\.[0-9]+)?$"
    fraction = at("servicelevels", "status", "routes", "[]", "fraction")["pattern"]
    assert fraction == r"^(0(\.[0-9]+)?|1(\.0+)?)$"
    saved = at("servicelevels", "status", "binding", "savesPerHourPerUnit")["pattern"]
    assert saved == r"^-?[0-9]+(\.[0-9]+)?$"


def test_a_limit_below_a_whole_number_becomes_the_one_beneath():
    # priority is ge=-(2**31), lt=2**31
    priority = at("servicelevels", "spec", "classes", "[]", "priority")
    assert (priority["minimum"], priority["maximum"]) == (-(2**31), 2**31 - 1)


def test_conditions_and_classes_are_told_apart_by_a_field():
    keys = "x-kubernetes-list-map-keys"
    assert at("variantautoscalings", "status", "conditions")[keys] == ["type"]
    assert at("servicelevels", "spec", "classes")[keys] == ["name"]


def command(*arguments):
    parser = Parser()
    crds.add_to(parser.add_subparsers())
    given: argparse.Namespace = parser.parse_args(["crds", *arguments])
    return given.command.run(given)


def test_the_command_writes_one_file_a_kind(tmp_path):
    assert command("--out", str(tmp_path / "new")) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(files())


def test_the_command_prints_what_kubectl_applies(capsys):
    assert command() == 0
    assert list(yaml.safe_load_all(capsys.readouterr().out)) == definitions()
