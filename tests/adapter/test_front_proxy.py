"""Whom the front proxy speaks for, and which front proxies are believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.front_proxy import FrontProxy, TrustError
from adapter.identity import User
from tests.adapter.api_server import authentication_config
from tests.controlplane.pki import Authority

FRONT_PROXY, CLIENT = Authority("front-proxy-ca"), Authority("client-ca")
CONFIG = authentication_config(FRONT_PROXY.pem, CLIENT.pem)
PROXY = FrontProxy.from_config_map(CONFIG)


def subject(*names: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    return ((("organizationName", "o"),), *((("commonName", name),) for name in names))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["front-proxy-client"], True),
        (["Front-Proxy-Client"], False),
        (["other"], False),
        ([], False),
        (["front-proxy-client", "other"], False),
        (["other", "front-proxy-client"], False),
    ],
)
def test_a_certificate_is_believed_by_its_one_name(names: list[str], expected: bool) -> None:
    assert PROXY.is_allowed(subject(*names)) is expected


def test_an_empty_list_of_names_allows_every_certificate_of_the_ca() -> None:
    proxy = FrontProxy.from_config_map(CONFIG | {"requestheader-allowed-names": "[]"})
    assert proxy.is_allowed(subject("anybody"))
    assert not proxy.is_allowed(subject())


def test_header_names_are_those_of_the_config_map_in_its_order() -> None:
    proxy = FrontProxy.from_config_map(
        CONFIG | {"requestheader-username-headers": '["X-First", "X-Second"]'}
    )
    assert proxy.user([("x-second", "b"), ("x-first", "a")]) == User.of("a")
    assert proxy.user([("X-SECOND", "b")]) == User.of("b")
    assert proxy.user([("X-Remote-User", "c")]) is None


def test_groups_are_all_values_and_the_group_of_known_users_is_added() -> None:
    user = PROXY.user([("X-Remote-User", "a"), ("X-Remote-Group", "g"), ("x-remote-group", "h")])
    assert user is not None
    assert user.groups == ("g", "h", "system:authenticated")


def test_an_older_api_server_without_uids_is_believed_all_the_same() -> None:
    config = {key: value for key, value in CONFIG.items() if key != "requestheader-uid-headers"}
    user = FrontProxy.from_config_map(config).user([("X-Remote-User", "a"), ("X-Remote-Uid", "7")])
    assert user == User.of("a")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"requestheader-client-ca-file": ""}, "has no requestheader-client-ca-file"),
        ({"requestheader-client-ca-file": "garbage"}, "cannot be read"),
        (
            {
                "requestheader-client-ca-file": "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"
            },
            "cannot be read",
        ),
        ({"requestheader-client-ca-file": "é"}, "cannot be read"),
        ({"requestheader-allowed-names": ""}, "requestheader-allowed-names .* is no list"),
        ({"requestheader-allowed-names": '"front-proxy-client"'}, "is no list of texts"),
        ({"requestheader-allowed-names": "[1]"}, "is no list of texts"),
        ({"requestheader-username-headers": "[]"}, "names no requestheader-username-headers"),
        ({"requestheader-group-headers": "{"}, "requestheader-group-headers .* is no list"),
    ],
)
def test_a_config_map_that_cannot_be_read_makes_nobody_believed(
    changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(TrustError, match=sentence):
        FrontProxy.from_config_map(CONFIG | changes)


@pytest.mark.parametrize(
    "key", sorted(CONFIG.keys() - {"client-ca-file", "requestheader-uid-headers"})
)
def test_a_key_that_is_missing_makes_nobody_believed(key: str) -> None:
    with pytest.raises(TrustError):
        FrontProxy.from_config_map({k: v for k, v in CONFIG.items() if k != key})


def test_the_clusters_client_ca_without_names_would_let_every_user_be_anybody() -> None:
    shared = authentication_config(CLIENT.pem + FRONT_PROXY.pem, CLIENT.pem)
    FrontProxy.from_config_map(shared)
    with pytest.raises(TrustError, match="every user with a certificate could speak for everybody"):
        FrontProxy.from_config_map(shared | {"requestheader-allowed-names": "[]"})


HEADER = st.tuples(
    st.sampled_from(
        [
            "X-Remote-User",
            "x-remote-user",
            "X-Remote-Group",
            "X-Remote-Uid",
            "X-Remote-Extra-A%2fb",
            "X-Remote-Extra-%zz",
            "X-Remote-Extra-",
            "Host",
        ]
    ),
    st.text(st.characters(blacklist_characters="\r\n"), max_size=6),
)


@given(headers=st.lists(HEADER, max_size=8))
def test_a_user_is_named_exactly_once_or_not_at_all(headers: list[tuple[str, str]]) -> None:
    user = PROXY.user(headers)
    named = [value for key, value in headers if key.lower() == "x-remote-user" and value]
    if user is None:
        told = [value for key, value in headers if key != "Host"]
        has_half_letters = any("\ud800" <= letter <= "\udfff" for value in told for letter in value)
        assert len(named) != 1 or has_half_letters
    else:
        assert [user.name] == named
        told = [value for key, value in headers if key == "X-Remote-Group" and value]
        assert [group for group in user.groups if group != "system:authenticated"] == [
            group for group in told if group != "system:authenticated"
        ]


def test_a_comment_in_any_language_within_a_bundle_is_no_matter() -> None:
    ca_pem = "# für den Vorposten\n" + FRONT_PROXY.pem.decode()
    assert FrontProxy.from_config_map(CONFIG | {"requestheader-client-ca-file": ca_pem}) == PROXY
