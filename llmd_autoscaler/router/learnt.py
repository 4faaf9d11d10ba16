"""What the router learns from `usage`: bytes per prompt token of a model, and the mean OSL of a class."""

from dataclasses import dataclass, field

# English text with a Llama 3 tokenizer: 4 to 4.5 bytes a token
START_BYTES_PER_TOKEN = 4.0
# the start counts like this many tokens, so that one odd prompt does not turn the estimate over
_START_WEIGHT_TOKENS = 1000.0
# sums are halved here: the estimate follows a change of clients within some hundreds of requests
_MEMORY_TOKENS = 1_000_000.0
_START_OSL_TOKENS = 200.0
_START_WEIGHT_REQUESTS = 5.0
_MEMORY_REQUESTS = 2_000.0


@dataclass(slots=True)
class _Ratio:
    above: float
    below: float

    def add(self, above: float, below: float, *, memory: float) -> None:
        self.above += above
        self.below += below
        if self.below > memory:
            self.above /= 2
            self.below /= 2

    @property
    def value(self) -> float:
        return self.above / self.below


def _start_bytes() -> _Ratio:
    return _Ratio(START_BYTES_PER_TOKEN * _START_WEIGHT_TOKENS, _START_WEIGHT_TOKENS)


def _start_osl() -> _Ratio:
    return _Ratio(_START_OSL_TOKENS * _START_WEIGHT_REQUESTS, _START_WEIGHT_REQUESTS)


@dataclass(slots=True)
class Learnt:
    """Two running means; both start from a stated guess and forget slowly."""

    _bytes: dict[str, _Ratio] = field(default_factory=dict)
    _osl: dict[tuple[str, str], _Ratio] = field(default_factory=dict)

    def isl_of(self, model: str, prompt_bytes: int) -> int:
        """The prompt tokens that so many bytes are likely to be; at least 1."""
        ratio = self._bytes.get(model)
        return max(1, round(prompt_bytes / (ratio.value if ratio else START_BYTES_PER_TOKEN)))

    def mean_osl(self, model: str, class_name: str) -> float:
        """Mean output tokens of a class as seen here."""
        mean = self._osl.get((model, class_name))
        return mean.value if mean else _START_OSL_TOKENS

    def saw_prompt(self, model: str, *, prompt_bytes: int, isl: int) -> None:
        """One prompt whose tokens the server has counted."""
        if isl > 0 and prompt_bytes > 0:
            self._bytes.setdefault(model, _start_bytes()).add(
                prompt_bytes, isl, memory=_MEMORY_TOKENS
            )

    def saw_answer(self, model: str, class_name: str, *, osl: int) -> None:
        """One answer whose tokens the server has counted."""
        self._osl.setdefault((model, class_name), _start_osl()).add(
            osl, 1.0, memory=_MEMORY_REQUESTS
        )
