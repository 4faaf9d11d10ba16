"""Whom the API server's front proxy speaks for: X-Remote-* headers, and the one certificate they are believed of.

Rules for editors: the headers are worth what the connection is worth. They are read only where the
TLS peer has shown a certificate of the requestheader CA, which is the only CA that the listener
loads: with the cluster's ordinary client CA beside it, any client certificate whose common name is
the front proxy's could speak for everybody.
"""

import json
import re
import ssl
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self, cast
from urllib.parse import unquote

from adapter.identity import User
from llmd_autoscaler.errors import ObservationError

CONFIG_MAP = "kube-system/extension-apiserver-authentication"
_CA = "requestheader-client-ca-file"
_NAMES = "requestheader-allowed-names"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

Subject = tuple[tuple[tuple[str, str], ...], ...]


class TrustError(ObservationError):
    """The cluster does not say whom to believe, so no forwarded identity is believed."""


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """How to know the front proxy, and which headers it writes; names of headers in lower case."""

    ca_pem: str
    allowed_names: frozenset[str]  # empty: every certificate of the CA
    user_headers: tuple[str, ...]
    uid_headers: tuple[str, ...]
    group_headers: tuple[str, ...]
    extra_prefixes: tuple[str, ...]

    @classmethod
    def from_config_map(cls, data: Mapping[str, object]) -> Self:
        """What the API server publishes for servers behind it.

        Raises: TrustError: a part is missing or unreadable, or the CA is no front proxy's own.
        """
        ca_pem = data.get(_CA)
        if not isinstance(ca_pem, str) or not ca_pem.strip():
            raise TrustError(
                f"ConfigMap {CONFIG_MAP} has no {_CA}: start the kube-apiserver with --{_CA}"
            )
        names = frozenset(_texts(data, _NAMES))
        ca_pem = _checked_ca(ca_pem, str(data.get("client-ca-file", "")), is_named=bool(names))
        user_headers = _texts(data, "requestheader-username-headers")
        if not user_headers:
            raise TrustError(f"ConfigMap {CONFIG_MAP} names no requestheader-username-headers")
        return cls(
            ca_pem=ca_pem,
            allowed_names=names,
            user_headers=_lowered(user_headers),
            uid_headers=_lowered(_texts(data, "requestheader-uid-headers", is_optional=True)),
            group_headers=_lowered(_texts(data, "requestheader-group-headers")),
            extra_prefixes=_lowered(_texts(data, "requestheader-extra-headers-prefix")),
        )

    def is_allowed(self, subject: Subject) -> bool:
        """Whether a verified certificate is one whose headers are believed."""
        names = [value for part in subject for key, value in part if key == "commonName"]
        # of two names, which one counts would be a matter of the reader
        return len(names) == 1 and (not self.allowed_names or names[0] in self.allowed_names)

    def user(self, headers: Iterable[tuple[str, str]]) -> User | None:
        """The user that the front proxy's headers name; None where they name nobody, or nobody clearly."""
        found: dict[str, list[str]] = defaultdict(list)
        for key, value in headers:
            if value:
                found[key.lower()].append(value)
        users = next((found[name] for name in self.user_headers if name in found), [])
        uids = next((found[name] for name in self.uid_headers if name in found), [""])
        groups = [value for name in self.group_headers for value in found.get(name, ())]
        extra = self._extra(found)
        told = (users, uids, groups, *extra.values())
        if len(users) != 1 or not all(_is_text(value) for values in told for value in values):
            return None
        return User.of(users[0], uids[0], groups, extra)

    def _extra(self, found: Mapping[str, list[str]]) -> dict[str, list[str]]:
        extra: dict[str, list[str]] = defaultdict(list)
        for key, values in found.items():
            for prefix in self.extra_prefixes:
                if key.startswith(prefix):
                    extra[unquote(key.removeprefix(prefix))] += values
        return extra


def certificates(pem: str) -> frozenset[bytes]:
    """The certificates of a bundle, as DER; what stands between them is comment.

    Raises: ValueError: one of them is no base64.
    """
    return frozenset(ssl.PEM_cert_to_DER_cert(each) for each in _PEM.findall(pem))


def _checked_ca(ca_pem: str, client_ca_pem: str, *, is_named: bool) -> str:
    """The certificates of a bundle without what stands between them, which TLS may not be able to read."""
    try:
        ours, clients = certificates(ca_pem), certificates(client_ca_pem)
        bundle = "".join(ssl.DER_cert_to_PEM_cert(each) for each in sorted(ours))
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=bundle)
    except (ssl.SSLError, ValueError) as error:
        raise TrustError(f"{_CA} of ConfigMap {CONFIG_MAP} cannot be read: {error}") from error
    if ours & clients and not is_named:
        raise TrustError(
            f"{_CA} of ConfigMap {CONFIG_MAP} is the cluster's client CA too and {_NAMES} is empty: every user"
            f" with a certificate could speak for everybody; give the front proxy a CA of its own, or set --{_NAMES}"
        )
    return bundle


def _texts(data: Mapping[str, object], key: str, *, is_optional: bool = False) -> tuple[str, ...]:
    """A list of texts that is written as JSON within a text."""
    written = data.get(key)
    if written is None and is_optional:
        return ()  # the key is younger than others: an older API server has no uid to pass on
    try:
        found = json.loads(written) if isinstance(written, str) else None
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TrustError(f"{key} of ConfigMap {CONFIG_MAP} is no list of texts")
    return tuple(cast("list[str]", found))


def _lowered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _is_text(value: str) -> bool:
    """Whether a header's value was UTF-8; bytes that are not arrive as half characters."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
