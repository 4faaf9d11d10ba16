"""What limited a measured point: found from its own figures, without a profile.

The signs are those that a real vLLM shows (0.26.0 on an H100): `num_requests_waiting` stays near 0
while the API server is the limit, and at KV 99 % requests wait and are never preempted.
"""

from enum import StrEnum

from llmd_autoscaler.profiling.point import Point

# The KV cache is full when the next request finds no room: whole requests, so not at 100 %.
_KV_FULL_FRAC = 0.9
_WAITING_FRAC = 0.02
# Means of three histograms over different requests: within this they agree.
_TTFT_SLACK = 1.8
_TTFT_SLACK_S = 0.05
# One API server process: its time a request and a streamed token, and the use from which on it shapes what
# clients see (by hand, one H100, vLLM 0.26.0: 8,500 to 12,000 tokens/s are all that it gives).
USUAL_API_PER_REQUEST_S = 0.0033
USUAL_API_PER_TOKEN_S = 0.000085
_API_SERVER_MAX_USE = 0.8
_CLIENT_SLACK_S = 0.15
# Prompts begun and answers given a second are one number in steady state; in a short window under full
# load they are off by a tenth.
_STEADY_FRAC = 0.25
_FEW_PROMPTS = 8
_CLIENT_SLACK = 1.5


class Regime(StrEnum):
    """What a point is about; the errors of a profile are stated for each."""

    UNLOADED = "unloaded"
    ENGINE = "engine"
    PREFIX_HIT = "prefix_hit"
    OPEN_LOOP = "open_loop"
    KV_FULL = "kv_full"
    API_SERVER = "api_server"
    CLIENT = "client"
    NOT_STEADY = "not_steady"


def regime(point: Point, *, n_api_servers: int = 1) -> Regime:
    """The regime of a point; what limits it comes before what was asked."""
    limits = (
        (Regime.KV_FULL, is_kv_full(point)),
        (Regime.CLIENT, is_client_bound(point)),
        (Regime.API_SERVER, is_api_server_bound(point, n_api_servers=n_api_servers)),
        (Regime.NOT_STEADY, not is_steady(point)),
        (Regime.OPEN_LOOP, point.load.rate_qps is not None),
        (Regime.PREFIX_HIT, point.load.prefix_frac > 0),
        (Regime.UNLOADED, point.load.concurrency == 1),
    )
    return next((each for each, is_so in limits if is_so), Regime.ENGINE)


def is_kv_full(point: Point) -> bool:
    """Whether requests waited for room in the KV cache."""
    server = point.server
    if server.kv_max_frac is None or server.n_waiting is None:
        return False
    clients = (server.n_running or 0.0) + server.n_waiting
    return server.kv_max_frac > _KV_FULL_FRAC and server.n_waiting > _WAITING_FRAC * clients


def is_api_server_bound(point: Point, *, n_api_servers: int = 1) -> bool:
    """Whether the API server was the limit: by its requests and tokens, or a TTFT far beyond queue and prefill."""
    if api_server_use(point, n_api_servers=n_api_servers) > _API_SERVER_MAX_USE:
        return True
    server = point.server
    if server.ttft_s is None or server.queue_s is None or server.prefill_s is None:
        return False
    inside_s = server.queue_s + server.prefill_s
    is_loaded = (point.load.concurrency or 0) > 1 or point.load.rate_qps is not None
    return is_loaded and server.ttft_s > _TTFT_SLACK * inside_s + _TTFT_SLACK_S


def api_server_use(point: Point, *, n_api_servers: int = 1) -> float:
    """Share of the API servers' time that a point takes, at their usual times."""
    busy = point.rps * USUAL_API_PER_REQUEST_S + point.clients.out_tps * USUAL_API_PER_TOKEN_S
    return busy / n_api_servers


def is_client_bound(point: Point) -> bool:
    """Whether the load generator was late: it sees first tokens long after the server gave them."""
    client_s, server_s = point.clients.ttft_mean_s, point.server.ttft_s
    if client_s is None or server_s is None or point.load.concurrency == 1:
        return False
    return client_s > _CLIENT_SLACK * server_s + _CLIENT_SLACK_S


def is_steady(point: Point) -> bool:
    """Whether as many prompts came in as answers went out; a window shorter than an answer may see a wave of either."""
    in_tps, load = point.server.in_tps, point.load
    if in_tps is None or load.concurrency == 1:
        return True
    prompts_per_s, answers_per_s = in_tps / load.isl, point.clients.out_tps / load.osl
    if prompts_per_s * point.window_s < _FEW_PROMPTS:
        return load.concurrency is not None and point.window_s * prompts_per_s > load.concurrency
    return abs(prompts_per_s / answers_per_s - 1.0) <= _STEADY_FRAC if answers_per_s else False
