"""What every router does, without a way to send: a look-up as statements that
somebody else sends, and their answers.

A statement has values, all of them texts, and gives one text.
:mod:`lkroute._postgres` sends them with a driver.  All of it is written once, as
coroutines; a router that blocks runs them to their end, as they never wait there.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, Awaitable, Callable, Concatenate, Coroutine, Optional, ParamSpec, Sequence, TypeVar
from uuid import UUID

from . import _core
from ._core import Environ, Keys, Question, Route, Tables
from .errors import UsageError

_log = logging.getLogger("lkroute")

Values = Sequence[Optional[str]]
Send = Callable[[str, Values], Awaitable[str]]

Answer = TypeVar("Answer")
Asked = ParamSpec("Asked")


class TablesChanged(Exception):
    """The database refused a statement: its tables are of another shape than
    they were. Raised by a driver, with what to raise where it is not that."""

    def __init__(self, failed: Exception) -> None:
        super().__init__()
        self.failed = failed


class BaseRouter:
    """The settings of a router, and the steps of a look-up."""

    #: As messages name it.
    _engine: str
    _schema: Optional[str] = None

    def __init__(
        self,
        keys: Keys,
        environment: Optional[str],
        strict: bool,
        environ: Environ,
    ) -> None:
        self._keys = keys
        # Not a mapping: `vars()` of a router would show it.
        self._environ = environ
        self._environment = environment or _unless_blank(environ.get("LKROUTE_ENV"))
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
        try:
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
        except UnicodeEncodeError:
            raise UsageError("a number, or a tenant, is no text of Unicode") from None
        except OverflowError:
            raise UsageError(f"agent_id is too large: {agent_id}") from None

    async def _look_up(self, question: Question, send: Send) -> Route:
        """The look-up of one call. No variable holds what the database answered:
        loggers that show those of each frame would show it."""
        variables = self._environ.read()
        if not variables.table_enabled:
            route = _core.resolve(question, None, variables, self._keys)
            assert route is not None
            return self._told(route)
        known = self._known
        fresh = known is None
        for _ in range(3):
            if known is None:
                tables = self._read_tables(await send(self._inspection(), ()))
                self._known = known = (tables, tables.look_up)
            tables, statement = known
            try:
                route = _core.resolve(
                    question,
                    (tables, await send(statement, question.values(tables))),
                    variables,
                    self._keys,
                )
            except TablesChanged as changed:
                # Looked at a moment ago: it is not the shape.
                if fresh:
                    raise changed.failed from changed.failed.__cause__
            else:
                if route is not None:
                    if route.needs_trust:
                        route.judge(await send(tables.trust, ()))
                    return self._told(route)
            # lkroute's tables came or went, or a column changed.
            known, fresh = None, True
        raise _core.failed(question, "the tables of the database keep changing")

    def _told(self, route: Route) -> Route:
        for warning in route.warnings:
            _log.warning("%s: %s", route.from_number, warning)
        if route.source == "environment":
            _log.warning("%s: using environment credentials, not those of the database", route.from_number)
        _log.debug("%r", route)
        return route

    def _failure(self, question: Question, error: Exception, *, retry: bool) -> Exception:
        """What to raise for a failure of the driver; ``retry`` where the tables may
        be looked at once more."""
        message = str(error).split("\n", 1)[0] or type(error).__name__
        state = getattr(error, "sqlstate", None)
        failed = _core.failed(
            question,
            f"{self._engine}: {message}",
            hint="is the schema the right one? `lkroute migrate --check` says what it lacks" if state == "42P01" else None,
        )
        failed.__cause__ = without_frames(error)
        if retry and _is_of_shape(state):
            return TablesChanged(failed)
        return failed


class SchemaRouter(BaseRouter):
    """A router on PostgreSQL."""

    _engine = "PostgreSQL"
    _schema: str

    def __init__(
        self,
        keys: Keys,
        environment: Optional[str],
        strict: bool,
        environ: Environ,
        schema: Optional[str],
    ) -> None:
        super().__init__(keys, environment, strict, environ)
        self._schema = schema or _unless_blank(environ.get("LKROUTE_SCHEMA")) or "public"

    def _inspection(self) -> str:
        return _core.postgres_inspection(self._schema)

    def _read_tables(self, document: str) -> Tables:
        return Tables.postgres(self._schema, document)


def without_frames(error: BaseException) -> BaseException:
    """An error of a driver, as the cause of another: variables of its frames hold the
    password of the database, and some loggers show those."""
    rest: "list[Optional[BaseException]]" = [error]
    while rest:
        one = rest.pop()
        if one is not None and one.__traceback__ is not None:
            one.__traceback__ = None
            rest += [one.__cause__, one.__context__]
    return error


def _unless_blank(value: Optional[str]) -> Optional[str]:
    """Blank is none; else as it is, as the command has it."""
    return value if value and value.strip() else None


def _is_of_shape(sqlstate: Optional[str]) -> bool:
    """Whether the server says that tables, columns or types are others: or
    that a cached plan is out of date."""
    return sqlstate is not None and sqlstate[:2] in ("42", "0A")


def at_once(work: "Coroutine[Any, Any, Answer]") -> Answer:
    """The result of a coroutine that waits for no event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise RuntimeError("it waits for an event loop")


def blocking(
    method: "Callable[Concatenate[Any, Asked], Coroutine[Any, Any, Answer]]",
    run: "Callable[[Coroutine[Any, Any, Answer]], Answer]" = at_once,
) -> "Callable[Concatenate[Any, Asked], Answer]":
    """The same method of a router that blocks."""

    def blocks(self: Any, /, *args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
        return run(method(self, *args, **kwargs))

    functools.update_wrapper(blocks, method)
    return blocks
