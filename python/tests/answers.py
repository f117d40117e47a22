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


async def answer_all(asked, make):
    environ = {}
    router = make(environ)
    for query in asked["queries"]:
        environ.clear()
        environ.update(query.get("env", {}), LKROUTE_KEYS=asked["keys"])
        named = {
            key: query[key]
            for key in ("tenant", "initiated_by", "to", "agent_id", "strict")
            if key in query
        }
        route = error = None
        try:
            route = router.resolve(query["from"], **named)
            if inspect.isawaitable(route):
                route = await route
        except lkroute.Error as raised:
            error, route = raised, None
        print(json.dumps(as_report(query, route, error)))


async def main():
    asked = json.load(sys.stdin)
    driver, database, schema = asked["driver"], asked["database"], asked["schema"]
    if driver == "sqlite":
        from lkroute.sqlite import Router

        await answer_all(asked, lambda environ: Router(database, keys=asked["keys"], environ=environ))
    elif driver == "asyncpg":
        import asyncpg

        from lkroute.asyncpg import Router

        async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
            await answer_all(
                asked, lambda environ: Router(pool, schema=schema, keys=asked["keys"], environ=environ)
            )
    elif driver == "psycopg":
        import psycopg

        from lkroute.psycopg import Router

        with psycopg.connect(database) as connection:
            await answer_all(
                asked, lambda environ: Router(connection, schema=schema, keys=asked["keys"], environ=environ)
            )
    else:
        import psycopg

        from lkroute.psycopg import AsyncRouter

        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            await answer_all(
                asked,
                lambda environ: AsyncRouter(connection, schema=schema, keys=asked["keys"], environ=environ),
            )


asyncio.run(main())
