"""Answers the queries of the conformance table, as `lkroute resolve --format
json` does. Reads what to ask as JSON from its input."""

import asyncio
import inspect
import json
import sys
import warnings

import lkroute

warnings.simplefilter("error")


def as_report(query, route, error):
    if route is not None:
        return json.loads(route.report())
    if not error.trace:
        return {"message": error.message, "hint": error.hint}
    return {
        "error": {"exit": error.exit, "code": error.code, "message": error.message, "hint": error.hint},
        "trace": [step._asdict() for step in error.trace],
    }


# What a router reads when it is made.
AT_START = ("LKROUTE_KEYS", "LKROUTE_FERNET_KEYS", "LIVEKIT_SECRET_ENCRYPTION_KEY", "LKROUTE_ENV")


async def answer_all(asked, make):
    environ = {"LKROUTE_KEYS": asked["keys"]}
    usual = make(environ)

    async def report_of(query):
        environ.clear()
        environ.update({"LKROUTE_KEYS": asked["keys"], **query.get("env", {})})
        named = {
            key: query[key]
            for key in ("tenant", "initiated_by", "to", "agent_id", "strict")
            if key in query
        }
        route = error = None
        try:
            router = make(environ) if any(name in query.get("env", {}) for name in AT_START) else usual
            route = router.resolve(query["from"], **named)
            if inspect.isawaitable(route):
                route = await route
            if query.get("sign"):
                route.api_secret
        except lkroute.Error as raised:
            error, route = raised, None
        if query.get("sign"):
            return {"exit": error.exit, "message": error.message} if error else {"signs": True}
        return as_report(query, route, error)

    reports = [await report_of(query) for query in asked["queries"]]
    # What was asked before changes no answer.
    for query, report in zip(reversed(asked["queries"]), reversed(reports)):
        assert await report_of(query) == report, query
    for report in reports:
        print(json.dumps(report))


async def main():
    asked = json.load(sys.stdin)
    driver, database, schema = asked["driver"], asked["database"], asked["schema"]
    if driver == "sqlite":
        from lkroute.sqlite import Router

        await answer_all(asked, lambda environ: Router(database, environ=environ))
    elif driver == "asyncpg":
        import asyncpg

        from lkroute.asyncpg import Router

        async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
            await answer_all(
                asked, lambda environ: Router(pool, schema=schema, environ=environ)
            )
    elif driver == "psycopg":
        import psycopg

        from lkroute.psycopg import Router

        with psycopg.connect(database) as connection:
            await answer_all(
                asked, lambda environ: Router(connection, schema=schema, environ=environ)
            )
    else:
        import psycopg

        from lkroute.psycopg import AsyncRouter

        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            await answer_all(
                asked,
                lambda environ: AsyncRouter(connection, schema=schema, environ=environ),
            )


asyncio.run(main())
