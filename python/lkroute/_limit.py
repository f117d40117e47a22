"""A time limit for what a task waits for, as ``asyncio.timeout`` has it, at a fifth of
its price: each look-up has one, and hardly any runs out."""

from __future__ import annotations

import asyncio
from typing import Any, Coroutine, Optional, TypeVar

from ._watch import OutOfTime

Answer = TypeVar("Answer")


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
        # How often others had asked for its end before; counted from Python 3.11 on.
        cancelling = getattr(task, "cancelling", int)
        before = cancelling()
        wait = _Wait(task, self.loop.time() + self._seconds)
        self._waits[wait] = None
        if not self._has_timer:
            self._set_timer(wait)
        try:
            return await asked
        except asyncio.CancelledError:
            # Others who want its end get it, though the time is over as well.
            if wait.is_over and cancelling() <= before + 1:
                raise OutOfTime from None
            raise
        finally:
            if wait.is_over:
                getattr(task, "uncancel", int)()
            else:
                del self._waits[wait]

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
            first.task.cancel()
