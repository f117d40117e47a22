"""Placing one call. What is written and sent, in which order and how often, and
what the outcome is called, says the core: the same code as the command's. Here
it is carried out, one step after the other."""

from __future__ import annotations

import asyncio
import json
import logging
import platform
import time
from datetime import datetime, timezone
from typing import Any, Awaitable, Callable, Coroutine, Optional, TypeVar

from . import _core
from ._call import Call
from ._client import Client
from ._core import Environ, Placing
from .errors import Error, make_call_error

_log = logging.getLogger("lkroute")

Result = TypeVar("Result")

#: Sends a statement with one value, and gives the one text that it gives.
Execute = Callable[[str, str], Awaitable[Optional[str]]]

#: How long a call that is cancelled may take to be written down, in seconds.
WRITTEN_WITHIN = 15.0

#: How often a statement is begun that others cut off.
MOST_BEGUN = 4


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def actor(environ: Environ) -> str:
    """Who calls, as records name them."""
    return _core.actor(environ, platform.node().encode(errors="replace").decode() or None)


def end(outcome: str) -> Call:
    """What became of a call, from the core's words."""
    said = json.loads(outcome)
    detail = said["detail"]
    fallback = detail["fallback"] or {}
    after = detail["answered_after"]
    call = Call(
        status=said["status"],
        room=said["room"],
        dispatch_id=said["dispatch_id"],
        worker=said["worker"],
        worker_seen=said["worker_seen"],
        record_id=said["id"],
        repeated=said["repeated"],
        in_room=detail["in_room"],
        fallback=fallback.get("name"),
        fallback_because=fallback.get("because"),
        answered_after=None if after is None else after / 1000,
        sip_status=detail["sip_status"],
        warnings=said["warnings"],
    )
    if said["error"] is not None:
        raise make_call_error(call, **said["error"])
    return call


async def place(placing: Placing, execute: Execute) -> Call:
    """Carries out what the core asks for, to the end of the call."""
    under_way = UnderWay(placing, execute)
    try:
        await under_way.run()
    except GeneratorExit:
        # The loop is gone, and nothing can be waited for.
        raise
    except BaseException:
        await under_way.close()
        raise
    await under_way.close()
    return end(placing.result())


def _broke(error: Optional[BaseException]) -> bool:
    """Whether a connection did, and not the time for it."""
    if isinstance(error, TimeoutError) or type(error).__name__ == "PoolTimeout":
        return False
    state = getattr(error, "sqlstate", "")
    return isinstance(error, OSError) or state is None or state[:2] == "08" or state[:3] == "57P"


class UnderWay:
    """A call between two steps."""

    def __init__(self, placing: Placing, execute: Execute) -> None:
        self._placing = placing
        self._execute = execute
        self._clients: "dict[bool, Client]" = {}
        #: Where the caller waits no longer: when what is done has to end.
        self._until: Optional[float] = None

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()

    async def run(self) -> None:
        step = self._step(None)
        while step is not None:
            wanted = json.loads(step)
            answer: "Optional[dict[str, Any]]" = None
            stopped: Optional[BaseException] = None
            try:
                if wanted["do"] == "execute":
                    # What was begun is known before anything else is done.
                    answer, stopped = await self._to_end(lambda: self._write(wanted))
                    answer = answer or {"error": "it was not written in time", "code": "record-failed"}
                else:
                    answer = await self._send(wanted)
            except GeneratorExit:
                # The loop is gone, and with it whoever could write.
                raise
            except BaseException as error:
                # The caller waits no longer; or it is a bug.
                stopped = error
            if stopped is not None:
                await self._write_down(answer)
                # Its frames hold what was sent: a token.
                raise stopped.with_traceback(None)
            step = self._step(answer)

    async def _write_down(self, answer: "Optional[dict[str, Any]]") -> None:
        """The last steps of a call that is stopped."""
        self._placing.stop()
        self._limit()
        try:
            step = self._step(answer)
            while step is not None:
                wanted = json.loads(step)
                do = self._write if wanted["do"] == "execute" else self._send
                answer, _ = await self._to_end(lambda: do(wanted))
                if answer is None:
                    _log.warning("a call that was stopped could not be written down in time")
                    return
                step = self._step(answer)
        except Error as error:
            _log.warning("a call that was stopped could not be written down: %s", error.message)

    def _limit(self) -> None:
        if self._until is None:
            self._until = time.monotonic() + WRITTEN_WITHIN

    async def _to_end(
        self, work: "Callable[[], Coroutine[Any, Any, Result]]"
    ) -> "tuple[Optional[Result], Optional[BaseException]]":
        """Waits for the end of what must not be left half done, and gives the
        cancellation that came meanwhile. From then on it has a time limit.

        A loop that ends cancels every task: what it cut off is begun anew."""
        task = asyncio.ensure_future(work())
        stopped: Optional[BaseException] = None
        begun = 1
        while True:
            left = None if self._until is None else max(self._until - time.monotonic(), 0)
            try:
                done, _ = await asyncio.wait([task], timeout=left)
            except asyncio.CancelledError as error:
                stopped = stopped or error
                self._limit()
                continue
            if done and not task.cancelled():
                return task.result(), stopped
            if not done or begun == MOST_BEGUN:
                task.cancel()
                # Nobody asks how it ended.
                task.add_done_callback(lambda task: task.cancelled() or task.exception())
                return None, stopped or asyncio.CancelledError()
            self._limit()
            begun += 1
            task = asyncio.ensure_future(work())

    def _step(self, answer: "Optional[dict[str, Any]]") -> Optional[str]:
        # What is no Unicode text, such as a header of a server's, becomes `?`.
        text = None if answer is None else json.dumps(answer, ensure_ascii=False).encode(errors="replace").decode()
        return self._placing.step(text, time.monotonic(), now())

    async def _write(self, wanted: "dict[str, Any]") -> "dict[str, Any]":
        """Tried again where the answer may be lost: each statement may be repeated."""
        pauses = iter((0.25, 1.0))
        while True:
            try:
                return {"text": await self._execute(wanted["statement"], wanted["value"])}
            except Error as error:
                pause = next(pauses, None)
                if pause is None or not _broke(error.__cause__):
                    return {"error": error.message, "code": error.code}
            await asyncio.sleep(pause)

    async def _send(self, wanted: "dict[str, Any]") -> "dict[str, Any]":
        if wanted["do"] == "pause":
            await asyncio.sleep(wanted["seconds"])
            return {}
        second = bool(wanted["second"])
        if second not in self._clients:
            self._clients[second] = Client(self._placing, second)
        return await self._clients[second].post(wanted)
