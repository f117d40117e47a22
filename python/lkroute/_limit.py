"""A time limit for what a task waits for, as ``asyncio.timeout`` has it, at a fifth of
its price: each look-up has one, and hardly any runs out."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Coroutine, Optional, TypeVar

from ._watch import OutOfTime

Answer = TypeVar("Answer")

_OVER = "the time of a look-up is over"


def _cancelled(task: "asyncio.Task[Any]") -> int:
    """How often somebody asked for its end, where a task counts that."""
    return task.cancelling() if sys.version_info >= (3, 11) else 0


class _Wait:
    __slots__ = ("task", "until", "is_over")

    def __init__(self, task: "asyncio.Task[Any]", until: float) -> None:
        self.task = task
        self.until = until
        self.is_over = False


class TaskLimits:
    """The limits of one event loop. All have the same length, so that they run out in
    the order in which they began, and one timer does for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.loop = loop
        self._seconds = seconds
        # In their order.
        self._waits: "dict[_Wait, None]" = {}
        self._has_timer = False

    async def run(self, asked: "Coroutine[Any, Any, Answer]") -> Answer:
        """What ``asked`` gives.

        :raises OutOfTime: it takes longer, and was cancelled
        """
        task = asyncio.current_task()
        assert task is not None
        before = _cancelled(task)
        wait = _Wait(task, self.loop.time() + self._seconds)
        self._waits[wait] = None
        if not self._has_timer:
            self._set_timer(wait)
        try:
            return await asked
        except asyncio.CancelledError as error:
            # Others who want its end get it, though the time is over as well.
            if sys.version_info >= (3, 11):
                by_others = _cancelled(task) > before + 1
            else:
                by_others = error.args != (_OVER,)
            if wait.is_over and not by_others:
                raise OutOfTime from None
            raise
        finally:
            if not wait.is_over:
                del self._waits[wait]
            elif sys.version_info >= (3, 11):
                task.uncancel()

    def _set_timer(self, first: _Wait) -> None:
        self._has_timer = True
        self.loop.call_at(first.until, self._end_waits)

    def _end_waits(self) -> None:
        """Ends those whose time is over, and sleeps until that of the next."""
        self._has_timer = False
        now = self.loop.time()
        while self._waits:
            first = next(iter(self._waits))
            if first.until > now:
                return self._set_timer(first)
            del self._waits[first]
            first.is_over = True
            first.task.cancel(_OVER)
