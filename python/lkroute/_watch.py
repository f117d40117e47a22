"""A time limit for psycopg's connections that block: it has none of its own, and
a SET would change a transaction of the caller's.

One thread watches all of them. It is started with the first look-up, and sleeps
until a limit passes.
"""

from __future__ import annotations

import heapq
import math
import os
import socket
import threading
import time
from typing import Any, Optional

#: Seconds for the server to end a statement; then its connection is cut.
GRACE = 5.0


class OutOfTime(TimeoutError):
    """The limit of a router is over: not one that its driver has of its own."""


class Watch:
    """Ends what is done with a connection at a time of the monotonic clock.

    :raises OutOfTime: it was
    """

    def __init__(self, connection: Any, until: Optional[float], can_cancel: bool = True) -> None:
        self._connection = connection
        self._can_cancel = can_cancel
        self.until = until or 0.0
        self._expired = False
        self.is_running = until is not None
        # Held while it is cancelled, so that no other statement is.
        self._ending = threading.Lock()

    def __lt__(self, other: "Watch") -> bool:
        return self.until < other.until

    def __enter__(self) -> None:
        if self.is_running:
            try:
                _watcher.add(self)
            except RuntimeError:
                # No thread can be had: nothing is begun.
                self.is_running = False
                raise

    def __exit__(self, kind: Any, error: Optional[BaseException], _: Any) -> None:
        with self._ending:
            self.is_running = False
        if self._expired and isinstance(error, Exception):
            raise OutOfTime from error

    def end_it(self) -> None:
        """Cancels the statement, and cuts the connection where that is of no use."""
        until = time.monotonic() + GRACE
        with self._ending:
            if not self.is_running:
                return
            self._expired = True
            if self._can_cancel:
                try:
                    self._connection.cancel_safe(timeout=GRACE)
                except Exception:
                    pass  # the server is away
            else:
                cut(self._connection)
        while self.is_running and time.monotonic() < until:
            time.sleep(0.05)
        with self._ending:
            if self.is_running:
                cut(self._connection)


class _Watcher:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watches: "list[Watch]" = []
        # Until then the thread sleeps: a look-up that ends in time costs it nothing.
        self._sleeps_until = 0.0
        self._thread: Optional[threading.Thread] = None

    def add(self, watch: Watch) -> None:
        with self._changed:
            self._forget_finished()
            heapq.heappush(self._watches, watch)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="lkroute-watch", daemon=True)
                self._thread.start()
            elif watch.until < self._sleeps_until:
                self._changed.notify()

    def _forget_finished(self) -> None:
        while self._watches and not self._watches[0].is_running:
            heapq.heappop(self._watches)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._forget_finished()
                self._sleeps_until = self._watches[0].until if self._watches else math.inf
                left = self._sleeps_until - time.monotonic()
                if left > 0:
                    self._changed.wait(None if left == math.inf else left)
                    continue
                due = heapq.heappop(self._watches)
            try:
                # One that has to be waited for holds up no other.
                threading.Thread(target=due.end_it, name="lkroute-cancel", daemon=True).start()
            except RuntimeError:
                due.end_it()


def cut(connection: Any) -> None:
    """Ends whatever waits for its server."""
    try:
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as copy:
            copy.shutdown(socket.SHUT_RDWR)
    except Exception:
        pass  # it is closed already


_watcher = _Watcher()


def _after_fork() -> None:
    # Its thread is the parent's.
    global _watcher
    _watcher = _Watcher()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

