"""Places calls as services do, and says how each ended, as JSON. Reads what to do
from its input."""

import asyncio
import contextlib
import itertools
import json
import os
import pickle
import socket
import sys
import time
import traceback

import asyncpg
import psycopg
import psycopg_pool

import lkroute
import lkroute._dispatch
import lkroute.asyncpg
import lkroute.psycopg
import lkroute.sqlite


@contextlib.asynccontextmanager
async def router(asked):
    """A router on the driver that was asked for, and what calls its dispatch."""
    database = asked["database"]
    settings = {"keys": asked["keys"], **asked.get("settings", {})}
    schema = {**settings, "schema": asked.get("schema")}
    driver = asked.get("driver", "asyncpg")
    in_thread = False
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        if driver == "asyncpg":
            # As asyncpg wants it behind a pooler in transaction mode.
            cache = {"statement_cache_size": 0} if asked.get("pooler") else {}
            pool = await enter(asyncpg.create_pool(database, min_size=1, max_size=4, **cache))
            made = lkroute.asyncpg.Router(pool, **schema)
        elif driver == "asyncpg connection":
            connection = await asyncpg.connect(database)
            stack.push_async_callback(connection.close)
            made = lkroute.asyncpg.Router(connection, **schema)
        elif driver == "psycopg":
            of_each = {"prepare_threshold": None} if asked.get("pooler") else {}
            pool = psycopg_pool.AsyncConnectionPool(database, min_size=1, max_size=4, kwargs=of_each, open=False)
            made = lkroute.psycopg.AsyncRouter(await enter(pool), **schema)
        elif driver == "psycopg connection":
            connection = await enter(await psycopg.AsyncConnection.connect(database))
            made = lkroute.psycopg.AsyncRouter(connection, **schema)
        elif driver == "psycopg sync":
            of_each = {"prepare_threshold": None} if asked.get("pooler") else {}
            pool = psycopg_pool.ConnectionPool(database, min_size=1, max_size=4, kwargs=of_each, open=False)
            made, in_thread = lkroute.psycopg.Router(stack.enter_context(pool), **schema), True
        else:
            made, in_thread = lkroute.sqlite.Router(database, **settings), True

        async def dispatch(*numbers, **keywords):
            if in_thread:
                return await asyncio.to_thread(made.dispatch, *numbers, **keywords)
            return await made.dispatch(*numbers, **keywords)

        yield dispatch


def as_json(end):
    if isinstance(end, BaseException):
        # Some loggers show the variables of each frame: a token is in none.
        shown = traceback.TracebackException.from_exception(end, capture_locals=True)
        assert "eyJ" not in "".join(shown.format()), "".join(shown.format())
    if isinstance(end, lkroute.Call):
        return {"status": end.status, "room": end.room, "repeated": end.repeated, "fallback": end.fallback, "warnings": end.warnings}
    if isinstance(end, lkroute.Error):
        # All of it comes out of a pool of processes.
        end = pickle.loads(pickle.dumps(end))
        kinds = [kind.__name__ for kind in type(end).__mro__]
        kinds = kinds[: kinds.index("Error")]
        call = getattr(end, "call", None)
        return {
            "raised": kinds[0],
            "kinds": kinds,
            "exit": end.exit,
            "code": end.code,
            "message": end.message,
            "hint": end.hint,
            "status": call and call.status,
            "warnings": call.warnings if call else [],
        }
    return {"raised": type(end).__name__, "message": str(end)}


async def under_load(asked, dispatch, keywords):
    """Calls, four at a time, each to a number of its own, for some seconds."""
    calls, until = [], time.time() + asked["seconds"]

    async def caller(ix):
        while time.time() < until:
            to = f"+91987{ix}{len(calls):06}"
            from_number = asked["from"][len(calls) % len(asked["from"])]
            began = time.time()
            call = {"to": to, "began": began}
            calls.append(call)
            end = await asyncio.gather(dispatch(from_number, to=to, **keywords), return_exceptions=True)
            call.update(as_json(end[0]), ended=time.time())

    await asyncio.gather(*(caller(ix) for ix in range(4)))
    return calls


def break_at(count):
    """The core panics at this step of the call."""
    step, steps = lkroute._dispatch.UnderWay._step, itertools.count(1)

    def counted(self, answer):
        if next(steps) == count:
            lkroute._core._panic_next()
        return step(self, answer)

    lkroute._dispatch.UnderWay._step = counted


def surround(asked):
    """Variables, a character of theirs a byte; and hosts below `.far.example`, which
    are this machine."""
    for name, value in asked.get("environ", {}).items():
        os.environb[name.encode()] = value.encode("latin-1")
    look_up = socket.getaddrinfo

    def near(host, *more, **named):
        return look_up("127.0.0.1" if str(host).endswith(".far.example") else host, *more, **named)

    socket.getaddrinfo = near


async def leave(asked, keywords):
    """The loop ends with calls under way, as that of a service that is stopped."""
    dispatch = await kept.__aenter__()
    call = asyncio.ensure_future(dispatch(asked["from"], to=asked["to"], **keywords))
    await asyncio.sleep(asked["leave_after"])
    call.cancel()


async def main():
    global kept
    asked = json.load(sys.stdin)
    surround(asked)
    if "break_at" in asked:
        break_at(asked["break_at"])
    keywords = {"timeout": 1.0, "settle": 0.6, **asked.get("keywords", {})}
    numbers = asked.get("numbers") or [asked["to"]] * asked.get("times", 1)
    kept = router(asked)
    if "leave_after" in asked:
        await leave(asked, keywords)
        print("[]")
        return
    async with kept as dispatch:
        if "seconds" in asked:
            print(json.dumps(await under_load(asked, dispatch, keywords)))
            return
        calls = [asyncio.ensure_future(dispatch(asked["from"], to=to, **keywords)) for to in numbers]
        if "cancel_after" in asked:
            await asyncio.sleep(asked["cancel_after"])
            for call in calls:
                call.cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        print(json.dumps([as_json(end) for end in ends]))


asyncio.run(main())
