"""How long a look-up takes beside the driver with the same statement, prepared
the same way: `speed.py DATABASE SCHEMA NUMBER`. One after the other in turns, so
that both see the same machine."""

import asyncio
import os
import statistics
import sys
import time

import asyncpg
import psycopg
import psycopg_pool

from lkroute import _core
from lkroute.asyncpg import Router
from lkroute.psycopg import AsyncRouter
from lkroute.psycopg import Router as SyncRouter

DATABASE, SCHEMA, NUMBER = sys.argv[1:]
ROUNDS, CALLS = 15, 400


async def timed(call, at_once):
    began = time.perf_counter()
    for _ in range(CALLS // at_once):
        await asyncio.gather(*(call() for _ in range(at_once)))
    return (time.perf_counter() - began) / CALLS * 1e6


def row(name, driver, ours):
    driver, ours = statistics.median(driver), statistics.median(ours)
    print(f"| {name} | {driver:.0f} µs | {ours:.0f} µs | {ours / driver:.2f} |")


async def compare(name, bare, whole):
    for at_once in (1, 100):
        driver, ours = [], []
        for _ in range(ROUNDS):
            driver.append(await timed(bare, at_once))
            ours.append(await timed(whole, at_once))
        row(f"{name}, {at_once} at once", driver, ours)


async def main():
    print("| | driver | lkroute | ratio |\n|---|---|---|---|")
    async with asyncpg.create_pool(DATABASE, min_size=8, max_size=8) as pool:
        router = Router(pool, schema=SCHEMA)
        await router.resolve(NUMBER)
        question = _core.Question(NUMBER, to="0501234567")
        tables, statement = router._known
        values = question.values(tables)

        async def bare():
            await pool.fetchval(statement, *values, timeout=30)

        async def whole():
            await router.resolve(NUMBER, to="0501234567")

        await compare("asyncpg", bare, whole)
        document = await pool.fetchval(statement, *values)
        keys = router._keys
    made = {"min_size": 8, "max_size": 8, "kwargs": {"autocommit": True}, "open": False}
    async with psycopg_pool.AsyncConnectionPool(DATABASE, **made) as others:
        router = AsyncRouter(others, schema=SCHEMA)
        await router.resolve(NUMBER)

        async def async_bare():
            async with others.connection() as connection, psycopg.AsyncRawCursor(connection) as cursor:
                await cursor.execute(statement, values)
                await cursor.fetchone()

        async def async_whole():
            await router.resolve(NUMBER, to="0501234567")

        await compare("psycopg, async", async_bare, async_whole)
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        sync = SyncRouter(connection, schema=SCHEMA)
        sync.resolve(NUMBER)

        def sync_bare():
            with psycopg.RawCursor(connection) as cursor:
                cursor.execute(statement, values).fetchone()

        driver, ours = [], []
        for _ in range(ROUNDS):
            for call, into in ((sync_bare, driver), (lambda: sync.resolve(NUMBER, to="0501234567"), ours)):
                began = time.perf_counter()
                for _ in range(CALLS):
                    call()
                into.append((time.perf_counter() - began) / CALLS * 1e6)
        row("psycopg, 1 at once", driver, ours)
    variables = _core.Environ(os.environ).read()
    times = []
    for _ in range(5000):
        began = time.perf_counter()
        _core.resolve(question, (tables, document), variables, keys)
        times.append((time.perf_counter() - began) * 1e6)
    print(f"\nthe core's part: {statistics.median(times):.1f} µs")


asyncio.run(main())
