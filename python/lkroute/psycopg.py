"""Routers on psycopg 3: a pool, or a connection of the caller's, also within a
transaction. Sync and async.

``pool`` is a psycopg pool (anything with ``connection()``) or a connection; the
router never closes it and sets nothing on it.  On a connection with autocommit a
look-up is one round trip; else psycopg adds its ``BEGIN`` and ``COMMIT``.  A
transaction of yours is neither ended nor changed.

The other settings are those of :class:`lkroute.asyncpg.Router`.
"""

from __future__ import annotations

import time
from typing import Any, Optional

import psycopg
from psycopg import AsyncRawCursor, RawCursor
from psycopg.pq import TransactionStatus

from . import _postgres
from ._router import Values
from ._watch import Watch


class _Psycopg(_postgres._Driver):
    _failures = (psycopg.Error, OSError, RuntimeError)

    def _in_transaction(self, database: Any) -> bool:
        # A pool lends connections that are idle.
        return hasattr(database, "pgconn") and _has_transaction(database)


class Router(_Psycopg, _postgres.SyncRouter):
    """Where calls go, by the tables of a PostgreSQL schema, on a pool or
    connection that blocks.

    >>> from lkroute.psycopg import Router
    >>> router = Router(connection, schema="lad_dev")
    >>> router.resolve("+971545335200").worker_name
    'voag-staging'
    """

    async def _fetch(self, database: Any, statement: str, values: Values) -> Optional[str]:
        if isinstance(database, psycopg.Connection):
            return self._ask(database, statement, values, self._timeout)
        if self._timeout is None or not hasattr(database, "timeout"):
            with database.connection() as connection:
                return self._ask(connection, statement, values, self._timeout)
        until = time.monotonic() + self._timeout
        with database.connection(timeout=self._timeout) as connection:
            return self._ask(connection, statement, values, until - time.monotonic())

    def _ask(
        self,
        connection: "psycopg.Connection[Any]",
        statement: str,
        values: Values,
        limit: Optional[float],
    ) -> Optional[str]:
        with Watch(connection, limit):
            if _is_ready(connection):
                return _read(connection, statement, values)
            with connection.transaction():
                return _read(connection, statement, values)


class AsyncRouter(_Psycopg, _postgres.AsyncRouter):
    """The same on psycopg's async pool or connection."""

    async def _fetch(self, database: Any, statement: str, values: Values) -> Optional[str]:
        if isinstance(database, psycopg.AsyncConnection):
            return await self._ask(database, statement, values)
        async with database.connection() as connection:
            return await self._ask(connection, statement, values)

    async def _ask(
        self, connection: "psycopg.AsyncConnection[Any]", statement: str, values: Values
    ) -> Optional[str]:
        if _is_ready(connection):
            return await _read_async(connection, statement, values)
        async with connection.transaction():
            return await _read_async(connection, statement, values)


def _is_ready(connection: Any) -> bool:
    """Else psycopg would begin a transaction by itself, and leave it open."""
    return bool(connection.autocommit) or _has_transaction(connection)


def _has_transaction(connection: Any) -> bool:
    # A connection that is closed has none.
    return connection.pgconn.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)


def _read(connection: "psycopg.Connection[Any]", statement: str, values: Values) -> Optional[str]:
    with RawCursor(connection) as cursor:
        row = cursor.execute(statement, values or None).fetchone()
    return row[0] if row else None


async def _read_async(
    connection: "psycopg.AsyncConnection[Any]", statement: str, values: Values
) -> Optional[str]:
    async with AsyncRawCursor(connection) as cursor:
        await cursor.execute(statement, values or None)
        row = await cursor.fetchone()
    return row[0] if row else None
