"""``dispatch`` of the routers."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Coroutine, Mapping, Optional, Sequence, Union
from uuid import UUID

from . import _core
from ._call import Call
from ._core import Question, Route
from ._keys import is_unicode
from ._router import Answer, BaseRouter, blocking, without_frames
from .errors import Error, RecordFailed, UsageError

Id = Union[str, UUID]

_OF_REQUEST = (
    "agent_id",
    "voice_id",
    "context",
    "initiated_by",
    "call_log_id",
    "metadata",
    "worker",
)
_OF_PLACING = (
    "idempotency_key",
    "wait_for_agent",
    "sip",
    "ring",
    "display_name",
    "timeout",
    "settle",
)


class Calls(BaseRouter):
    """What a router needs to place calls."""

    # What the drivers differ in.
    async def _resolve(self, question: Question, connection: Any = None) -> Route:
        raise NotImplementedError

    async def _execute(self, statement: str, value: str) -> Optional[str]:
        raise NotImplementedError

    async def _place(self, asked: "dict[str, Any]") -> "Call":
        """``asked`` are the keywords of ``dispatch``."""
        try:
            from . import _client, _dispatch
        except ImportError as error:
            message = f"dispatch takes lkroute[livekit]: {error}"
            raise UsageError(message, hint="pip install 'lkroute[livekit]'") from error
        for name, value in asked.items():
            if isinstance(value, str) and not is_unicode(value):
                raise UsageError(f"{name} is no text of Unicode")
        question = self._question(
            asked["from_number"],
            asked["tenant"],
            asked["initiated_by"],
            asked["to"],
            asked["agent_id"],
            asked["strict"],
            for_call=True,
        )
        try:
            route = await self._resolve(question)
        except Error as error:
            # A repeat is answered even where the number can't be resolved any more.
            # The key of a call in another environment is another key.
            first = None if error.exit == 6 else await self._first_call(question, asked)
            if first is None:
                raise
        else:
            first = await self._first_call(question, asked)
        if first is not None:
            return _dispatch.end(first)
        request = route.call(**{name: asked[name] for name in _OF_REQUEST})
        if request.deployment is not None and not _client.knows_deployments():
            deployment = _core.visible(request.deployment)
            message = f"the livekit-api here can't name the deployment `{deployment}`"
            raise UsageError(message, hint="pip install -U livekit-api")
        allow, headers = asked["allow"] or (), asked["sip_headers"] or {}
        keywords = {name: asked[name] for name in _OF_PLACING}
        keywords["allow"] = [allow] if isinstance(allow, str) else list(allow)
        keywords["sip_headers"] = list(dict(headers).items())
        keywords["actor"] = _dispatch.actor(self._environ)
        keywords["now"] = _dispatch.now()
        placing = _core.place_call(route, request, self._schema, keywords)
        return await _dispatch.place(placing, self._execute)

    async def _first_call(self, question: Question, asked: "dict[str, Any]") -> Optional[str]:
        """What became of the first call with this key."""
        key = asked["idempotency_key"]
        if key is None:
            return None
        first = await self._execute(_core.statement_of_key(self._schema, key), key)
        return None if first is None else _core.repeated(question, first)


class DispatchingRouter(Calls):
    """``dispatch`` of a router that is async."""

    async def dispatch(
        self,
        from_number: str,
        *,
        to: str,
        tenant: Optional[Id] = None,
        initiated_by: Optional[Id] = None,
        agent_id: Optional[int] = None,
        voice_id: Optional[str] = None,
        context: Optional[str] = None,
        call_log_id: Optional[Id] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        worker: Optional[str] = None,
        strict: Optional[bool] = None,
        idempotency_key: Optional[str] = None,
        wait_for_agent: Optional[float] = None,
        allow: Sequence[str] = (),
        sip: bool = False,
        ring: float = 45.0,
        sip_headers: Optional[Mapping[str, str]] = None,
        display_name: Optional[str] = None,
        timeout: float = 10.0,
        settle: float = 20.0,
    ) -> "Call":
        """Places one call, as ``lkroute dispatch`` does: recorded first, and sent
        once.  Takes the extra ``lkroute[livekit]``.

        ``idempotency_key``: one call for each key; a repeat gives the first
        outcome and sends nothing.  ``wait_for_agent``: seconds to wait for an
        agent to take the call, 6 or more.  ``allow=("trunk-lacks-number",)`` lets
        this call through where its trunk does not list the number.  ``sip`` dials
        the person from here, beside an agent, for workers that don't; it rings
        ``ring`` seconds at most.  ``timeout``: seconds for each request,
        ``settle``: for the search after a lost answer.

        A router that blocks returns when the call has an outcome.  It runs an
        event loop of its own for that, and so is called outside of one: in a
        script, a thread, a worker process.

        :raises lkroute.CallFailed: there is no call; the same key may try again
        :raises lkroute.TrunkLacksNumber: the same, and its trunk is why
        :raises lkroute.NoAgent: the server has it, and no agent took it
        :raises lkroute.NotDialled: the agent is there, the person was not reached
        :raises lkroute.CallUnknown: can't be known; **calling again may call a
            person twice**
        :raises lkroute.CallCancelled: ended by ``lkroute cancel``
        :raises lkroute.Refused: the rules of the number refuse it
        :raises lkroute.RecordFailed: it can't be recorded; nothing was sent
        """
        asked = {name: value for name, value in locals().items() if name != "self"}
        return await self._place(asked)


def _run_aside(work: "Coroutine[Any, Any, Answer]") -> Answer:
    """`asyncio.run`, which from Python 3.11 on can leave the thread its own loop."""
    if sys.version_info >= (3, 11):
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(work)
    return asyncio.run(work)


def _in_a_loop(work: "Coroutine[Any, Any, Answer]") -> Answer:
    """Nothing else runs in the loop: a statement may hold it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run_aside(work)
    work.close()
    message = "dispatch of this router can't be called within a running event loop"
    raise UsageError(message, hint="use an async router, or asyncio.to_thread")


class BlockingDispatchingRouter(Calls):
    """``dispatch`` of a router that is not."""

    dispatch = blocking(DispatchingRouter.dispatch, _in_a_loop)


def not_recorded(error: Exception) -> RecordFailed:
    """The record can't be written or read."""
    message = _core.visible(str(error).split("\n", 1)[0] or type(error).__name__)
    failed = RecordFailed(f"the record of calls can't be written or read: {message}")
    failed.__cause__ = without_frames(error)
    return failed
