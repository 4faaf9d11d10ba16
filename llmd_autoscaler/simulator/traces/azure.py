"""The Azure LLM inference traces: as published, and with arrivals in seconds from the start."""

from datetime import UTC, datetime

from llmd_autoscaler.simulator.traces.request import Form, Request

SECONDS_HEADER = "arrival_s,input_tokens,output_tokens"
PUBLISHED_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
_ROW = "a time and two whole numbers of tokens"


def _seconds(row: str) -> Request:
    when, isl, osl = row.split(",")
    return Request(float(when), int(isl), int(osl))


def _published(row: str) -> Request:
    when, isl, osl = row.split(",")
    return Request(_published_s(when), int(isl), int(osl))


def _published_s(when: str) -> float:
    """A time as published, `2023-11-16 18:15:46.6805900`, in seconds: seven decimals are one too many for Python."""
    moment, _, fraction = when.partition(".")
    base = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return base.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


FORMS = {
    SECONDS_HEADER: Form(_seconds, has_header=True, row=_ROW),
    PUBLISHED_HEADER: Form(_published, has_header=True, row=_ROW),
}
