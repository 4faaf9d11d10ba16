"""The BurstGPT trace: chats and API calls of a campus, in whole seconds, the failed ones among them."""

from llmd_autoscaler.simulator.traces.request import Form, Request

# Newer files have two columns more, whose place is not fixed: columns are found by their names.
_NEEDED = ("Timestamp", "Request tokens", "Response tokens")
HEADER = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type"


def form(header: str) -> Form | None:
    """How rows under a header are read; None: it is not BurstGPT's."""
    names = [name.strip() for name in header.split(",")]
    if not set(_NEEDED) <= set(names):
        return None
    at, isl, osl = (names.index(name) for name in _NEEDED)

    def read_row(row: str) -> Request | None:
        fields = row.split(",")
        if len(fields) != len(names):
            raise ValueError(row)
        request = Request(float(fields[at]), int(fields[isl]), int(fields[osl]))
        # A call that failed: nobody knows how long its answer would have been, and many have no prompt either.
        return None if request.osl == 0 and request.isl >= 0 else request

    return Form(
        read_row,
        has_header=True,
        row=f"{len(names)} fields, of which {', '.join(_NEEDED)} are a time in seconds and two whole numbers of tokens",
    )
