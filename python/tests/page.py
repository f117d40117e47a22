"""Runs the blocks of docs/python.md: `page.py PAGE`, with the sample applied to
the database of DATABASE_URL. Prints the report of the shadow mode."""

import ast
import asyncio
import inspect
import logging
import os
import sys
import types

import lkroute


def blocks(page):
    parts = page.split("```python\n")[1:]
    return [part.split("```")[0] for part in parts]


async def run_block(code, names):
    """With `await` at the top, as in a notebook."""
    compiled = compile(code, "the page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    done = eval(compiled, names)
    if inspect.isawaitable(done):
        await done


def module(code):
    made = types.ModuleType("of_the_page")
    exec(compile(code, "the page", "exec"), made.__dict__)
    return made


async def main(path):
    with open(path, encoding="utf-8") as page:
        first, _placed, resolver, shadow = blocks(page.read())
    names = {"os": os}
    await run_block(first, names)
    assert names["route"].config_name == "india-techiemaya-cloud"
    assert names["route"].to.formatted == "08384012345", names["route"].to
    router, resolve_livekit = names["router"], module(resolver).resolve_livekit

    number, tenant = "+919513456728", "techiemaya-test"
    found = await resolve_livekit(router, number, tenant_id=tenant)
    assert found.source == "database" and found.api_secret not in repr(found)

    async def old(from_number, tenant_id=None):
        """A resolver that is right but for a worker, and for a number that
        several tenants have, of which it takes the first."""
        found = await resolve_livekit(router, number if tenant_id is None else from_number, tenant_id=tenant)
        if from_number == "+971545335200":
            found = await resolve_livekit(router, from_number)
            return lkroute.LiveKitCredentials(**{**found.__dict__, "worker_name": "voag-production"})
        return found

    logged = []

    class Handler(logging.Handler):
        def emit(self, record):
            logged.append(record.getMessage())

    logging.getLogger("lkroute.shadow").addHandler(Handler())
    resolve = module(shadow).in_shadow(old, router)
    for _ in range(4):
        assert (await resolve(number, tenant_id=tenant)).worker_name == "voag-dev"
    # The old one's answer is used, whatever lkroute says.
    assert (await resolve("+971545335200")).worker_name == "voag-production"
    assert (await resolve(number)).url == found.url
    await resolve.settled()
    assert resolve.calls == 6 and resolve.counts["worker"] == 1, resolve.counts
    assert any("voag-production -> voag-staging" in line for line in logged), logged
    assert all(found.api_secret not in line for line in logged), logged

    # What lkroute does never reaches the caller: not an error, not a hang.
    class Broken:
        def __init__(self, how):
            self.how = how

        async def resolve(self, *_, **__):
            return await self.how()

    async def breaks():
        raise RuntimeError(found.api_secret)

    for how in (breaks, lambda: asyncio.sleep(3600)):
        beside = lkroute.compare(old, Broken(how), question=lambda *_, **__: {}, timeout=0.05)
        assert await beside(number, tenant_id=tenant) == found
        await beside.settled()
        assert sum(beside.counts.values()) == 1 and not beside.counts["same"], beside.counts
    assert all(found.api_secret not in line for line in logged), logged
    print(resolve.report(), end="")
    await names["pool"].close()


asyncio.run(main(sys.argv[1]))
