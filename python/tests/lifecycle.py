"""Secrets that stay inside, cancellation, fork, threads, many loops, a
transaction of the caller's: `lifecycle.py DATABASE SCHEMA NUMBER SECRET`."""

import asyncio
import copy
import io
import json
import logging
import os
import pickle
import sys
import threading
import traceback

import asyncpg
import psycopg

import lkroute
from lkroute.asyncpg import Router
from lkroute.psycopg import Router as SyncRouter

DATABASE, SCHEMA, NUMBER, SECRET = sys.argv[1:]

LOG = io.StringIO()
logging.basicConfig(stream=LOG, level=logging.DEBUG)


async def secrets_stay_inside(pool):
    route = await Router(pool, schema=SCHEMA).resolve(NUMBER)
    assert route.api_secret == SECRET
    shown = [repr(route), str(route), f"{route}", route.explain(), route.report(), str(route.trace)]
    shown.append(str([getattr(route, name) for name in dir(route) if name != "api_secret"]))
    request = route.call(metadata={"tries": 3}) if route.to else None
    shown.append(repr(request))
    for refuses in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        try:
            refuses(route)
        except TypeError as error:
            shown.append(str(error))
        else:
            raise AssertionError(f"{refuses} took it")
    try:
        raise ValueError(route)
    except ValueError:
        shown.append(traceback.format_exc())
    text = "\n".join(shown) + LOG.getvalue()
    assert SECRET not in text, text
    # An error is a value that may travel: with all it says, and no secret.
    try:
        await Router(pool, schema=SCHEMA).resolve("+12025559999")
    except lkroute.Unresolved as error:
        again = pickle.loads(pickle.dumps(error))
        assert (again.code, again.hint, again.trace) == (error.code, error.hint, error.trace)
        assert error.code == "no-credentials" and error.trace, error.code
    else:
        raise AssertionError("resolved")


async def the_request_is_the_commands(pool):
    router = Router(pool, schema=SCHEMA)
    route = await router.resolve(NUMBER, to="0501234567")
    request = route.call(agent_id=33, metadata={"tries": 3})
    sent = json.loads(request.metadata)
    assert sent["job_id"] == request.job_id and sent["tries"] == 3 and sent["agent_id"] == 33
    assert sent["phone_number"] == route.to.formatted == request.formatted
    assert request.room.startswith("call-" + request.job_id.replace("-", "")), request.room
    assert route.call().room != request.room
    for reserved in ("job_id", "from_number"):
        try:
            route.call(metadata={reserved: "mine"})
        except lkroute.UsageError as error:
            assert reserved in error.message
        else:
            raise AssertionError("taken")


async def it_explains_as_the_command_does(pool):
    route = await Router(pool, schema=SCHEMA).resolve(NUMBER, to="0501234567")
    assert route.explain().split() == os.environ["EXPLAINED"].split(), route.explain()
    assert "\x1b" not in route.explain()


async def a_look_up_is_one_statement(pool):
    router = Router(pool, schema=SCHEMA)
    await router.resolve(NUMBER)
    sent = []
    async with pool.acquire() as connection:
        with connection.query_logger(sent.append):
            for tenant in (None, "sasya"):
                await router.resolve(NUMBER, tenant=tenant, to="0501234567", connection=connection)
    assert len(sent) == 2 and sent[0].query == sent[1].query, sent


async def a_cancelled_look_up_leaves_the_pool_whole(pool):
    router = Router(pool, schema=SCHEMA)
    await router.resolve(NUMBER)
    for pause in (0, 0.0002, 0.001):
        tasks = [asyncio.create_task(router.resolve(NUMBER)) for _ in range(20)]
        await asyncio.sleep(pause)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, (lkroute.Route, asyncio.CancelledError)) for end in ended), ended
    routes = await asyncio.gather(*(router.resolve(NUMBER) for _ in range(50)))
    assert len({route.url for route in routes}) == 1


async def a_transaction_of_the_callers_is_left_alone(pool):
    router = Router(pool, schema=SCHEMA)
    async with pool.acquire() as connection:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute(
                f"UPDATE {SCHEMA}.voice_agent_livekit SET worker_name = 'mine' WHERE true"
            )
            before = await connection.fetch("SELECT name, setting FROM pg_settings ORDER BY 1")
            route = await router.resolve(NUMBER, connection=connection)
            assert route.worker_name == "mine", "it sees what the transaction wrote"
            after = await connection.fetch("SELECT name, setting FROM pg_settings ORDER BY 1")
            changed = set(map(tuple, after)) - set(map(tuple, before))
            assert not changed, f"a setting was changed: {changed}"
            raise_rollback = asyncpg.PostgresError
            try:
                async with connection.transaction():
                    raise raise_rollback("undone")
            except raise_rollback:
                pass
            await connection.execute(f"UPDATE {SCHEMA}.voice_agent_livekit SET worker_name = worker_name")
            assert connection.is_in_transaction()
            await connection.execute("ROLLBACK")
            await connection.execute("BEGIN")
    with psycopg.connect(DATABASE) as plain:
        assert SyncRouter(plain, schema=SCHEMA).resolve(NUMBER).worker_name != "mine"
        assert plain.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        plain.execute("SELECT 1")
        SyncRouter(plain, schema=SCHEMA).resolve(NUMBER)
        assert plain.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


