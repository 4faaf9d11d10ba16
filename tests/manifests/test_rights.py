"""The roles that we ship are the verbs that the code uses, no more and no less."""

import pytest

from tests.manifests.kustomize import Object, built, of_kind
from tests.manifests.rights import Right, called, modules, said

PACKAGES = {
    "llmd-controller": "llmd_autoscaler.controller",
    "llmd-router": "llmd_autoscaler.router",
    "llmd-page": "llmd_autoscaler.page",
    "llmd-adapter": "adapter",
}
# every component that adds a right
WITH_ALL = "overlays/default", "direct-actuation", "external-metrics"
# system:auth-delegator and extension-apiserver-authentication-reader, which the cluster has
STOCK_ROLES: dict[str, set[Right]] = {
    "system:auth-delegator": {
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    },
    "extension-apiserver-authentication-reader": {("", "configmaps", "get")},
}


def granted(objects: tuple[Object, ...], account: str) -> set[Right]:
    """What every role that is bound to a service account allows."""
    rights: set[Right] = set()
    roles = {
        (each["kind"], each["metadata"]["name"]): each["rules"]
        for each in of_kind(objects, "Role", "ClusterRole")
    }
    for binding in of_kind(objects, "RoleBinding", "ClusterRoleBinding"):
        if account not in {subject["name"] for subject in binding["subjects"]}:
            continue
        reference = binding["roleRef"]
        if reference["name"] in STOCK_ROLES:
            rights |= STOCK_ROLES[reference["name"]]
            continue
        rights |= {
            (group, resource, verb)
            for rule in roles[reference["kind"], reference["name"]]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
    return rights


def used(package: str) -> set[Right]:
    return {right for each in modules(package) for right in said(each) | called(each)}


@pytest.mark.parametrize("account", ["llmd-router", "llmd-page"])
def test_a_role_is_exactly_what_the_code_uses(account):
    assert granted(built("base"), account) == used(PACKAGES[account])


def test_the_controller_may_do_what_its_code_uses_and_write_scale_only_where_that_is_wanted():
    base = granted(built("base"), "llmd-controller")
    with_scale = granted(built(*WITH_ALL), "llmd-controller")
    scales = {right for right in with_scale if right[1].endswith("/scale") and right[2] == "patch"}
    assert with_scale == used("llmd_autoscaler.controller")
    assert base == with_scale - scales


def test_the_adapter_may_see_whose_the_external_metrics_are_only_where_it_serves_them():
    whose = ("apiregistration.k8s.io", "apiservices", "get")
    assert granted(built(*WITH_ALL), "llmd-adapter") == used("adapter")
    assert granted(built("base"), "llmd-adapter") == used("adapter") - {whose}


@pytest.mark.parametrize("package", PACKAGES.values())
def test_what_a_module_calls_by_name_stands_in_its_docstring_where_that_lists_verbs(package):
    listing = [each for each in modules(package) if said(each)]
    listed = {right for each in listing for right in said(each)}
    assert {right for each in listing for right in called(each)} <= listed


def test_no_role_of_ours_names_everything():
    roles = of_kind(built("base"), "Role", "ClusterRole")
    for role in roles:
        for rule in role["rules"]:
            said_words = {word for words in rule.values() for word in words}
            assert "*" not in said_words, role["metadata"]["name"]


def test_secrets_are_the_certificate_jobs_alone_and_two_by_name():
    found = [
        (role["metadata"]["name"], rule.get("resourceNames"), rule["verbs"])
        for role in of_kind(built("overlays/default"), "Role", "ClusterRole")
        for rule in role["rules"]
        if "secrets" in rule.get("resources", ())
    ]
    assert found == [
        ("llmd-adapter-certificate", ["llmd-adapter-ca", "llmd-adapter-tls"], ["get", "patch"]),
        ("llmd-adapter-certificate", None, ["create"]),  # a name cannot be asked of `create`
    ]
