"""How long a look-up takes beside the driver with the same statement, prepared the same
way: `speed.py DATABASE SCHEMA NUMBER`. In pairs, in either order, so that both see the
same machine; a ratio is the middle one of the pairs'."""

import asyncio
import os
import statistics
import sys
import time

import asyncpg
import psycopg
import psycopg_pool

from lkroute import _core
from lkroute._keys import find_keys
from lkroute.asyncpg import Router
from lkroute.psycopg import AsyncRouter
from lkroute.psycopg import Router as SyncRouter

DATABASE, SCHEMA, NUMBER = sys.argv[1:]
TO = "+971501234567"
PAIRS, CALLS = 40, 200
#: A look-up over the driver's own, at most.
TARGET = 1.15


missed = []


async def timed(call, at_once):
    began = time.perf_counter()
    for _ in range(CALLS // at_once):
        await asyncio.gather(*(call() for _ in range(at_once)))
    return (time.perf_counter() - began) / CALLS * 1e6


async def timed_in_turn(call, _):
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6


async def compare(name, bare, whole, at_once, timed=timed):
    driver, ours = [], []
    for pair in range(PAIRS + 1):
        calls = [(bare, driver), (whole, ours)]
        for call, into in calls if pair % 2 else reversed(calls):
            into.append(await timed(call, at_once))
    # The first finds all cold.
    del driver[0], ours[0]
    ratios = sorted(our / its for our, its in zip(ours, driver))
    quarter = PAIRS // 4
    print(
        f"| {name}, {at_once} at once | {statistics.median(driver):.0f} µs "
        f"| {statistics.median(ours):.0f} µs | {statistics.median(ratios):.2f} "
        f"({ratios[quarter]:.2f}–{ratios[-1 - quarter]:.2f}) |",
        flush=True,
    )
    if statistics.median(ratios) > TARGET:
        missed.append(name)


def fresh_keys():
    """Nothing was read with them yet."""
    return find_keys(os.environ, None)


async def main():
    print("| | driver | lkroute | ratio |\n|---|---|---|---|")
    async with asyncpg.create_pool(DATABASE, min_size=8, max_size=8) as pool:
        router = Router(pool, schema=SCHEMA)
        await router.resolve(NUMBER)
        tables, statement = router._known
        question = _core.Question(NUMBER, to=TO)
        values = question.values(tables)
        document = await pool.fetchval(statement, *values)

        async def bare():
            await pool.fetchval(statement, *values, timeout=30)

        async def whole():
            await router.resolve(NUMBER, to=TO)

        async def national():
            await router.resolve(NUMBER, to="0501234567")

        async def anew():
            router._keys = unused.pop()
            await router.resolve(NUMBER, to=TO)

        for at_once in (1, 100):
            await compare("asyncpg", bare, whole, at_once)
        await compare("the same, a national number called", bare, national, 1)
        unused = [fresh_keys() for _ in range((PAIRS + 1) * CALLS)]
        await compare("the same, each answer another one", bare, anew, 1)
    made = {"min_size": 8, "max_size": 8, "kwargs": {"autocommit": True}, "open": False}
    async with psycopg_pool.AsyncConnectionPool(DATABASE, **made) as others:
        router = AsyncRouter(others, schema=SCHEMA)
        await router.resolve(NUMBER)

        async def async_bare():
            async with others.connection() as connection, psycopg.AsyncRawCursor(connection) as cursor:
                await cursor.execute(statement, values)
                await cursor.fetchone()

        async def async_whole():
            await router.resolve(NUMBER, to=TO)

        for at_once in (1, 100):
            await compare("psycopg, async", async_bare, async_whole, at_once)
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        sync = SyncRouter(connection, schema=SCHEMA)
        sync.resolve(NUMBER)

        def sync_bare():
            with psycopg.RawCursor(connection) as cursor:
                cursor.execute(statement, values).fetchone()

        def sync_whole():
            sync.resolve(NUMBER, to=TO)

        await compare("psycopg", sync_bare, sync_whole, 1, timed_in_turn)
    variables = _core.Environ(os.environ).read()

    def core(keys):
        times = []
        for ring in keys:
            began = time.perf_counter()
            _core.resolve(question, (tables, document), variables, ring)
            times.append((time.perf_counter() - began) * 1e6)
        return statistics.median(times)

    known, read = core([router._keys] * 5000), core([fresh_keys() for _ in range(5000)])
    print(f"\nthe core's part: {known:.1f} µs; where the answer is another one: {read:.1f} µs")


asyncio.run(main())
assert not missed, f"more than {TARGET} times what the driver takes: {missed}"
