from llmd_autoscaler.simulator.kubeapi.apply import applied, conflicts, merge_patched


def test_null_in_a_merge_patch_deletes_the_field():
    assert merge_patched({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": None}}) == {
        "a": 1,
        "b": {"d": 3},
    }


def test_a_list_in_a_merge_patch_replaces_the_list():
    assert merge_patched({"a": [1, 2]}, {"a": [3]}) == {"a": [3]}


def test_a_merge_patch_of_an_object_onto_a_scalar_makes_an_object_without_nulls():
    # RFC 7386, appendix A: {"a": "b"} patched with {"a": {"b": 1, "c": null}} is {"a": {"b": 1}}
    assert merge_patched({"a": "b"}, {"a": {"b": 1, "c": None}}) == {"a": {"b": 1}}


def test_conditions_of_two_managers_merge_by_type():
    ready = {"type": "Ready", "status": "True"}
    healthy = {"type": "Healthy", "status": "False"}
    result = applied(
        {"conditions": [ready]}, {"conditions": [healthy]}, {}, [{"conditions": [ready]}]
    )
    assert result == {"conditions": [ready, healthy]}


def test_a_condition_that_its_manager_no_longer_applies_goes():
    ready, healthy = {"type": "Ready", "status": "True"}, {"type": "Healthy", "status": "False"}
    live = {"conditions": [ready, healthy]}
    result = applied(live, {"conditions": []}, {"conditions": [healthy]}, [{"conditions": [ready]}])
    assert result == {"conditions": [ready]}


def test_a_field_that_its_manager_no_longer_applies_goes_with_its_empty_parent():
    assert applied({"a": {"b": 1}, "c": 2}, {}, {"a": {"b": 1}}, []) == {"c": 2}


def test_a_field_that_another_manager_also_applied_stays():
    assert applied({"a": 1}, {}, {"a": 1}, [{"a": 1}]) == {"a": 1}


def test_a_field_that_somebody_has_overwritten_since_stays():
    # the manager applied 1, a merge patch made it 2: the patch owns it now
    assert applied({"a": 2}, {}, {"a": 1}, []) == {"a": 2}


def test_an_unkeyed_list_is_replaced_whole():
    assert applied({"groups": ["a", "b"]}, {"groups": ["c"]}, {}, []) == {"groups": ["c"]}


def test_applying_the_same_twice_changes_nothing():
    wanted = {"x": {"y": [1]}, "conditions": [{"type": "A", "status": "True"}]}
    once = applied({}, wanted, {}, [])
    assert applied(once, wanted, wanted, []) == once


def test_a_conflict_names_the_field_that_another_manager_owns():
    assert list(conflicts({"s": {"n": 1}}, {"s": {"n": 2}}, {"s": {"n": 1}})) == [".s.n"]


def test_the_same_value_from_two_managers_is_no_conflict():
    assert list(conflicts({"n": 1}, {"n": 1}, {"n": 1})) == []
