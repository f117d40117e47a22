"""Places a call as a service does, and says how it ended as JSON. Reads what to
do from its input."""

import asyncio
import json
import sys

import asyncpg

import lkroute
from lkroute.asyncpg import Router


def as_json(end):
    if isinstance(end, lkroute.Call):
        return {"status": end.status, "room": end.room, "repeated": end.repeated, "warnings": end.warnings}
    if isinstance(end, lkroute.Error):
        return {"exit": end.exit, "code": end.code, "message": end.message, "hint": end.hint}
    return {"raised": type(end).__name__}


async def main():
    asked = json.load(sys.stdin)
    async with asyncpg.create_pool(asked["database"], min_size=1, max_size=4) as pool:
        router = Router(pool, schema=asked["schema"], keys=asked["keys"])

        def call():
            return router.dispatch(
                asked["from"],
                to=asked["to"],
                idempotency_key=asked.get("key"),
                wait_for_agent=asked.get("wait"),
                timeout=asked.get("step", 1.0),
                settle=0.6,
            )

        calls = [asyncio.ensure_future(call()) for _ in range(asked.get("times", 1))]
        if "cancel_after" in asked:
            await asyncio.sleep(asked["cancel_after"])
            for one in calls:
                one.cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        print(json.dumps([as_json(end) for end in ends]))


if len(sys.argv) > 1:
    from lkroute._causes import CAUSES

    print(json.dumps(CAUSES))
else:
    asyncio.run(main())
