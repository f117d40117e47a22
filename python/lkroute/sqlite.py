"""A router on a SQLite file, for small installations and for tests."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from typing import Any, Mapping, Optional
from uuid import UUID

from . import _core
from ._core import Environ, Question, Route, Tables
from ._calls import BlockingDispatchingRouter, not_recorded
from ._keys import find_keys
from ._router import Values, at_once


class Router(BlockingDispatchingRouter):
    """Where calls go, by the tables of a SQLite file.

    ``path`` is the file; it is opened for each look-up, to read, and for each
    record of a call, to write, so that any thread may ask.  The settings are
    those of :class:`lkroute.asyncpg.Router`; ``timeout`` is for its lock.
    """

    _engine = "SQLite"

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        *,
        keys: Optional[str] = None,
        environment: Optional[str] = None,
        strict: bool = False,
        timeout: float = 5.0,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        shell = Environ(os.environ if environ is None else environ)
        found = find_keys(shell, keys)
        # Some loggers show the variables of each frame.
        keys = environ = None
        if isinstance(found, Exception):
            raise found
        super().__init__(found, environment, strict, shell)
        self._path = os.path.abspath(path)
        self._uri = f"file://{urllib.parse.quote(os.fsencode(self._path))}?mode="
        self._timeout = timeout

    def _inspection(self) -> str:
        return _core.sqlite_inspection()

    def _read_tables(self, document: str) -> Tables:
        return Tables.sqlite(document)

    def _named(self, error: sqlite3.Error) -> sqlite3.Error:
        """With the file, where it can't be had."""
        return error if os.path.isfile(self._path) else sqlite3.OperationalError(f"{self._path!r} is no file: {error}")

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
        question = self._question(from_number, tenant, initiated_by, to, agent_id, strict)
        return at_once(self._resolve(question))

    async def _resolve(self, question: Question, connection: Any = None) -> Route:
        # A file is at hand: its tables are looked at each time.
        self._known = None
        opened: "list[sqlite3.Connection]" = []

        async def send(statement: str, values: Values) -> str:
            try:
                # Not before it is asked: with the flag off there need be no file.
                if not opened:
                    opened.append(sqlite3.connect(self._uri + "ro", uri=True, timeout=self._timeout))
                    opened[0].execute("BEGIN")
                return str(opened[0].execute(statement, tuple(values)).fetchone()[0])
            except sqlite3.Error as error:
                raise self._failure(question, self._named(error), retry=False)

        try:
            return await self._look_up(question, send)
        finally:
            for made in opened:
                made.close()

    async def _execute(self, statement: str, value: str) -> Optional[str]:
        try:
            connection = sqlite3.connect(self._uri + "rw", uri=True, timeout=self._timeout)
            try:
                with connection:
                    rows = connection.execute(statement, (value,)).fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise not_recorded(self._named(error))
        return str(rows[0][0]) if rows else None
