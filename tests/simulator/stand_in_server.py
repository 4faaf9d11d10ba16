"""A program that stands in for a model server: answers /health, ends on SIGTERM (or not, with --deaf)."""

import argparse
import os
import signal

from aiohttp import web


async def health(_: web.Request) -> web.Response:
    return web.Response(text=str(os.getpid()))


async def crash(_: web.Request) -> web.Response:
    os._exit(3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--deaf", action="store_true")
    options = parser.parse_args()
    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/crash", crash)])
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    web.run_app(
        app,
        host=options.host,
        port=options.port,
        print=None,
        access_log=None,
        handle_signals=not options.deaf,
        shutdown_timeout=0.1,
    )


if __name__ == "__main__":
    main()
