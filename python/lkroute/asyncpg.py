"""Routers on asyncpg: a pool, or a connection of the caller's, also within a
transaction."""

from __future__ import annotations

import asyncio
from typing import Any, Mapping, Optional, Union
from uuid import UUID

import asyncpg

from . import _core
from ._core import Question, Route
from ._calls import DispatchingRouter, not_recorded
from ._router import SchemaRouter, TablesChanged, Values, is_of_shape, run_async
from .errors import UsageError

Database = Union["asyncpg.Pool[Any]", "asyncpg.Connection[Any]"]


class Router(DispatchingRouter, SchemaRouter):
    """Where calls go, by the tables of a PostgreSQL schema.

    ``pool`` is an asyncpg pool or connection; the router never closes it, sets
    nothing on it, and sends one prepared statement a call.  Behind a pooler in
    transaction mode make the pool with ``statement_cache_size=0``, as asyncpg
    wants it there.

    ``schema``: else ``LKROUTE_SCHEMA``, else ``public``.  ``keys``: the text of
    a key ring, else found as the command finds them.  ``environment``: the one
    that the database has to be stamped with.  ``strict``: credentials from the
    environment are an error.  ``timeout``: seconds for each statement.
    """

    def __init__(
        self,
        pool: Database,
        *,
        schema: Optional[str] = None,
        keys: Optional[str] = None,
        environment: Optional[str] = None,
        strict: bool = False,
        timeout: Optional[float] = 30.0,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(
            schema=schema, keys=keys, environment=environment, strict=strict, environ=environ
        )
        self._pool = pool
        self._timeout = timeout

    async def resolve(
        self,
        from_number: str,
        *,
        tenant: Optional[str | UUID] = None,
        initiated_by: Optional[str | UUID] = None,
        to: Optional[str] = None,
        agent_id: Optional[int] = None,
        strict: Optional[bool] = None,
        connection: Optional[Database] = None,
    ) -> Route:
        """Where a call from ``from_number`` goes.

        ``tenant`` is an alias or uuid; ``initiated_by`` a user, whose tenant
        counts.  ``to`` is the called number, as typed: the carrier rules are
        applied to it.  ``connection`` is used in place of the pool, so that the
        look-up can be part of a transaction of yours.

        :raises lkroute.Refused: the number's rules refuse the call
        :raises lkroute.Unresolved: it leads nowhere
        :raises lkroute.LookupFailed: the database can't be asked
        """
        question = self._question(from_number, tenant, initiated_by, to, agent_id, strict)
        database = self._pool if connection is None else connection

        async def send(statement: str, values: Values) -> str:
            return await self._send(database, question, statement, values)

        return await run_async(self._steps(question), send)

    async def _resolve(self, question: Question) -> Route:
        async def send(statement: str, values: Values) -> str:
            return await self._send(self._pool, question, statement, values)

        return await run_async(self._steps(question), send)

    async def _execute(self, statement: str, value: str) -> Optional[str]:
        if _in_transaction(self._pool):
            # It would not be there when the process dies.
            raise UsageError("dispatch can't record a call within a transaction of yours")
        try:
            return await self._pool.fetchval(statement, value, timeout=self._timeout)  # type: ignore[no-any-return]
        except (asyncpg.PostgresError, OSError, asyncio.TimeoutError, asyncpg.InterfaceError) as error:
            raise not_recorded(error) from error

    async def _send(
        self, database: Database, question: Question, statement: str, values: Values
    ) -> str:
        try:
            return await database.fetchval(statement, *values, timeout=self._timeout)  # type: ignore[no-any-return]
        except asyncpg.PostgresError as error:
            failed = _failed(question, error)
            if is_of_shape(error.sqlstate) and not _in_transaction(database):
                raise TablesChanged(failed) from error
            raise failed from error
        except (OSError, asyncio.TimeoutError, asyncpg.InterfaceError) as error:
            raise _failed(question, error) from error


def _in_transaction(database: Database) -> bool:
    asked = getattr(database, "is_in_transaction", None)
    return bool(asked and asked())


def _failed(question: Question, error: Exception) -> Exception:
    message = str(error).split("\n", 1)[0] or type(error).__name__
    return _core.failed(question, f"PostgreSQL: {message}")
