"""A small service as lkroute's users write them: it says over HTTP where a call
goes. `service.py DATABASE SCHEMA`; prints its port, ends with its input."""

import asyncio
import sys

import asyncpg
from aiohttp import web

import lkroute
from lkroute.asyncpg import Router


async def main(database: str, schema: str) -> None:
    pool = await asyncpg.create_pool(database, min_size=2, max_size=8)
    router = Router(pool, schema=schema)

    async def route(request: web.Request) -> web.Response:
        try:
            found = await router.resolve(
                request.match_info["number"], to=request.query.get("to"), tenant=request.query.get("tenant")
            )
        except lkroute.Error as error:
            body = {"error": error.code, "message": error.message}
            return web.json_response(body, status=503 if error.code == "lookup-failed" else 422)
        return web.json_response(
            {
                "config": found.config_name,
                "url": found.url,
                "worker": found.worker_name,
                "source": found.source,
                "opens": bool(found.api_secret),
            }
        )

    app = web.Application()
    app.router.add_get("/route/{number}", route)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()
    await pool.close()


asyncio.run(main(*sys.argv[1:]))
