"""Connections as services make them, for reasons of their own: `connections.py CASE`,
with DATABASE, SCHEMA and NUMBER in the environment."""

import asyncio
import os
import pathlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import psycopg
import psycopg_pool
from psycopg.rows import class_row, dict_row, kwargs_row, namedtuple_row, scalar_row

import lkroute
import lkroute.asyncpg
import lkroute.psycopg
import lkroute.sqlite

DATABASE, SCHEMA, NUMBER = (os.environ[name] for name in ("DATABASE", "SCHEMA", "NUMBER"))


async def rows():
    """Rows of a kind of the service's own, and prepared statements as it likes them."""

    def odd(**_):
        raise AssertionError("a row of ours")

    made = [{"row_factory": factory} for factory in (dict_row, namedtuple_row, scalar_row, kwargs_row(odd), class_row(odd))]
    made += [{"cursor_factory": psycopg.ClientCursor}, {"prepare_threshold": 0}, {"prepare_threshold": None}]
    for settings in made:
        for autocommit in (True, False):
            settings["autocommit"] = autocommit
            for _ in range(2):
                kinds = {"cursor_factory": psycopg.AsyncClientCursor} if "cursor_factory" in settings else {}
                async with psycopg_pool.AsyncConnectionPool(
                    DATABASE, min_size=1, max_size=1, kwargs=settings | kinds, open=False
                ) as pool:
                    router = lkroute.psycopg.AsyncRouter(pool, schema=SCHEMA)
                    for _ in range(2):
                        assert (await router.resolve(NUMBER)).source == "database"
                    async with pool.connection() as connection:
                        assert connection.row_factory is settings.get("row_factory", connection.row_factory)
                with psycopg.connect(DATABASE, **settings) as connection:
                    router = lkroute.psycopg.Router(connection, schema=SCHEMA)
                    for _ in range(2):
                        assert router.resolve(NUMBER).source == "database"
                    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    class Record(asyncpg.Record):
        def __getattr__(self, name):
            return self[name]

    async def init(connection):
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(kind, encoder=repr, decoder=len, schema="pg_catalog")
        await connection.set_type_codec("uuid", encoder=str, decoder=hash, schema="pg_catalog")

    for settings in ({"record_class": Record}, {"init": init}, {"statement_cache_size": 0}, {"max_queries": 1}):
        async with asyncpg.create_pool(DATABASE, min_size=1, max_size=1, **settings) as pool:
            router = lkroute.asyncpg.Router(pool, schema=SCHEMA)
            for _ in range(3):
                assert (await router.resolve(NUMBER, tenant="sasya")).source == "database"


async def encodings():
    """psycopg gives bytes where the encoding of a connection is SQL_ASCII."""
    with psycopg.connect(DATABASE, autocommit=True) as owner:
        owner.execute(f"UPDATE {SCHEMA}.voice_agent_numbers SET provider = 'Zürich'")
        for encoding in ("SQL_ASCII", "LATIN1", "UTF8"):
            with psycopg.connect(DATABASE, client_encoding=encoding) as connection:
                route = lkroute.psycopg.Router(connection, schema=SCHEMA).resolve(NUMBER)
                assert route.carrier == "Zürich", (encoding, route.carrier)
            async with await psycopg.AsyncConnection.connect(DATABASE, client_encoding=encoding) as connection:
                route = await lkroute.psycopg.AsyncRouter(connection, schema=SCHEMA).resolve(NUMBER)
                assert route.carrier == "Zürich", (encoding, route.carrier)
        # A text that the connection's encoding does not have.
        owner.execute(f"UPDATE {SCHEMA}.voice_agent_numbers SET provider = 'आशा'")
        with psycopg.connect(DATABASE, client_encoding="LATIN1") as connection:
            try:
                lkroute.psycopg.Router(connection, schema=SCHEMA).resolve(NUMBER)
            except lkroute.LookupFailed as error:
                assert "LATIN1" in error.message, error
            else:
                raise AssertionError("resolved")


