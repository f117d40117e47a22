"""A router on a SQLite file, for small installations and for tests."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from typing import Any, Mapping, Optional
from uuid import UUID

from . import _core
from ._core import Question, Route, Tables
from ._calls import BlockingDispatchingRouter, not_recorded
from ._router import Steps, Values, run


class Router(BlockingDispatchingRouter):
    """Where calls go, by the tables of a SQLite file.

    ``path`` is the file; it is opened for each look-up, to read, and for each
    record of a call, to write, so that any thread may ask.  The settings are those of :class:`lkroute.asyncpg.Router`.
    """

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        *,
        keys: Optional[str] = None,
        environment: Optional[str] = None,
        strict: bool = False,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(keys=keys, environment=environment, strict=strict, environ=environ)
        path = os.path.abspath(os.fspath(path))
        self._uri = f"file:{urllib.parse.quote(path)}?mode="

    def _inspection(self) -> str:
        return _core.sqlite_inspection()

    def _read_tables(self, document: str) -> Tables:
        return Tables.sqlite(document)

    def _steps(self, question: Question) -> Steps:
        # A file is at hand: its tables are looked at each time.
        self._known = None
        return super()._steps(question)

    def resolve(
        self,
        from_number: str,
        *,
        tenant: Optional[str | UUID] = None,
        initiated_by: Optional[str | UUID] = None,
        to: Optional[str] = None,
        agent_id: Optional[int] = None,
        strict: Optional[bool] = None,
    ) -> Route:
        """Where a call from ``from_number`` goes: see
        :meth:`lkroute.asyncpg.Router.resolve`."""
        return self._resolve(self._question(from_number, tenant, initiated_by, to, agent_id, strict))

    def _resolve(self, question: Question) -> Route:
        opened: list[sqlite3.Connection] = []

        def send(statement: str, values: Values) -> str:
            if not opened:
                opened.append(sqlite3.connect(self._uri + "ro", uri=True, timeout=5.0))
                opened[0].execute("BEGIN")
            row: Any = opened[0].execute(statement, tuple(values)).fetchone()
            return str(row[0])

        try:
            return run(self._steps(question), send)
        except sqlite3.Error as error:
            raise _core.failed(question, f"SQLite: {error}") from error
        finally:
            for connection in opened:
                connection.close()

    def _execute(self, statement: str, value: str) -> Optional[str]:
        try:
            connection = sqlite3.connect(self._uri + "rw", uri=True, timeout=5.0)
            try:
                with connection:
                    rows = connection.execute(statement, (value,)).fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise not_recorded(error) from error
        return str(rows[0][0]) if rows else None
