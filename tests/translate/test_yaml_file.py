"""Resource files: what is right is read, and what is wrong gets one sentence with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.translate.yaml_file import load_resources, parse_resources

EXAMPLE = Path(__file__).parents[1] / "data/api.yaml"
TEXT = EXAMPLE.read_text()
STOCK = """\
apiVersion: autoscaling.llmd.ai/v1alpha1
kind: AcceleratorStock
metadata:
  name: a100
spec:
  accelerator: A100-80GB
  limit: 64
"""


def sentence(text):
    with pytest.raises(ConfigError) as caught:
        parse_resources(text, "llama.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def line_of(part):
    return TEXT[: TEXT.index(part)].count("\n") + 1


def test_the_worked_example_of_all_kinds_is_read_in_its_order():
    kinds = [resource.kind for resource in load_resources(EXAMPLE)]
    assert kinds == ["ServiceLevel", "VariantAutoscaling", "CapacityProfile", "AcceleratorStock"]


def test_an_unquoted_time_is_still_a_time():
    unquoted = TEXT.replace('at: "2026-11-20T00:00:00Z"', "at: 2026-11-20T00:00:00Z")
    assert parse_resources(unquoted, "llama.yaml") == load_resources(EXAMPLE)


def test_a_byte_order_mark_is_passed_over():
    assert len(parse_resources("\ufeff" + STOCK, "llama.yaml")) == 1


def test_empty_documents_are_passed_over():
    assert len(parse_resources(f"---\n---\n{STOCK}---\n", "llama.yaml")) == 1


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            'percentile: "0.99"',
            "percentile: 0.990",
            'spec.classes[0].slo.percentile: found 0.990 (a number); write "0.990" in quotes: Kubernetes has no floats here',
        ),
        (
            "version: 0.26.0",
            "version: 0.30",
            'spec.engine.version: found 0.30 (a number); write "0.30" in quotes',
        ),
        (
            "minInstances: 1",
            "minInstances: -1",
            "spec.minInstances: found -1 (a number); write 0 or more",
        ),
        (
            "actuation: HPA",
            "actuation: Hpa",
            'spec.actuation: found "Hpa"; write HPA, Direct or Advisory',
        ),
        ("paused: false", 'paused: "no"', 'spec.paused: found "no"; write true or false'),
        ("limit: 64", 'limit: "64"', 'spec.limit: found "64"; write 64 without quotes'),
        (
            "trust: predicted",
            "trust: yes",
            "spec.trust: found yes (a boolean); write measured or predicted",
        ),
        ("spot: false", "spots: false", "spec.spots: unknown field; did you mean spot?"),
        (
            "tokens: 310000, blockSize",
            "tokens: 310000, tokens: 2, blockSize",
            "spec.kv.tokens: found a second time, the first is on line {line}; leave one",
        ),
    ],
)
def test_a_wrong_field_is_named_with_line_what_was_found_and_what_to_write(right, wrong, said):
    line = line_of(right)
    assert sentence(TEXT.replace(right, wrong, 1)) == f"llama.yaml:{line}: {said.format(line=line)}"


def test_a_missing_field_is_named_on_the_line_of_what_lacks_it():
    # spec: is the fifth line of the stock
    assert sentence(STOCK.replace("  accelerator: A100-80GB\n", "")) == (
        "llama.yaml:5: spec.accelerator: missing; write accelerator: its name in profiles and VariantAutoscalings"
    )


def test_more_faults_are_counted():
    wrong = TEXT.replace("limit: 64", 'limit: "64"').replace("minReplicas: 1", 'minReplicas: "1"')
    assert sentence(wrong) == (
        f'llama.yaml:{line_of("minReplicas: 1")}: spec.minReplicas: found "1"; write 1 without quotes (and 1 more in this file)'
    )


def test_a_kind_that_we_do_not_know_is_answered_with_the_nearest():
    assert sentence(STOCK.replace("AcceleratorStock", "AcceleratorStocks")) == (
        'llama.yaml:2: kind: found "AcceleratorStocks"; did you mean AcceleratorStock?'
    )


def test_a_kind_that_resembles_none_is_answered_with_all():
    assert sentence(STOCK.replace("AcceleratorStock", "Pod")) == (
        'llama.yaml:2: kind: found "Pod"; write one of ServiceLevel, VariantAutoscaling, CapacityProfile and AcceleratorStock'
    )


def test_the_retired_api_group_is_not_ours():
    assert sentence(STOCK.replace("autoscaling.llmd.ai/v1alpha1", "llmd.ai/v1alpha1")) == (
        'llama.yaml:1: apiVersion: found "llmd.ai/v1alpha1"; write autoscaling.llmd.ai/v1alpha1'
    )


def test_a_document_without_a_version_is_told_which():
    assert sentence(STOCK.removeprefix("apiVersion: autoscaling.llmd.ai/v1alpha1\n")) == (
        "llama.yaml:1: apiVersion: missing; write autoscaling.llmd.ai/v1alpha1"
    )


def test_the_same_object_twice_is_refused():
    # the second stands after seven lines and a separator: its name is on line 8 + 4
    assert sentence(f"{STOCK}---\n{STOCK}") == (
        'llama.yaml:12: metadata.name: found a second AcceleratorStock "a100", the first is on line 4; give it a name of its own'
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "",
            "llama.yaml: empty; write a resource, starting with apiVersion: autoscaling.llmd.ai/v1alpha1",
        ),
        (
            "# only words\n",
            "llama.yaml: empty; write a resource, starting with apiVersion: autoscaling.llmd.ai/v1alpha1",
        ),
        (
            "hello",
            'llama.yaml:1: found "hello"; write a resource, starting with apiVersion: autoscaling.llmd.ai/v1alpha1',
        ),
        (
            "\n- a",
            "llama.yaml:2: found a list; write a resource, starting with apiVersion: autoscaling.llmd.ai/v1alpha1",
        ),
        ("spec:\n\tlimit: 1", "llama.yaml:2: found a tab; indent with spaces"),
        (
            "spec: a: b",
            "llama.yaml:1: not YAML: mapping values are not allowed here; look at the indentation, colons and quotes here",
        ),
        ("a\n\0", "llama.yaml:2: found the character 0x0; write plain text in UTF-8"),
        ("a: &a [*a]", "llama.yaml:1: a[0]: found an alias (*); write the value out here"),
        ("a: {<<: {b: 1}}", "llama.yaml:1: a: found a merge key (<<); write the fields out here"),
        ("? [a]\n: b", "llama.yaml:1: found a key that is no text on line 1; write field names"),
        (
            "a: !!binary aGk=",
            "llama.yaml:1: a: found a value tagged 'binary'; write it without a tag",
        ),
        (
            "a: 0x_",
            'llama.yaml:1: a: found "0x_", which YAML cannot read as a number; write it in quotes',
        ),
        ("[" * 100_000, "llama.yaml: nested deeper than 64 levels; no resource is"),
        ("[" * 80 + "]" * 80, "llama.yaml:1: [0]: nested deeper than 64 levels; no resource is"),
    ],
)
def test_what_is_no_resource_at_all_is_named(text, said):
    assert sentence(text) == said


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"absent\.yaml: no such file or directory; name a YAML file"
    ):
        load_resources(tmp_path / "absent.yaml")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="is a directory; name a YAML file"):
        load_resources(tmp_path)


def test_bytes_that_are_no_text_are_named(tmp_path):
    file = tmp_path / "llama.yaml"
    file.write_bytes(b"kind: ServiceLevel\n\xff\xfe\x00")
    with pytest.raises(
        ConfigError,
        match=r"llama\.yaml:2: found the byte 0xff, which is no text; write YAML in UTF-8",
    ):
        load_resources(file)


def test_a_file_without_end_is_not_read_to_it():
    with pytest.raises(ConfigError, match="longer than 4 MiB"):
        load_resources(Path("/dev/zero"))


@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_with_one_sentence(data):
    document = data.draw(st.sampled_from([STOCK, *TEXT.split("---\n")]))
    at = data.draw(st.integers(0, len(document)))
    upto = data.draw(st.integers(at, min(at + 20, len(document))))
    junk = data.draw(
        st.text(
            alphabet=st.one_of(
                st.characters(), st.sampled_from("{}[]:,-?&*!|>'\"%@`#\t\n 0.9e_~<=")
            ),
            max_size=6,
        )
    )
    try:
        parse_resources(document[:at] + junk + document[upto:], "llama.yaml")
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 (the other branch is as legal)
