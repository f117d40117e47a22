"""What every router does, without a way to send: the steps of a look-up as
statements that somebody else sends, and their answers.

A step is a pair: the statement, and its values, all of them texts.  It gives
one text.  The drivers for asyncpg, psycopg and sqlite3 are some lines each.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Callable, Generator, Mapping, Optional, Sequence, TypeVar
from uuid import UUID

from . import _core
from ._core import Question, Route, Tables
from ._keys import find_keys

_log = logging.getLogger("lkroute")

Values = Sequence[Optional[str]]
Steps = Generator["tuple[str, Values]", str, Route]

_VARIABLES = (
    "USE_SELFHOST_ROUTING_TABLE",
    "LIVEKIT_URL",
    "LIVEKIT_API_KEY",
    "LIVEKIT_API_SECRET",
    "OUTBOUND_TRUNK_ID",
    "VOICE_AGENT_NAME",
)


class TablesChanged(Exception):
    """The database refused a statement: its tables are of another shape than
    they were. Thrown into the steps by a driver, with what to raise where it is
    not that."""

    def __init__(self, failed: Exception) -> None:
        super().__init__()
        self.failed = failed


class BaseRouter:
    """The settings of a router, and the steps of a look-up."""

    def __init__(
        self,
        *,
        keys: Optional[str] = None,
        environment: Optional[str] = None,
        strict: bool = False,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._keys = find_keys(self._environ, keys)
        self._environment = environment or self._environ.get("LKROUTE_ENV", "").strip() or None
        self._strict = strict
        # With the statement, which is the same text for each call.
        self._known: "Optional[tuple[Tables, str]]" = None

    # What the engines differ in.
    def _inspection(self) -> str:
        raise NotImplementedError

    def _read_tables(self, document: str) -> Tables:
        raise NotImplementedError

    def _question(
        self,
        from_number: str,
        tenant: Optional[str | UUID],
        initiated_by: Optional[str | UUID],
        to: Optional[str],
        agent_id: Optional[int],
        strict: Optional[bool],
        for_call: bool = False,
    ) -> Question:
        return Question(
            from_number,
            tenant=None if tenant is None else str(tenant),
            initiated_by=None if initiated_by is None else str(initiated_by),
            to=to,
            agent_id=agent_id,
            strict=self._strict if strict is None else strict,
            environment=self._environment,
            for_call=for_call,
        )

    def _steps(self, question: Question) -> Steps:
        """The look-up of one call."""
        variables = self._variables()
        if variables.get("USE_SELFHOST_ROUTING_TABLE", "true").lower() != "true":
            route = _core.resolve(question, None, variables, self._keys)
            assert route is not None
            return self._told(route)
        known = self._known
        fresh = known is None
        for _ in range(3):
            if known is None:
                tables = self._read_tables((yield self._inspection(), ()))
                self._known = known = (tables, tables.look_up)
            tables, statement = known
            try:
                document = yield statement, question.values(tables)
            except TablesChanged as changed:
                # Looked at a moment ago: it is not the shape.
                if fresh:
                    raise changed.failed from changed.__cause__
            else:
                route = _core.resolve(question, (tables, document), variables, self._keys)
                if route is not None:
                    if route.needs_trust:
                        route.judge((yield tables.trust, ()))
                    return self._told(route)
            # lkroute's tables came or went, or a column changed.
            known, fresh = None, True
        raise _core.failed(question, "the tables of the database keep changing")

    def _variables(self) -> dict[str, str]:
        get = self._environ.get
        found = ((name, get(name)) for name in _VARIABLES)
        return {name: value for name, value in found if value is not None}

    def _told(self, route: Route) -> Route:
        for warning in route.warnings:
            _log.warning("%s: %s", route.from_number, warning)
        if route.source == "environment":
            _log.warning("%s: using environment credentials, not those of the database", route.from_number)
        _log.debug("%r", route)
        return route


class SchemaRouter(BaseRouter):
    """A router on PostgreSQL."""

    def __init__(self, *, schema: Optional[str] = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._schema = schema or self._environ.get("LKROUTE_SCHEMA", "").strip() or "public"

    def _inspection(self) -> str:
        return _core.postgres_inspection(self._schema)

    def _read_tables(self, document: str) -> Tables:
        return Tables.postgres(self._schema, document)


def is_of_shape(sqlstate: Optional[str]) -> bool:
    """Whether the server says that tables, columns or types are others: or
    that a cached plan is out of date."""
    return sqlstate is not None and sqlstate[:2] in ("42", "0A")


Result = TypeVar("Result")


def run(steps: Steps, send: Callable[[str, Values], str]) -> Route:
    """Sends one step after the other."""
    try:
        step = next(steps)
        while True:
            try:
                text = send(*step)
            except TablesChanged as changed:
                step = steps.throw(changed)
            else:
                step = steps.send(text)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        steps.close()


async def run_async(steps: Steps, send: Callable[[str, Values], Any]) -> Route:
    """The same, with a coroutine."""
    try:
        step = next(steps)
        while True:
            try:
                text = await send(*step)
            except TablesChanged as changed:
                step = steps.throw(changed)
            else:
                step = steps.send(text)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        steps.close()
