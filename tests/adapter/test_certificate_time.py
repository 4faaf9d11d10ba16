"""When a certificate ends, read from DER."""

import contextlib
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from adapter.certificate_time import not_after_s

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "n" * 60)])


def certificate(ends: dt.datetime) -> bytes:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME)
    builder = builder.serial_number(7).public_key(KEY.public_key())
    builder = builder.not_valid_before(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).not_valid_after(ends)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("year", [1999, 2026, 2049, 2050, 9999])  # two digits below 2050, then four
def test_the_end_is_what_was_written(year: int) -> None:
    ends = dt.datetime(year, 12, 31, 23, 59, 58, tzinfo=dt.UTC)
    assert not_after_s(certificate(ends)) == ends.timestamp()


@given(position=st.integers(0, 400), value=st.integers(0, 255), n_kept=st.integers(0, 500))
def test_no_bytes_make_it_fail_otherwise(position: int, value: int, n_kept: int) -> None:
    der = bytearray(certificate(dt.datetime(2030, 1, 1, tzinfo=dt.UTC)))
    der[position % len(der)] = value
    with contextlib.suppress(ValueError):
        not_after_s(bytes(der[:n_kept]))


def test_nothing_is_no_certificate() -> None:
    with pytest.raises(ValueError, match="ends in the middle"):
        not_after_s(b"")