async def states():
    """Whatever state a connection is in, a look-up ends in an answer or in one error,
    and the connection is as it was."""
    with psycopg.connect(DATABASE) as connection:
        router = lkroute.psycopg.Router(connection, schema=SCHEMA)
        with connection.pipeline():
            assert router.resolve(NUMBER).source == "database"
        connection.rollback()
        with connection.transaction():
            assert router.resolve(NUMBER).source == "database"
        try:
            connection.execute("SELECT 1/0")
        except psycopg.errors.DivisionByZero:
            pass
        failed(lambda: router.resolve(NUMBER))
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    connection = await asyncpg.connect(DATABASE)
    router = lkroute.asyncpg.Router(connection, schema=SCHEMA)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SELECT 1/0")
    except asyncpg.DivisionByZeroError:
        pass
    await failed_async(router.resolve(NUMBER))
    await transaction.rollback()
    assert (await router.resolve(NUMBER)).source == "database"
    # Two at once on a connection that can only do one.
    ends = await asyncio.gather(router.resolve(NUMBER), router.resolve(NUMBER), return_exceptions=True)
    assert all(isinstance(end, (lkroute.Route, lkroute.LookupFailed)) for end in ends), ends
    await connection.close()
    # No server is a standby.
    pool = asyncpg.create_pool(DATABASE, min_size=0, max_size=1, target_session_attrs="standby")
    async with pool:
        await failed_async(lkroute.asyncpg.Router(pool, schema=SCHEMA).resolve(NUMBER))
    unready = asyncpg.create_pool(DATABASE, min_size=0, max_size=1)
    await failed_async(lkroute.asyncpg.Router(unready, schema=SCHEMA).resolve(NUMBER))


async def shared():
    """psycopg lets tasks and threads share a connection. No transaction is left open on
    it, and none of ours is taken for one of the caller's."""
    idle = psycopg.pq.TransactionStatus.IDLE
    with psycopg.connect(DATABASE, autocommit=True) as owner:
        # A server that nobody approved: no call gets further than that.
        owner.execute(f"UPDATE {SCHEMA}.voice_agent_livekit SET livekit_url = 'http://127.0.0.1:9'")

    def name(end):
        return type(end).__name__ if isinstance(end, Exception) else "Route"

    for autocommit in (True, False):
        async with await psycopg.AsyncConnection.connect(DATABASE, autocommit=autocommit) as connection:
            router = lkroute.psycopg.AsyncRouter(connection, schema=SCHEMA)
            calls = [router.resolve(NUMBER) for _ in range(20)]
            calls += [router.dispatch(NUMBER, to="0501234567", idempotency_key=f"k{ix}") for ix in range(20)]
            calls += [connection.execute("SELECT pg_sleep(0.01)")] if autocommit else []
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert {name(end) for end in ends[:40]} == {"Route", "UntrustedServer"}, ends
            assert connection.info.transaction_status == idle
            # Within one of the caller's, no call is recorded.
            async with connection.transaction():
                assert (await router.resolve(NUMBER)).source == "database"
                end = (await asyncio.gather(router.dispatch(NUMBER, to="0501234567", idempotency_key="k"), return_exceptions=True))[0]
                assert isinstance(end, lkroute.UsageError) and "transaction of yours" in str(end), end
        with psycopg.connect(DATABASE, autocommit=autocommit) as connection:
            router = lkroute.psycopg.Router(connection, schema=SCHEMA)

            def ask(ix):
                try:
                    if ix % 2:
                        return router.resolve(NUMBER)
                    return router.dispatch(NUMBER, to="0501234567", idempotency_key=f"k{ix}")
                except Exception as error:
                    return error

            with ThreadPoolExecutor(8) as threads:
                ends = list(threads.map(ask, range(60)))
            assert {name(end) for end in ends} == {"Route", "UntrustedServer"}, ends
            assert connection.info.transaction_status == idle


async def paths():
    """A file of SQLite by any name is the file that is opened."""
    with tempfile.TemporaryDirectory() as there:
        for path in (os.path.join(there, "gone.db"), there):
            try:
                lkroute.sqlite.Router(path).resolve(NUMBER)
            except lkroute.LookupFailed as error:
                assert f"'{path}' is no file" in error.message, error.message
            else:
                raise AssertionError("resolved")
        for name in ("plain.db", "a?mode=memory#x.db", "\u00fc %41.db", "odd-\udcff.db"):
            path = os.path.join(there, name)
            with open(path, "wb"):
                pass
            for spelled in (path, os.fsencode(path), pathlib.Path(path), "/" + path, os.path.relpath(path)):
                try:
                    lkroute.sqlite.Router(spelled).resolve(NUMBER)
                except lkroute.LookupFailed as error:
                    assert "no such table" in error.message, (spelled, error.message)
                else:
                    raise AssertionError("resolved")


def failed(call):
    try:
        found = call()
    except lkroute.LookupFailed:
        return
    raise AssertionError(found)


async def failed_async(awaited):
    try:
        found = await awaited
    except lkroute.LookupFailed:
        return
    raise AssertionError(found)


asyncio.run(globals()[sys.argv[1]]())
print("all well")
