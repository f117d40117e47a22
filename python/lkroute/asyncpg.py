"""Routers on asyncpg: a pool, or a connection of the caller's, also within a
transaction."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Optional

import asyncpg

from . import _watch
from ._postgres import AsyncRouter, refuse_transaction
from ._router import Values


class Router(AsyncRouter):
    """Where calls go, by the tables of a PostgreSQL schema.

    ``pool`` is an asyncpg pool or connection; the router never closes it, sets
    nothing on it, and sends one prepared statement a call.  Behind a pooler in
    transaction mode make the pool with ``statement_cache_size=0``, as asyncpg
    wants it there.

    ``schema``: else ``LKROUTE_SCHEMA``, else ``public``.  ``keys``: the text of
    a key ring, else found as the command finds them.  ``environment``: the one
    that the database has to be stamped with.  ``strict``: credentials from the
    environment are an error.  ``timeout``: seconds for a look-up, the wait for a
    connection and for locks among them; ``None`` for no limit.  ``environ``: in
    place of ``os.environ``.
    """

    # A RuntimeError is raised where a pool is of another loop; before Python 3.11 a
    # TimeoutError of asyncio is no OSError.
    _failures = (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        # No server of a kind that is asked for, or a connection in disorder.
        asyncpg.InternalClientError,
        OSError,
        RuntimeError,
        asyncio.TimeoutError,
    )

    async def _fetch(
        self, database: Any, statement: str, values: Values, *, alone: bool = False
    ) -> Optional[str]:
        if alone and self._in_transaction(database):
            raise refuse_transaction()
        # asyncpg itself would send it, and wait for ever for some of it.
        if getattr(database, "_loop", None) not in (None, asyncio.get_running_loop()):
            raise RuntimeError("the pool or connection belongs to another event loop")
        if not isinstance(database, asyncpg.Pool):
            return await database.fetchval(statement, *values)  # type: ignore[no-any-return]
        connection = await database.acquire()
        limit = None
        try:
            return await connection.fetchval(statement, *values)  # type: ignore[no-any-return]
        except BaseException:
            # For ever, otherwise, where the server is silent.
            limit = _watch.GRACE
            raise
        finally:
            await _give_back(database, connection, limit)

    _wanted = "asyncpg"

    def _is_asked(self, database: Any) -> bool:
        return hasattr(database, "fetchval")

    def _in_transaction(self, database: Any) -> bool:
        asked = getattr(database, "is_in_transaction", None)
        return bool(asked and asked())


async def _give_back(pool: Any, connection: Any, timeout: Optional[float]) -> None:
    """What was found counts, or how it ended: not that the pool was closed meanwhile."""
    try:
        await pool.release(connection, timeout=timeout)
    except asyncio.CancelledError:
        # The pool may be resetting it still, and the server be silent; or it is back.
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__qualname__", "") == "PoolConnectionHolder.release":
                # Nobody else asks how it ended.
                task.add_done_callback(lambda task: task.cancelled() or task.exception())
        with suppress(Exception):
            connection.terminate()
        raise
    except Exception:
        pass
