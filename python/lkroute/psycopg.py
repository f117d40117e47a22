"""Routers on psycopg 3: a pool, or a connection of the caller's, also within a
transaction. Sync and async.

``pool`` is a psycopg pool (anything with ``connection()``) or a connection; the
router never closes it and sets nothing on it.  On a connection with autocommit a
look-up is one round trip; else psycopg adds its ``BEGIN`` and ``COMMIT``.  A
transaction of yours is neither ended nor changed.

The other settings are those of :class:`lkroute.asyncpg.Router`.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from typing import Any, Optional
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncRawCursor, RawCursor
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from . import _postgres, _watch
from ._router import Values
from ._watch import Watch


#: Whether a cancel has a time limit. With libpq before 17 it has none, and may hold the
#: whole process where the server is silent: the connection is cut instead.
_CAN_CANCEL = psycopg.capabilities.has_cancel_safe()

#: Seconds before the router's limit, at which psycopg would cancel.
_EARLIER = 0.05


class _Psycopg(_postgres._Driver):
    _failures = (psycopg.Error, OSError, RuntimeError)

    def _in_transaction(self, database: Any) -> bool:
        # A pool lends connections that are idle.
        return hasattr(database, "pgconn") and _has_transaction(database)


def _is_pool(database: Any, *, awaited: bool) -> bool:
    lend = getattr(database, "getconn", None)
    of_this_kind = lend is None or inspect.iscoroutinefunction(lend) == awaited
    return hasattr(database, "connection") and of_this_kind


class Router(_Psycopg, _postgres.SyncRouter):
    """Where calls go, by the tables of a PostgreSQL schema, on a pool or
    connection that blocks.

    >>> from lkroute.psycopg import Router
    >>> router = Router(connection, schema="lad_dev")
    >>> router.resolve("+971545335200").worker_name
    'voag-staging'
    """

    _wanted = "psycopg that blocks"

    def _is_asked(self, database: Any) -> bool:
        return isinstance(database, psycopg.Connection) or _is_pool(database, awaited=False)

    async def _fetch(
        self, database: Any, statement: str, values: Values, *, alone: bool = False
    ) -> Optional[str]:
        limit = self._timeout
        until = None if limit is None else time.monotonic() + limit
        if isinstance(database, psycopg.Connection):
            # Threads may share it.
            turn = _turns.setdefault(database, threading.Lock())
            _acquire(turn, until)
            try:
                # No statement of the caller's is under way.
                _acquire(database.lock, until)
                has_transaction = _has_transaction(database)
                database.lock.release()
                if alone and has_transaction:
                    raise _postgres.refuse_transaction()
                return self._ask(database, statement, values, until, has_transaction)
            finally:
                turn.release()
        timeout = {} if limit is None or not hasattr(database, "timeout") else {"timeout": limit}
        with database.connection(**timeout) as connection:
            return self._ask(connection, statement, values, until, False)

    def _ask(
        self,
        connection: "psycopg.Connection[Any]",
        statement: str,
        values: Values,
        until: Optional[float],
        has_transaction: bool,
    ) -> Optional[str]:
        with Watch(connection, until, _CAN_CANCEL):
            if connection.autocommit or has_transaction:
                return _read(connection, statement, values)
            # psycopg would begin one by itself, and leave it open.
            with connection.transaction():
                return _read(connection, statement, values)


class AsyncRouter(_Psycopg, _postgres.AsyncRouter):
    """The same on psycopg's async pool or connection."""

    _wanted = "psycopg that is awaited"

    def _is_asked(self, database: Any) -> bool:
        return isinstance(database, psycopg.AsyncConnection) or _is_pool(database, awaited=True)

    async def _fetch(
        self, database: Any, statement: str, values: Values, *, alone: bool = False
    ) -> Optional[str]:
        loop = asyncio.get_running_loop()
        grace = _watch.GRACE if _CAN_CANCEL else -_EARLIER
        until = None if self._timeout is None else loop.time() + self._timeout + grace
        if isinstance(database, psycopg.AsyncConnection):
            # Tasks may share it.
            async with _turns.setdefault(database, asyncio.Lock()):
                async with database.lock:
                    has_transaction = _has_transaction(database)
                if alone and has_transaction:
                    raise _postgres.refuse_transaction()
                return await self._ask(database, statement, values, until, has_transaction)
        async with database.connection() as connection:
            return await self._ask(connection, statement, values, until, False)

    async def _ask(
        self,
        connection: "psycopg.AsyncConnection[Any]",
        statement: str,
        values: Values,
        until: Optional[float],
        has_transaction: bool,
    ) -> Optional[str]:
        # psycopg waits longer, or for ever, for a server that does not answer to a
        # cancel either.
        cut = until and asyncio.get_running_loop().call_at(until, _watch.cut, connection)
        try:
            if connection.autocommit or has_transaction:
                return await _read_async(connection, statement, values)
            async with connection.transaction():
                return await _read_async(connection, statement, values)
        except psycopg.Error as error:
            if isinstance(error.__context__, asyncio.CancelledError):
                # It broke while it was cancelled.
                raise error.__context__ from None
            if until and asyncio.get_running_loop().time() >= until:
                raise _watch.OutOfTime from None
            raise
        finally:
            if cut:
                cut.cancel()


#: Whose turn it is on a connection that is no pool's.
_turns: "WeakKeyDictionary[Any, Any]" = WeakKeyDictionary()


def _acquire(lock: threading.Lock, until: Optional[float]) -> None:
    if not lock.acquire(timeout=-1 if until is None else max(until - time.monotonic(), 0)):
        raise _watch.OutOfTime


def _has_transaction(connection: Any) -> bool:
    # A connection that is closed has none.
    return connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)


def _read(connection: "psycopg.Connection[Any]", statement: str, values: Values) -> Optional[str]:
    # Rows of the connection's own kind are the caller's.
    with RawCursor(connection, row_factory=tuple_row) as cursor:
        return _text(cursor.execute(statement, values or None).fetchone())


async def _read_async(
    connection: "psycopg.AsyncConnection[Any]", statement: str, values: Values
) -> Optional[str]:
    async with AsyncRawCursor(connection, row_factory=tuple_row) as cursor:
        await cursor.execute(statement, values or None)
        return _text(await cursor.fetchone())


def _text(row: "Optional[tuple[Any, ...]]") -> Optional[str]:
    text = row[0] if row else None
    if not isinstance(text, bytes):
        return text
    # psycopg reads none where the encoding is SQL_ASCII.
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise psycopg.DataError("the database gave a text that is not UTF-8") from None
