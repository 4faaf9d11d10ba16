"""`profile` against servers over loopback: a good one, and every bad one that it has a sentence for."""

import asyncio
import contextlib
import io
import json
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from llmd_autoscaler.clock import Clock
from llmd_autoscaler.errors import ConfigError, ObservationError
from llmd_autoscaler.profiling.given import Given
from llmd_autoscaler.profiling.live import Asked, profile
from llmd_autoscaler.profiling.points_file import read_points
from llmd_autoscaler.simulator.vllm_server.app import SimulatedServer
from llmd_autoscaler.translate.profile import load_profile
from tests.profiling.points import TRUE

MODEL = "test/model"
GIVEN = Given(name="tested", accelerator="H100-80GB")
# Ten simulated seconds a second: windows of some seconds pass quickly.
RATE = 10.0


class Said:
    """What a person would have read."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.has_point = asyncio.Event()

    def say(self, text: str) -> None:
        self.lines.append(text)

    async def follow(self, line: Callable[[], str]) -> None:
        while True:
            self.lines.append(line())
            if " 0 points" not in self.lines[-1]:
                self.has_point.set()
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """An application on a free port of loopback."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def simulated(clock: Clock, *, max_model_len: int = 8192) -> AsyncIterator[str]:
    """A simulated vLLM whose engine is `TRUE`."""
    server = SimulatedServer(TRUE, model=MODEL, clock=clock, max_model_len=max_model_len)
    running = asyncio.create_task(server.run())
    try:
        async with serving(server.app()) as url:
            yield url
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def run(
    url: str, folder: Path, clock: Clock, *, said: Said | None = None, **changes: object
) -> str:
    """Profile a server; returns what was printed."""
    out = io.StringIO()
    given = {
        "endpoint": url,
        "metrics_url": f"{url}/metrics",
        "model": "",
        "budget_s": 60.0,
        "out": folder / "tested.yaml",
        "points": folder / "tested.points.jsonl",
        "report": folder / "tested.html",
    } | changes
    await profile(Asked(**given), GIVEN, clock=clock, screen=said or Said(), to=out)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.fleet
async def test_a_simulated_server_is_profiled_to_its_own_coefficients(tmp_path):
    clock = Clock.starting_at(0.0, RATE)
    async with simulated(clock, max_model_len=4096) as url:
        printed = await run(url, tmp_path, clock, budget_s=200.0)
    spec = load_profile(str(tmp_path / "tested.yaml")).spec
    assert "wrote" in printed
    # what the machine does meanwhile is in it: stalls of a fast clock are steps that took longer
    assert spec.step.base_ms == pytest.approx(6.0, rel=0.1)
    assert spec.step.per_prefill_token_ms == pytest.approx(0.02, rel=0.15)
    assert spec.kv.tokens == TRUE.kv_tokens
    assert spec.engine.version == "0.26.0"
    assert spec.model == MODEL
    assert "<script>" in (tmp_path / "tested.html").read_text()


@pytest.mark.slow
async def test_an_interrupted_profile_keeps_its_points_and_the_next_goes_on(tmp_path):
    clock, said = Clock.starting_at(0.0, RATE), Said()
    points = tmp_path / "tested.points.jsonl"
    async with simulated(clock, max_model_len=4096) as url:
        task = asyncio.create_task(run(url, tmp_path, clock, said=said, budget_s=600.0))
        await said.has_point.wait()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(ObservationError, match=r"interrupted; . points are kept in"):
            await task
        n_before = len(read_points([points]))
        with points.open("a") as file:
            file.write('{"isl": 10')  # as a power cut leaves it
        with contextlib.suppress(ObservationError):
            await run(url, tmp_path, clock, said=said, budget_s=20.0)
    assert any(f"{n_before} points are there already" in line for line in said.lines)
    loads = [point.load for point in read_points([points])]
    assert len(loads) > n_before
    assert len(set(loads)) == len(loads)


async def test_an_endpoint_that_is_down_is_a_sentence_with_its_address(tmp_path):
    async with serving(web.Application()) as url:
        pass
    with pytest.raises(
        ConfigError, match=rf"--endpoint {url}: no answer from .* check that the server runs"
    ):
        await run(url, tmp_path, Clock())


