"""A service that has its types checked: what is found of the package's is what it says.
Never run; `mypy --strict` reads it, with the wheel installed."""

from typing import Any, Optional
from uuid import UUID

from typing_extensions import assert_type

import lkroute
import lkroute.asyncpg
import lkroute.psycopg
import lkroute.sqlite

TENANT = UUID("734cd516-e252-4728-9c52-4663ee552653")


async def awaited(pool: Any, environ: "dict[str, str]") -> None:
    for router in (lkroute.asyncpg.Router(pool, schema="lad_dev"), lkroute.psycopg.AsyncRouter(pool, timeout=None)):
        route = await router.resolve("+919513456728", tenant=TENANT, to="+918384012345", connection=pool)
        assert_type(route, lkroute.Route)
        call = await router.dispatch("+919513456728", to="+918384012345", idempotency_key="order-1", sip=True)
        assert_type(call, lkroute.Call)
    lkroute.asyncpg.Router(pool, keys="demo:x", environment="prod", strict=True, environ=environ)
    assert_type(route.api_secret, str)
    assert_type(route.region, Optional[str])
    assert_type(route.to, Optional[lkroute.CalledNumber])
    assert_type(route.trace, "list[tuple[str, str, str]]")
    request = route.call(agent_id=33, metadata={"tries": 3}, initiated_by=TENANT)
    assert_type(request, lkroute.CallRequest)
    assert_type(request.metadata, str)
    resolve = lkroute.compare(awaited, router)
    assert_type(resolve, lkroute.Shadow)
    assert_type(resolve.report(), str)


def blocking(connection: Any) -> None:
    for router in (lkroute.psycopg.Router(connection), lkroute.sqlite.Router("lkroute.db")):
        assert_type(router.resolve("+919513456728", tenant="sasya", strict=True), lkroute.Route)
        try:
            assert_type(router.dispatch("+919513456728", to="+918384012345"), lkroute.Call)
        except lkroute.CallError as error:
            assert_type(error.code, str)
            assert_type(error.hint, Optional[str])
            assert_type(error.call, Optional[lkroute.Call])


def wrong(connection: Any) -> None:
    """What is no argument of theirs is found, of a router that blocks too."""
    lkroute.psycopg.Router(connection).resolve("+919513456728", tenat="sasya")  # type: ignore[call-arg]
    lkroute.psycopg.Router(connection).resolve(919513456728)  # type: ignore[arg-type]
    lkroute.sqlite.Router("lkroute.db").dispatch("+919513456728")  # type: ignore[call-arg]
    lkroute.Rote  # type: ignore[attr-defined]
