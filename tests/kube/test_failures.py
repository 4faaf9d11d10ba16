"""What `kube` makes of servers that hang, answer nonsense, or are not there."""

import asyncio
import contextlib

import pytest
from aiohttp import web

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.kube.api import Kube, KubeError
from llmd_autoscaler.kube.mirror import Mirror
from llmd_autoscaler.kube.resources import PODS


async def test_no_answer_has_code_nought():
    kube = await Kube.connect("http://127.0.0.1:9")  # discard: nobody listens
    with pytest.raises(KubeError, match="no answer") as failure:
        await kube.list(PODS)
    await kube.close()
    assert failure.value.code == 0


@contextlib.asynccontextmanager
async def answering(handler):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    kube = await Kube.connect(f"http://{host}:{port}", timeout_s=0.2)
    try:
        yield kube
    finally:
        await kube.close()
        await runner.cleanup()


async def test_a_server_that_hangs_is_given_up_after_the_timeout():
    async def hang(_):
        await asyncio.Event().wait()

    async with answering(hang) as kube:
        with pytest.raises(KubeError, match="no answer"):
            await kube.get(PODS, "llm", "p")


async def test_an_answer_that_is_no_json_is_a_kube_error():
    async def page(_):
        return web.Response(text="<html>", content_type="text/html")

    async with answering(page) as kube:
        with pytest.raises(KubeError, match="no JSON"):
            await kube.get(PODS, "llm", "p")


async def test_a_failure_without_a_status_object_still_says_what_came():
    async def page(_):
        return web.Response(status=502, text="<html>bad gateway")

    async with answering(page) as kube:
        with pytest.raises(KubeError, match="502 <html>bad gateway") as failure:
            await kube.get(PODS, "llm", "p")
    assert failure.value.code == 502


async def test_a_list_in_pages_is_put_together():
    async def pages(request):
        assert request.query["limit"] == "500"
        first = "continue" not in request.query
        metadata = (
            {"resourceVersion": "7", "continue": "next"} if first else {"resourceVersion": "7"}
        )
        name = "a" if first else "b"
        return web.json_response({"metadata": metadata, "items": [{"metadata": {"name": name}}]})

    async with answering(pages) as kube:
        items, version = await kube.list(PODS, "llm")
    assert ([item["metadata"]["name"] for item in items], version) == (["a", "b"], "7")


async def test_neither_cluster_nor_kubeconfig_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(
        "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    with pytest.raises(ConfigError, match="set KUBECONFIG"):
        await Kube.connect()


async def test_a_collection_that_may_be_listed_but_not_watched_is_asked_for_ever_more_rarely():
    lists_s = []
    clock = asyncio.get_running_loop().time

    async def list_only(request):
        if "watch" in request.query:
            return web.json_response({"message": "forbidden"}, status=403)
        lists_s.append(clock())
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": []})

    async with answering(list_only) as kube, asyncio.timeout(20):
        mirror = asyncio.create_task(Mirror(kube, PODS, "llm").run())
        while len(lists_s) < 5:  # noqa: ASYNC110 (the server's count has no event of its own)
            await asyncio.sleep(0.01)
        mirror.cancel()
        await asyncio.gather(mirror, return_exceptions=True)
    # pauses double, spread over their second half: 0.1 to 0.2 s first, 0.8 to 1.6 s before the fifth list
    assert lists_s[4] - lists_s[3] > 2 * (lists_s[1] - lists_s[0])