async def test_a_wrong_model_name_is_answered_with_what_is_served(tmp_path):
    clock = Clock.starting_at(0.0, RATE)
    async with simulated(clock) as url:
        with pytest.raises(ConfigError, match=r"--model other: .* serves test/model"):
            await run(url, tmp_path, clock, model="other")


def stub(**routes: web.StreamResponse | Callable[[web.Request], object]) -> web.Application:
    """A server of fixed answers: name of the page, with `_` for a slash, and its text and status."""
    app = web.Application()

    def fixed(status: int, text: str):
        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, text=text)

        return answer

    for name, (status, text) in routes.items():
        app.router.add_get("/" + name.replace("_", "/"), fixed(status, text))
    return app


MODELS = (200, json.dumps({"data": [{"id": MODEL, "max_model_len": 4096}]}))


async def test_a_server_that_wants_a_key_says_how_to_give_it(tmp_path):
    async with serving(stub(v1_models=(401, "no"))) as url:
        with pytest.raises(ConfigError, match=r"HTTP 401 .* --api-key-file"):
            await run(url, tmp_path, Clock())


async def test_a_server_without_metrics_is_refused_with_the_address_tried(tmp_path):
    async with serving(stub(v1_models=MODELS)) as url:
        with pytest.raises(ObservationError, match=rf"{url}/metrics: HTTP 404 .*--metrics-url"):
            await run(url, tmp_path, Clock())


async def test_metrics_of_another_engine_are_refused(tmp_path):
    page = (200, "sglang:num_running_reqs 1.0\n")
    async with serving(stub(v1_models=MODELS, metrics=page)) as url:
        with pytest.raises(ObservationError, match="none of vLLM's series"):
            await run(url, tmp_path, Clock())


async def test_a_page_that_is_no_openai_server_is_refused(tmp_path):
    async with serving(stub(v1_models=(200, "<html>"))) as url:
        with pytest.raises(ConfigError, match="is no JSON; name an OpenAI-compatible server"):
            await run(url, tmp_path, Clock())


async def test_a_model_too_small_for_the_asked_length_is_refused_with_both_lengths(tmp_path):
    clock = Clock.starting_at(0.0, RATE)
    async with simulated(clock, max_model_len=2048) as url:
        with pytest.raises(ConfigError, match="--longest-isl 4096: test/model takes 2048 tokens"):
            await run(url, tmp_path, clock, longest_isl=4096)


async def test_errors_streamed_behind_http_200_are_trouble_and_no_fast_answers(tmp_path):
    clock, said = Clock.starting_at(0.0, RATE), Said()
    async with simulated(clock, max_model_len=2048) as url:
        # ids beyond the simulator's vocabulary are refused in the stream
        with pytest.raises(ObservationError, match="points are kept"):
            await run(url, tmp_path, clock, said=said, budget_s=5.0, vocabulary=10_000_000)
    points = read_points([tmp_path / "tested.points.jsonl"])
    assert points[0].clients.n_done == 0
    assert any("outside the vocabulary" in sentence for sentence in points[0].trouble)


async def test_a_server_of_another_version_than_was_said_is_a_warning_with_both(tmp_path):
    clock, said = Clock.starting_at(0.0, RATE), Said()
    async with simulated(clock) as url:
        out = io.StringIO()
        asked = Asked(
            url,
            f"{url}/metrics",
            "",
            0.5,
            tmp_path / "a.yaml",
            tmp_path / "a.jsonl",
            tmp_path / "a.html",
        )
        given = Given(name="tested", accelerator="H100-80GB", engine_version="0.32.0")
        with pytest.raises(ObservationError):
            await profile(asked, given, clock=clock, screen=said, to=out)
    assert any("0.32.0" in line and "0.26.0" in line for line in said.lines)


async def test_a_server_that_is_lost_in_mid_run_keeps_what_was_measured(tmp_path):
    clock, said = Clock.starting_at(0.0, RATE), Said()
    points = tmp_path / "tested.points.jsonl"
    async with simulated(clock, max_model_len=4096) as url:
        task = asyncio.create_task(run(url, tmp_path, clock, said=said, budget_s=600.0))
        await said.has_point.wait()
    with pytest.raises(ObservationError, match=r"no answer .* points are kept in"):
        await task
    assert read_points([points])
