"""The serving certificate from files and the CA of the front proxy from the cluster, both renewed while we serve."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from adapter.certificate_time import not_after_s
from adapter.front_proxy import FrontProxy, TrustError, certificates
from adapter.telemetry import Telemetry
from llmd_autoscaler.errors import ConfigError

_LOG = structlog.stdlib.get_logger(__name__)

# A kubelet needs up to a minute to bring a new Secret into a volume; ten seconds more change nothing.
_LOOK_S = 10.0


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the serving certificate and its key stand."""

    certificate: Path
    key: Path

    def read(self) -> tuple[bytes, bytes]:
        """What they hold now."""
        return self.certificate.read_bytes(), self.key.read_bytes()


class Tls:
    """The context that the next connection is met with; a new one at every change, never one that is mended.

    A context that was mended would go on to trust what it trusted before, and resume its sessions.
    """

    def __init__(self, files: CertificateFiles, telemetry: Telemetry) -> None:
        """Reads the files. Raises: ConfigError: they are no certificate and its key."""
        self._files = files
        self._telemetry = telemetry
        self._front_proxy: FrontProxy | None = None
        self._on_change: Callable[[], None] = lambda: None
        try:
            self._seen = files.read()
            self.context = self._built(None)
            telemetry.expires("serving", _ends_s(self._seen[0]))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{files.certificate} and {files.key} cannot be used to serve ({error}): give --tls-cert-file a"
                " certificate in PEM, and --tls-private-key-file its key"
            ) from error

    def call_on_change(self, on_change: Callable[[], None]) -> None:
        """Who is told when connections made before are of the past."""
        self._on_change = on_change

    def trust(self, front_proxy: FrontProxy | None) -> None:
        """Believe the certificates of another CA from now on, or of none.

        Raises: TrustError: the files do not hold a usable pair at this moment; what was trusted before still is.
        """
        if front_proxy == self._front_proxy:
            return
        try:
            context = self._built(front_proxy)
            if front_proxy is not None:
                ends_s = min(map(not_after_s, certificates(front_proxy.ca_pem)))
                self._telemetry.expires("front_proxy_ca", ends_s)
        except (OSError, ValueError) as error:
            self._telemetry.reloaded(is_used=False)
            raise TrustError(f"a new CA waits for a usable serving certificate: {error}") from error
        self._front_proxy = front_proxy
        self._telemetry.reloaded(is_used=True)
        self._renew(context)

    def look(self) -> None:
        """Take over what the files hold, if it is another pair and can be used; else the old one goes on.

        The two are written one after the other: what does not fit yet is looked at again.
        """
        try:
            found = self._files.read()
            if found == self._seen:
                return
            context = self._built(self._front_proxy)
            ends_s = _ends_s(found[0])
            if self._files.read() != found:
                return  # they change at this moment
        except (OSError, ValueError) as error:
            _LOG.warning("certificate_unusable", detail=str(error))
            self._telemetry.reloaded(is_used=False)
            return
        self._seen = found
        self._telemetry.reloaded(is_used=True)
        self._telemetry.expires("serving", ends_s)
        _LOG.info("certificate_renewed")
        self._renew(context)

    async def run(self) -> None:
        """Looks at the files until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def _renew(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._on_change()

    def _built(self, front_proxy: FrontProxy | None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        context.num_tickets = (
            0  # a resumed session would carry a certificate that nobody looks at again
        )
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._files.certificate, self._files.key)
        if front_proxy is not None:
            # Only this CA, ever: see front_proxy. OPTIONAL is: ask, and take none or a verified one.
            context.load_verify_locations(cadata=front_proxy.ca_pem)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


def _ends_s(written: bytes) -> float:
    """When the first certificate of a file ends: the one that is shown; its issuers follow it."""
    leaf, mark, _ = written.decode("utf-8", "replace").partition("-----END CERTIFICATE-----")
    return min(map(not_after_s, certificates(leaf + mark)))
