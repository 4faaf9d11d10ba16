"""Certificates that change while the adapter serves, with real handshakes."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from adapter.telemetry import Telemetry
from adapter.tls import CertificateFiles, Tls
from llmd_autoscaler.errors import ConfigError
from tests.adapter.secured import HPA, Pki, Secured, secured
from tests.controlplane.pki import Authority


async def served_serial(adapter: Secured) -> int:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", adapter.address[1], ssl=adapter.client_context()
    )
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    del reader
    return x509.load_der_x509_certificate(shown).serial_number


def serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


async def test_a_new_serving_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        assert await served_serial(adapter) == serial(adapter.files.certificate.read_bytes())
        renewed = adapter.pki.serving_pair()
        adapter.write_pair(renewed)
        adapter.tls.look()
        assert await served_serial(adapter) == serial(renewed.cert)
        adapter.api.allow_hpa_controller()
        assert await adapter.as_hpa() == 200


async def test_a_pair_that_does_not_fit_changes_nothing_until_it_does(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        before = await served_serial(adapter)
        renewed = adapter.pki.serving_pair()
        adapter.files.certificate.write_bytes(renewed.cert)  # the key comes a moment later
        adapter.tls.look()
        assert await served_serial(adapter) == before
        adapter.files.key.unlink()
        adapter.tls.look()
        assert await served_serial(adapter) == before
        adapter.files.key.write_bytes(renewed.key)
        adapter.tls.look()
        assert await served_serial(adapter) == serial(renewed.cert)
        lines = await adapter.metrics()
        assert 'llmd_adapter_certificate_reloads_total{result="refused"} 2.0' in lines


async def test_a_removed_front_proxy_ca_is_trusted_no_more(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        adapter.api.allow_hpa_controller()
        old = adapter.front_proxy_pair()
        assert (await adapter.get(pair=old, headers=HPA))[0] == 200
        adapter.pki.front_proxy = Authority("front-proxy-ca")  # of the same name, with another key
        adapter.api.config = adapter.pki.config()
        await adapter.trust.look()
        with pytest.raises((aiohttp.ClientError, OSError)):
            await adapter.get(pair=old, headers=HPA)
        assert await adapter.as_hpa() == 200


async def test_both_cas_of_a_bundle_are_trusted_while_they_overlap(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        adapter.api.allow_hpa_controller()
        old = adapter.front_proxy_pair()
        both = adapter.pki.front_proxy.pem
        adapter.pki.front_proxy = Authority("front-proxy-ca-2")
        both += adapter.pki.front_proxy.pem
        adapter.api.config = adapter.pki.config(requestheader_client_ca_file=both.decode())
        await adapter.trust.look()
        assert (await adapter.get(pair=old, headers=HPA))[0] == 200
        assert await adapter.as_hpa() == 200


async def test_a_connection_of_a_removed_ca_ends_with_it(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        adapter.api.allow_hpa_controller()
        old = adapter.client_context(adapter.front_proxy_pair())
        reader, writer = await asyncio.open_connection("127.0.0.1", adapter.address[1], ssl=old)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        adapter.pki.front_proxy = Authority("front-proxy-ca")
        adapter.api.config = adapter.pki.config()
        await adapter.trust.look()
        async with asyncio.timeout(10):
            await reader.read()  # to its end
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_other_allowed_names_hold_for_connections_that_stand(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        adapter.api.allow_hpa_controller()
        adapter.api.config = adapter.pki.config(requestheader_allowed_names='["another"]')
        await adapter.trust.look()
        assert await adapter.as_hpa() == 401


async def test_a_config_map_that_is_gone_takes_all_trust_with_it(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        adapter.api.allow_hpa_controller()
        adapter.api.config = None
        await adapter.trust.look()
        assert await adapter.as_hpa() == 401
        assert (await adapter.get("/readyz"))[0] == 503


async def test_tls_below_1_2_is_not_spoken(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        old = adapter.client_context()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", adapter.address[1], ssl=old)
        new = adapter.client_context()
        new.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await asyncio.open_connection("127.0.0.1", adapter.address[1], ssl=new)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()
        await writer.wait_closed()


async def test_when_certificates_end_is_told(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        lines = dict(
            line.rsplit(" ", 1) for line in await adapter.metrics() if not line.startswith("#")
        )
        for name, pem in (
            ("serving", adapter.files.certificate.read_bytes()),
            ("front_proxy_ca", adapter.pki.front_proxy.pem),
        ):
            ends_s = x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
            told = lines[f'llmd_adapter_certificate_expiry_seconds{{certificate="{name}"}}']
            assert float(told) == ends_s


async def test_plain_http_on_a_tls_port_is_nothing(tmp_path: Path) -> None:
    async with secured(tmp_path) as adapter:
        reader, writer = await asyncio.open_connection("127.0.0.1", adapter.address[1])
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in await reader.read()
        writer.close()
        await writer.wait_closed()


def test_files_that_are_no_pair_end_the_process_with_a_sentence(tmp_path: Path) -> None:
    first, second = Pki().serving_pair(), Pki().serving_pair()
    certificate, _ = first.write(tmp_path, "first")
    _, key = second.write(tmp_path, "second")
    with pytest.raises(ConfigError, match=r"cannot be used to serve .*KEY_VALUES_MISMATCH"):
        Tls(CertificateFiles(certificate, key), Telemetry())
    with pytest.raises(ConfigError, match="No such file"):
        Tls(CertificateFiles(tmp_path / "absent", key), Telemetry())
