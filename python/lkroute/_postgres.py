"""Routers on PostgreSQL: all but the driver, which sends one statement and names
what it raises."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Coroutine, Mapping, Optional
from uuid import UUID

from ._calls import BlockingDispatchingRouter, Calls, DispatchingRouter, not_recorded
from ._core import Environ, Question, Route
from ._keys import find_keys
from ._limit import TaskLimits
from ._router import Answer, SchemaRouter, Values, blocking
from ._watch import OutOfTime
from .errors import UsageError


def refuse_transaction() -> UsageError:
    # The record would not be there when the process dies.
    return UsageError("dispatch can't record a call within a transaction of yours")


class _Driver(Calls, SchemaRouter):
    """What the drivers have in common."""

    #: What the driver raises where the database can't be asked.
    _failures: "tuple[type[Exception], ...]"

    def __init__(
        self,
        pool: Any,
        *,
        schema: Optional[str] = None,
        keys: Optional[str] = None,
        environment: Optional[str] = None,
        strict: bool = False,
        timeout: Optional[float] = 30.0,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        shell = Environ(os.environ if environ is None else environ)
        found = find_keys(shell, keys)
        # Some loggers show the variables of each frame.
        keys = environ = None
        if isinstance(found, Exception):
            raise found
        if not self._is_asked(pool):
            raise TypeError(f"pool: a pool or connection of {self._wanted} is wanted, not {type(pool).__name__}")
        super().__init__(found, environment, strict, shell, schema)
        self._pool = pool
        self._timeout = timeout

    #: Whose pools and connections.
    _wanted: str

    def _is_asked(self, database: Any) -> bool:
        """Whether it is one."""
        raise NotImplementedError

    def _in_transaction(self, database: Any) -> bool:
        """Whether this is a connection of the caller's, within a transaction."""
        raise NotImplementedError

    def _named(self, error: Exception) -> Exception:
        """With words, where nothing is said but that time is up."""
        if isinstance(error, OutOfTime):
            return TimeoutError(f"no answer within {self._timeout:g} s")
        if isinstance(error, (TimeoutError, asyncio.TimeoutError)) and not error.args:
            return TimeoutError("the time limit of the driver is over")
        return error

    async def _fetch(
        self, database: Any, statement: str, values: Values, *, alone: bool = False
    ) -> Optional[str]:
        """``alone``: not within a transaction of the caller's, see `refuse_transaction`."""
        raise NotImplementedError

    async def _limited(self, asked: "Coroutine[Any, Any, Answer]") -> Answer:
        """Where the driver has no limit for all that is waited for."""
        return await asked

    async def _resolve(self, question: Question, connection: Any = None) -> Route:
        database = self._pool if connection is None else connection

        async def send(statement: str, values: Values) -> str:
            try:
                return await self._fetch(database, statement, values) or ""
            except self._failures as error:
                # A transaction of the caller's has failed with it.
                retry = not self._in_transaction(database)
                raise self._failure(question, self._named(error), retry=retry)

        try:
            return await self._limited(self._look_up(question, send))
        except OutOfTime as error:
            raise self._failure(question, self._named(error), retry=False) from None

    async def _execute(self, statement: str, value: str) -> Optional[str]:
        async def send() -> Optional[str]:
            try:
                return await self._fetch(self._pool, statement, (value,), alone=True)
            except self._failures as error:
                raise not_recorded(self._named(error))

        try:
            return await self._limited(send())
        except OutOfTime as error:
            raise not_recorded(self._named(error))


class AsyncRouter(DispatchingRouter, _Driver):
    """A router that is awaited."""

    #: Of the event loop that asked last.
    _limits: Optional[TaskLimits] = None

    async def resolve(
        self,
        from_number: str,
        *,
        tenant: Optional[str | UUID] = None,
        initiated_by: Optional[str | UUID] = None,
        to: Optional[str] = None,
        agent_id: Optional[int] = None,
        strict: Optional[bool] = None,
        connection: Any = None,
    ) -> Route:
        """Where a call from ``from_number`` goes.

        ``tenant`` is an alias or uuid; ``initiated_by`` a user, whose tenant
        counts.  ``to`` is the called number, as typed: the carrier rules are
        applied to it.  ``connection`` is used in place of the pool, so that the
        look-up can be part of a transaction of yours.

        >>> route = await router.resolve("+919513456728", tenant="techiemaya-test", to="+918384012345")
        >>> route.config_name, route.source, route.to.formatted
        ('india-techiemaya-cloud', 'database', '08384012345')

        :raises lkroute.Refused: the number's rules refuse the call
        :raises lkroute.Unresolved: it leads nowhere
        :raises lkroute.LookupFailed: the database can't be asked
        """
        question = self._question(from_number, tenant, initiated_by, to, agent_id, strict)
        return await self._resolve(question, connection)

    async def _limited(self, asked: "Coroutine[Any, Any, Answer]") -> Answer:
        # Neither a pool that has none left nor a server that is silent holds a
        # call for longer.
        if self._timeout is None:
            return await asked
        loop = asyncio.get_running_loop()
        limits = self._limits
        if limits is None or limits.loop is not loop:
            self._limits = limits = TaskLimits(loop, self._timeout)
        return await limits.run(asked)


class SyncRouter(BlockingDispatchingRouter, _Driver):
    """A router that blocks."""

    resolve = blocking(AsyncRouter.resolve)