async def flag_off_asks_nothing():
    class NoDatabase:
        def fetchval(self, *_, **__):
            raise AssertionError("asked")

    environ = {
        "USE_SELFHOST_ROUTING_TABLE": "false",
        "LIVEKIT_URL": "wss://shell.example",
        "LIVEKIT_API_KEY": "shell-key",
        "LIVEKIT_API_SECRET": "shell-secret",
        "OUTBOUND_TRUNK_ID": "ST_shell",
    }
    route = await Router(NoDatabase(), environ=environ).resolve(NUMBER)
    assert (route.source, route.url, route.api_secret) == ("environment", "wss://shell.example", "shell-secret")
    try:
        await Router(NoDatabase(), environ=environ, strict=True).resolve(NUMBER)
    except lkroute.EnvironmentRefused:
        pass
    else:
        raise AssertionError("not strict")


async def another_environment_is_refused(pool):
    await pool.execute(f"UPDATE {SCHEMA}.lkroute_state SET environment = 'prod'")
    assert (await Router(pool, schema=SCHEMA).resolve(NUMBER)).environment == "prod"
    assert (await Router(pool, schema=SCHEMA, environment="prod").resolve(NUMBER)).source == "database"
    try:
        await Router(pool, schema=SCHEMA, environment="other").resolve(NUMBER)
    except lkroute.WrongDatabase as error:
        assert error.exit == 6, error.exit
    else:
        raise AssertionError("the stamp was not looked at")
    try:
        await Router(pool, schema="no_such_schema").resolve(NUMBER)
    except lkroute.LookupFailed as error:
        assert "does not exist" in error.message, error.message
    else:
        raise AssertionError("resolved")


async def a_server_that_is_not_approved_gets_no_secret(pool):
    router = Router(pool, schema=SCHEMA)
    async with pool.acquire() as connection:
        was = await connection.fetchval(
            f"SELECT livekit_url FROM {SCHEMA}.voice_agent_livekit WHERE name = 'uae-vm-selfhosted'"
        )
        change = f"UPDATE {SCHEMA}.voice_agent_livekit SET livekit_url = $1 WHERE name = 'uae-vm-selfhosted'"
        await connection.execute(change, "wss://elsewhere.example")
        try:
            route = await router.resolve(NUMBER)
            assert route.url == "wss://elsewhere.example"
            try:
                route.api_secret
            except lkroute.UntrustedServer as error:
                assert "elsewhere.example" in error.message and error.exit == 6
                assert SECRET not in str(error)
            else:
                raise AssertionError("given")
        finally:
            await connection.execute(change, was)


async def a_column_that_comes_later_is_seen(pool):
    router = Router(pool, schema=SCHEMA)
    was = (await router.resolve(NUMBER)).worker_name
    rename = f"ALTER TABLE {SCHEMA}.voice_agent_livekit RENAME "
    await pool.execute(rename + "worker_name TO kept")
    assert (await router.resolve(NUMBER)).worker_name == "inbound-agent"
    await pool.execute(rename + "kept TO worker_name")
    assert (await router.resolve(NUMBER)).worker_name == was
    await pool.execute(f"ALTER TABLE {SCHEMA}.voice_agent_numbers ALTER base_number TYPE numeric")
    assert (await router.resolve(NUMBER)).worker_name == was


def threads_and_loops():
    urls = []

    def asks():
        async def once():
            async with asyncpg.create_pool(DATABASE, min_size=1, max_size=2) as pool:
                router = Router(pool, schema=SCHEMA)
                found = await asyncio.gather(*(router.resolve(NUMBER) for _ in range(10)))
                urls.extend(route.url for route in found)

        for _ in range(2):
            asyncio.run(once())

    threads = [threading.Thread(target=asks) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(urls) == 120 and len(set(urls)) == 1, len(urls)


def after_a_fork():
    child = os.fork()
    if child == 0:
        try:
            with psycopg.connect(DATABASE, autocommit=True) as connection:
                route = SyncRouter(connection, schema=SCHEMA).resolve(NUMBER, to="0501234567")
            os._exit(0 if route.api_secret == SECRET else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status


async def main():
    async with asyncpg.create_pool(DATABASE, min_size=1, max_size=4) as pool:
        await secrets_stay_inside(pool)
        await the_request_is_the_commands(pool)
        await it_explains_as_the_command_does(pool)
        await a_look_up_is_one_statement(pool)
        await a_cancelled_look_up_leaves_the_pool_whole(pool)
        await a_transaction_of_the_callers_is_left_alone(pool)
        await flag_off_asks_nothing()
        await another_environment_is_refused(pool)
        await a_server_that_is_not_approved_gets_no_secret(pool)
        await a_column_that_comes_later_is_seen(pool)


asyncio.run(main())
threads_and_loops()
after_a_fork()
assert SECRET not in LOG.getvalue()
print("all well")
