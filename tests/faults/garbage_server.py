"""A program in a model server's place that is healthy by its probe, and answers everything else with rubbish."""

import argparse

from aiohttp import web

# Begins as a page of metrics does, goes on with a number that is none and with bytes that are no text.
_METRICS = (
    b"# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{ NaN\n\x00\xff\n<html>\n"
)
_ANSWER = "<html><body>please sign in</body></html>"


async def health(_: web.Request) -> web.Response:
    return web.Response()


async def metrics(_: web.Request) -> web.Response:
    return web.Response(body=_METRICS, content_type="text/plain")


async def rubbish(_: web.Request) -> web.Response:
    return web.Response(text=_ANSWER, content_type="text/html")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    app = web.Application()
    app.add_routes(
        [
            web.get("/health", health),
            web.get("/metrics", metrics),
            web.route("*", "/{path:.*}", rubbish),
        ]
    )
    web.run_app(app, host=given.host, port=given.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
