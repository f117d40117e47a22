"""A small service as lkroute's users write them: over HTTP it says where a call
goes, and places calls. `service.py DATABASE SCHEMA`; prints its port, ends with its
input."""

import asyncio
import sys

import asyncpg
from aiohttp import web

import lkroute
from lkroute.asyncpg import Router


def failed(error: lkroute.Error) -> web.Response:
    is_away = isinstance(error, (lkroute.LookupFailed, lkroute.RecordFailed))
    return web.json_response({"error": error.code, "message": error.message}, status=503 if is_away else 422)


async def main(database: str, schema: str) -> None:
    pool = await asyncpg.create_pool(database, min_size=2, max_size=8)
    router = Router(pool, schema=schema)

    async def route(request: web.Request) -> web.Response:
        try:
            found = await router.resolve(
                request.match_info["number"], to=request.query.get("to"), tenant=request.query.get("tenant")
            )
        except lkroute.Error as error:
            return failed(error)
        return web.json_response(
            {
                "config": found.config_name,
                "url": found.url,
                "worker": found.worker_name,
                "source": found.source,
                "opens": bool(found.api_secret),
            }
        )

    async def call(request: web.Request) -> web.Response:
        asked = await request.json()
        try:
            placed = await router.dispatch(request.match_info["number"], to=asked["to"])
        except lkroute.Error as error:
            return failed(error)
        return web.json_response({"status": placed.status, "room": placed.room, "worker": placed.worker})

    app = web.Application()
    app.router.add_get("/route/{number}", route)
    app.router.add_post("/call/{number}", call)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()
    await pool.close()


asyncio.run(main(*sys.argv[1:]))
