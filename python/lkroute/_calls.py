"""``dispatch`` for the routers that are async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional
from uuid import UUID

from ._core import Question, Route
from ._router import SchemaRouter
from .errors import Error, UsageError

if TYPE_CHECKING:
    from ._dispatch import Call


class DispatchingRouter(SchemaRouter):
    """A router that places calls, too."""

    # What the drivers differ in.
    async def _resolve(self, question: Question) -> Route:
        raise NotImplementedError

    async def _execute(self, statement: str, value: str) -> Optional[str]:
        raise NotImplementedError

    async def dispatch(
        self,
        from_number: str,
        *,
        to: str,
        tenant: Optional[str | UUID] = None,
        initiated_by: Optional[str | UUID] = None,
        agent_id: Optional[int] = None,
        voice_id: Optional[str] = None,
        context: Optional[str] = None,
        call_log_id: Optional[str | UUID] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        worker: Optional[str] = None,
        strict: Optional[bool] = None,
        idempotency_key: Optional[str] = None,
        wait_for_agent: Optional[float] = None,
        timeout: float = 10.0,
        settle: float = 20.0,
    ) -> "Call":
        """Places one call, as ``lkroute dispatch`` does: recorded first, and sent
        once.  Takes the extra ``lkroute[livekit]``.

        ``idempotency_key``: one call for each key; a repeat gives the first
        outcome and sends nothing.  ``wait_for_agent``: seconds to wait for an
        agent to take the call, 6 or more.  ``timeout``: seconds for each request,
        ``settle``: for the search after a lost answer.

        :raises lkroute.CallFailed: there is no call; the same key may try again
        :raises lkroute.NoAgent: the server has it, and no agent took it
        :raises lkroute.CallUnknown: can't be known; **calling again may call a
            person twice**
        :raises lkroute.Refused: the rules of the number refuse it
        """
        try:
            from . import _dispatch, _record
        except ImportError as error:
            message = f"dispatch takes lkroute[livekit]: {error}"
            raise UsageError(message, hint="pip install 'lkroute[livekit]'") from error
        question = self._question(from_number, tenant, initiated_by, to, agent_id, strict)
        statements = _record.statements(self._schema)
        # A repeat is answered even where the number can't be resolved any more.
        first = None
        if idempotency_key is not None:
            first = await self._execute(statements["of_key"], idempotency_key)
        if first is not None:
            return _dispatch.repeated(_record.read_record(first), question)
        route = await self._resolve(question)
        # Refused before anything is written, where it does not open or may not
        # be sent there.
        route.api_secret
        request = route.call(
            agent_id=agent_id,
            voice_id=voice_id,
            context=context,
            initiated_by=initiated_by,
            call_log_id=call_log_id,
            metadata=metadata,
            worker=worker,
        )
        return await _dispatch.place_call(
            self._execute,
            statements,
            question,
            route,
            request,
            idempotency_key=idempotency_key,
            wait_for_agent=wait_for_agent,
            timeout=timeout,
            settle=settle,
        )


def not_recorded(error: Exception) -> Error:
    """The record can't be written or read."""
    message = str(error).split("\n", 1)[0] or type(error).__name__
    return Error(f"the record of calls can't be written or read: {message}", code="record-failed")
