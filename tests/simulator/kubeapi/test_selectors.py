import pytest

from llmd_autoscaler.simulator.kubeapi.selectors import parse_selector
from llmd_autoscaler.simulator.kubeapi.status import ApiError

POD = {
    "metadata": {
        "name": "p",
        "namespace": "llm",
        "labels": {"app": "vllm", "example.com/group": "mixed"},
    }
}


@pytest.mark.parametrize(
    ("selector", "is_meant"),
    [
        ("", True),
        ("app=vllm", True),
        ("app==vllm", True),
        ("app=other", False),
        ("app!=other", True),
        ("absent!=x", True),  # != also holds where the label is missing
        ("app in (vllm, sglang)", True),
        ("app in (sglang)", False),
        ("app notin (sglang)", True),
        ("absent notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!absent", True),
        ("app=vllm,example.com/group in (mixed,batch)", True),
        ("app=vllm,example.com/group=decode", False),
    ],
)
def test_a_label_selector_means_what_kubernetes_says(selector, is_meant):
    assert parse_selector(selector).matches(POD) is is_meant


def test_a_field_selector_finds_one_object_by_name():
    assert parse_selector("", "metadata.name=p").matches(POD)
    assert not parse_selector("", "metadata.name=q").matches(POD)


@pytest.mark.parametrize("selector", ["a=b=c", "a in b", "=x", "a,,b"])
def test_a_selector_that_is_not_understood_is_refused_not_ignored(selector):
    with pytest.raises(ApiError, match="unable to parse requirement"):
        parse_selector(selector)


def test_an_unsupported_field_is_refused_with_those_that_are():
    with pytest.raises(ApiError, match=r"spec\.image.*use metadata\.name"):
        parse_selector("", "spec.image=x")
