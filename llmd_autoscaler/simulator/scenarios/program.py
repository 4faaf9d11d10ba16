"""A traffic scenario as its file declares it: what asks, how often, in which bursts, with which lengths."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_Rate = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
# From the start of a phase to its end, in a straight line; a single number stands for both.
_Ramp = tuple[_Rate, _Rate]


class _Strict(BaseModel):
    """A part of the file; a field that is not declared is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lengths(_Strict):
    """Tokens by a lognormal law through its median and its 90th percentile, cut off at `most`."""

    median: _Positive
    p90: _Positive
    most: _Positive

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if not self.median <= self.p90 <= self.most:
            raise ValueError("write median <= p90 <= most")
        return self


class Sessions(_Strict):
    """Conversations: each turn asks again with all that was said before it."""

    turns: Annotated[float, Field(ge=1.0, allow_inf_nan=False)]  # in the mean; geometric
    adds: (
        Lengths  # tokens that the client adds before each further turn: a question, a tool's output
    )
    # mean time between the end of an answer and the next turn; exponential
    think_s: _Positive
    # how long a token of an answer is taken to last: what is drawn beforehand cannot wait for the answer itself
    per_token_s: _Positive


class Kind(_Strict):
    """One kind of request."""

    isl: Lengths
    osl: Lengths
    dispersion: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0  # 1: a Poisson process
    sessions: Sessions | None = None  # given: a rate is that of sessions, and `isl` of their start


class Phase(_Strict):
    """A stretch of time and how often each kind asks in it; a kind that is not named does not."""

    for_s: _Positive
    qps: dict[str, _Ramp]

    @model_validator(mode="before")
    @classmethod
    def _from_single_numbers(cls, data: object) -> object:
        if not isinstance(data, dict) or not isinstance(rates := data.get("qps"), dict):
            return data
        return {
            **data,
            "qps": {k: (r, r) if isinstance(r, int | float) else r for k, r in rates.items()},
        }


class Scenario(_Strict):
    """One file."""

    name: str
    about: str  # one line for a list
    hurts: str  # why it is hard to scale for
    config: str | None = (
        None  # folder of resources in `configs`; absent: those of `llmd-autoscaler local`
    )
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    kinds: dict[str, Kind]
    program: Annotated[tuple[Phase, ...], Field(min_length=1)]

    @property
    def duration_s(self) -> float:
        """From its start to its end."""
        return sum(phase.for_s for phase in self.program)

    @model_validator(mode="after")
    def _names_its_kinds(self) -> Self:
        asked = {kind for phase in self.program for kind in phase.qps}
        if asked != set(self.kinds):
            wrong = ", ".join(sorted(asked ^ set(self.kinds)))
            raise ValueError(f"kinds and program name different kinds: {wrong}; name each in both")
        return self
