"""A measured point: what clients asked of one server for a while, and what clients and server saw."""

from dataclasses import dataclass

from llmd_autoscaler.core.variant import EngineProfile


@dataclass(frozen=True, slots=True)
class Shape:
    """Requests of one length, and their share of all (any unit)."""

    isl: int
    osl: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What clients ask: shapes, in a closed loop of so many clients or as a Poisson process.

    Exactly one of `concurrency` and `rate_qps` is set.
    """

    shapes: tuple[Shape, ...]
    concurrency: int | None = None
    rate_qps: float | None = None
    prefix_frac: float = 0.0  # share of each prompt that other requests begin with, too
    n_prefixes: int = 1  # different such beginnings

    @property
    def isl(self) -> float:
        """Mean prompt tokens of a request."""
        return sum(s.weight * s.isl for s in self.shapes) / self._total

    @property
    def osl(self) -> float:
        """Mean output tokens of a request."""
        return sum(s.weight * s.osl for s in self.shapes) / self._total

    @property
    def longest_tokens(self) -> int:
        """Prompt and answer of the longest request."""
        return max(s.isl + s.osl for s in self.shapes)

    @property
    def name(self) -> str:
        """How people write it: 1024x128 at 8, 1024x128 at 2.5/s."""
        shape = f"{self.isl:g}x{self.osl:g}" if len(self.shapes) == 1 else "mix"
        hits = f" {100 * self.prefix_frac:g} % shared" if self.prefix_frac else ""
        how = f"{self.rate_qps:g}/s" if self.rate_qps is not None else f"{self.concurrency}"
        return f"{shape}{hits} at {how}"

    @property
    def _total(self) -> float:
        return sum(s.weight for s in self.shapes)


@dataclass(frozen=True, slots=True)
class Clients:
    """What the clients saw within the window; None where there was nothing to see."""

    rps: float
    out_tps: float
    n_first: int
    n_done: int
    errors: int = 0
    ttft_mean_s: float | None = None
    ttft_p50_s: float | None = None
    ttft_p95_s: float | None = None
    itl_mean_s: float | None = None
    itl_p95_s: float | None = None
    tpot_p95_s: float | None = None
    e2e_p50_s: float | None = None
    # half the 95 % interval of the mean TPOT (of short answers the TTFT), relative to it
    ci95_frac: float | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """What the server's own page said of the window; None where it does not say.

    steps_per_s is only the reciprocal of a step's time while the engine never waits for work.
    """

    in_tps: float | None = None  # prompt tokens, hits included
    out_tps: float | None = None
    ttft_s: float | None = None
    queue_s: float | None = None
    prefill_s: float | None = None
    steps_per_s: float | None = None
    tokens_per_step: float | None = None
    hit_tokens: float | None = None
    queried_tokens: float | None = None
    kv_mean_frac: float | None = None
    kv_max_frac: float | None = None
    n_running: float | None = None
    n_waiting: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One load, and what came of it.

    Args:
        where: file and line, for sentences.
        trouble: what was not the engine, as found while measuring; such a point is not fitted.
        left_out: why this point says nothing about one server's engine, "" where it does.
    """

    load: Load
    warm_s: float
    window_s: float
    clients: Clients
    server: Server
    where: str = ""
    trouble: tuple[str, ...] = ()
    left_out: str = ""
    flags: tuple[tuple[str, int], ...] = ()  # engine flags that were other than the profile's

    @property
    def rps(self) -> float:
        """Requests a second; from the tokens where too few answers ended within the window to be counted."""
        if self.clients.n_done >= 100 or self.load.osl < 2:  # noqa: PLR2004 (capacity.md: 100 requests a window)
            return self.clients.rps
        return self.clients.out_tps / self.load.osl

    def profile(self, profile: EngineProfile) -> EngineProfile:
        """A profile with the flags that this point was measured with."""
        given = dict(self.flags)
        return EngineProfile(
            step=profile.step,
            front_end=profile.front_end,
            kv_tokens=given.get("kv_tokens", profile.kv_tokens),
            max_num_batched_tokens=given.get(
                "max_num_batched_tokens", profile.max_num_batched_tokens
            ),
            max_num_seqs=given.get("max_num_seqs", profile.max_num_seqs),
            n_api_servers=given.get("api_servers", profile.n_api_servers),
        )
