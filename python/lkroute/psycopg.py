"""Routers on psycopg 3: a pool, or a connection of the caller's, also within a
transaction. Sync and async."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import Any, AsyncIterator, Iterator, Mapping, Optional
from uuid import UUID

import psycopg
from psycopg import AsyncRawCursor, RawCursor
from psycopg.pq import TransactionStatus

from . import _core
from ._core import Question, Route
from ._calls import BlockingDispatchingRouter, DispatchingRouter, not_recorded
from ._router import SchemaRouter, TablesChanged, Values, is_of_shape, run, run_async
from .errors import UsageError


class Router(BlockingDispatchingRouter, SchemaRouter):
    """Where calls go, by the tables of a PostgreSQL schema.

    ``pool`` is a psycopg pool (anything with ``connection()``) or a connection;
    the router never closes it and sets nothing on it.  On a connection with
    autocommit a look-up is one round trip; else psycopg adds its ``BEGIN`` and
    ``COMMIT``.  A transaction of yours is neither ended nor changed.

    The other settings are those of :class:`lkroute.asyncpg.Router`.
    """

    def __init__(
        self,
        pool: Any,
        *,
        schema: Optional[str] = None,
        keys: Optional[str] = None,
        environment: Optional[str] = None,
        strict: bool = False,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(
            schema=schema, keys=keys, environment=environment, strict=strict, environ=environ
        )
        self._pool = pool

    def resolve(
        self,
        from_number: str,
        *,
        tenant: Optional[str | UUID] = None,
        initiated_by: Optional[str | UUID] = None,
        to: Optional[str] = None,
        agent_id: Optional[int] = None,
        strict: Optional[bool] = None,
        connection: Optional["psycopg.Connection[Any]"] = None,
    ) -> Route:
        """Where a call from ``from_number`` goes: see
        :meth:`lkroute.asyncpg.Router.resolve`."""
        question = self._question(from_number, tenant, initiated_by, to, agent_id, strict)
        return run(
            self._steps(question),
            lambda statement, values: self._send(connection, question, statement, values),
        )

    def _resolve(self, question: Question) -> Route:
        return run(
            self._steps(question),
            lambda statement, values: self._send(None, question, statement, values),
        )

    def _execute(self, statement: str, value: str) -> Optional[str]:
        try:
            with _borrowed(self._pool) as borrowed:
                if _in_transaction(borrowed):
                    # It would not be there when the process dies.
                    raise UsageError("dispatch can't record a call within a transaction of yours")
                with _own_transaction(borrowed), RawCursor(borrowed) as cursor:
                    row = cursor.execute(statement, [value]).fetchone()
                return row[0] if row else None
        except psycopg.Error as error:
            raise not_recorded(error) from error

    def _send(
        self,
        connection: Optional["psycopg.Connection[Any]"],
        question: Question,
        statement: str,
        values: Values,
    ) -> str:
        try:
            with _borrowed(self._pool if connection is None else connection) as borrowed:
                within = _in_transaction(borrowed)
                with _own_transaction(borrowed), RawCursor(borrowed) as cursor:
                    try:
                        row = cursor.execute(statement, values or None).fetchone()
                    except psycopg.Error as error:
                        raise _failed(question, error, within) from error
            return row[0] if row else ""
        except psycopg.Error as error:
            raise _failed(question, error, True) from error


class AsyncRouter(DispatchingRouter, SchemaRouter):
    """The same on psycopg's async pool or connection."""

    def __init__(
        self,
        pool: Any,
        *,
        schema: Optional[str] = None,
        keys: Optional[str] = None,
        environment: Optional[str] = None,
        strict: bool = False,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(
            schema=schema, keys=keys, environment=environment, strict=strict, environ=environ
        )
        self._pool = pool

    async def resolve(
        self,
        from_number: str,
        *,
        tenant: Optional[str | UUID] = None,
        initiated_by: Optional[str | UUID] = None,
        to: Optional[str] = None,
        agent_id: Optional[int] = None,
        strict: Optional[bool] = None,
        connection: Optional["psycopg.AsyncConnection[Any]"] = None,
    ) -> Route:
        """Where a call from ``from_number`` goes: see
        :meth:`lkroute.asyncpg.Router.resolve`."""
        question = self._question(from_number, tenant, initiated_by, to, agent_id, strict)

        async def send(statement: str, values: Values) -> str:
            return await self._send(connection, question, statement, values)

        return await run_async(self._steps(question), send)

    async def _resolve(self, question: Question) -> Route:
        async def send(statement: str, values: Values) -> str:
            return await self._send(None, question, statement, values)

        return await run_async(self._steps(question), send)

    async def _execute(self, statement: str, value: str) -> Optional[str]:
        try:
            async with _borrowed_async(self._pool) as borrowed:
                if _in_transaction(borrowed):
                    # It would not be there when the process dies.
                    raise UsageError("dispatch can't record a call within a transaction of yours")
                async with _own_transaction_async(borrowed), AsyncRawCursor(borrowed) as cursor:
                    await cursor.execute(statement, [value])
                    row = await cursor.fetchone()
                return row[0] if row else None
        except psycopg.Error as error:
            raise not_recorded(error) from error

    async def _send(
        self,
        connection: Optional["psycopg.AsyncConnection[Any]"],
        question: Question,
        statement: str,
        values: Values,
    ) -> str:
        try:
            async with _borrowed_async(self._pool if connection is None else connection) as borrowed:
                within = _in_transaction(borrowed)
                async with _own_transaction_async(borrowed), AsyncRawCursor(borrowed) as cursor:
                    try:
                        await cursor.execute(statement, values or None)
                        row = await cursor.fetchone()
                    except psycopg.Error as error:
                        raise _failed(question, error, within) from error
            return row[0] if row else ""
        except psycopg.Error as error:
            raise _failed(question, error, True) from error


@contextmanager
def _borrowed(pool: Any) -> Iterator["psycopg.Connection[Any]"]:
    if isinstance(pool, psycopg.Connection):
        yield pool
    else:
        with pool.connection() as connection:
            yield connection


@asynccontextmanager
async def _borrowed_async(pool: Any) -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
    if isinstance(pool, psycopg.AsyncConnection):
        yield pool
    else:
        async with pool.connection() as connection:
            yield connection


@contextmanager
def _own_transaction(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """psycopg would begin one by itself, and leave it open."""
    if connection.autocommit or _in_transaction(connection):
        yield
    else:
        with connection.transaction():
            yield


@asynccontextmanager
async def _own_transaction_async(connection: "psycopg.AsyncConnection[Any]") -> AsyncIterator[None]:
    if connection.autocommit or _in_transaction(connection):
        yield
    else:
        async with connection.transaction():
            yield


def _in_transaction(connection: Any) -> bool:
    return bool(connection.info.transaction_status != TransactionStatus.IDLE)


def _failed(question: Question, error: psycopg.Error, final: bool) -> Exception:
    message = str(error).split("\n", 1)[0] or type(error).__name__
    failed = _core.failed(question, f"PostgreSQL: {message}")
    if is_of_shape(error.sqlstate) and not final:
        return TablesChanged(failed)
    return failed
