"""Runs the examples of the package's docstrings, `await` at the top and all, on
the database of DATABASE_URL with the sample applied. Prints how many there were."""

import ast
import asyncio
import doctest
import inspect
import io
import os
import sys
from contextlib import redirect_stdout

import asyncpg
import psycopg

import lkroute
import lkroute.asyncpg
import lkroute.errors
import lkroute.psycopg
import lkroute.sqlite


def documented():
    """Everything public, by its name."""
    seen = {}
    modules = (lkroute, lkroute.asyncpg, lkroute.psycopg, lkroute.sqlite, lkroute.errors)
    for module in modules:
        seen[module.__name__] = module
        for name, found in vars(module).items():
            if name.startswith("_") or not getattr(found, "__module__", "").startswith("lkroute"):
                continue
            seen[f"{module.__name__}.{name}"] = found
            if inspect.isclass(found):
                members = ((member, getattr(found, member)) for member in dir(found) if not member.startswith("_"))
                seen.update((f"{module.__name__}.{name}.{member}", value) for member, value in members)
    return seen


async def run_example(source, names):
    out = io.StringIO()
    compiled = compile(source, "the example", "single", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with redirect_stdout(out):
        done = eval(compiled, names)
        if inspect.isawaitable(done):
            await done
    return out.getvalue()


async def main():
    checker, parser, ran, seen = doctest.OutputChecker(), doctest.DocTestParser(), 0, set()
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=2) as pool:
        router = lkroute.asyncpg.Router(pool, schema=os.environ["LKROUTE_SCHEMA"])

        async def resolve_livekit(from_number):
            route = await router.resolve(from_number)
            return lkroute.LiveKitCredentials(
                route.url, route.api_key, route.api_secret, route.trunk_id, route.worker_name, route.source
            )

        for name, found in documented().items():
            text = inspect.getdoc(found) or ""
            if text in seen or ">>>" not in text:
                continue
            seen.add(text)
            names = {
                "lkroute": lkroute,
                "pool": pool,
                "router": router,
                "route": await router.resolve("+919513456728", tenant="techiemaya-test", to="+918384012345"),
                "resolve_livekit": resolve_livekit,
                "connection": psycopg.connect(os.environ["DATABASE_URL"], autocommit=True),
            }
            for example in parser.get_examples(text):
                given = await run_example(example.source, names)
                flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                if not checker.check_output(example.want, given, flags):
                    sys.exit(f"{name}\n{example.source}wanted {example.want}given {given}")
                ran += 1
            names["connection"].close()
    print(ran)


asyncio.run(main())
