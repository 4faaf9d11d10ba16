"""When a certificate ends: the one field that Python's ssl does not tell of a certificate of our own.

Reads just enough of DER (X.690) to walk to it; a library for X.509 would be the largest dependency of
the process for one number.
"""

from datetime import UTC, datetime

_SEQUENCE = 0x30
_VERSION = 0xA0
_UTC_TIME = 0x17
_LONG_FORM = 0x80


def not_after_s(certificate: bytes) -> float:
    """Unix seconds of a certificate's notAfter.

    Raises: ValueError: this is no certificate.
    """
    body = _content(_content(certificate))  # Certificate, then TBSCertificate
    parts: list[bytes] = []
    while body and len(parts) < 5:  # noqa: PLR2004 (serial, algorithm, issuer, validity; a version before them)
        tag, value, body = _split(body)
        if tag != _VERSION:
            parts.append(value)
    try:
        validity = parts[3]
    except IndexError as error:
        raise ValueError("a certificate without a validity") from error
    _, _, rest = _split(validity)
    tag, ends, _ = _split(rest)
    return _seconds(tag, ends)


def _seconds(tag: int, written: bytes) -> float:
    # of two digits of a year, 50 and above are of the last century (RFC 5280, 4.1.2.5.1)
    text = written.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _content(written: bytes) -> bytes:
    tag, value, _ = _split(written)
    if tag != _SEQUENCE:
        raise ValueError("not a sequence where a certificate has one")
    return value


def _split(written: bytes) -> tuple[int, bytes, bytes]:
    """Tag and value of the first element, and what follows it."""
    if len(written) < 2:  # noqa: PLR2004 (a tag and a length)
        raise ValueError("a certificate ends in the middle")
    tag, length, start = written[0], written[1], 2
    if length >= _LONG_FORM:
        start += length - _LONG_FORM
        length = int.from_bytes(written[2:start])
    if len(written) < start + length:
        raise ValueError("a certificate ends in the middle")
    return tag, written[start : start + length], written[start + length :]
