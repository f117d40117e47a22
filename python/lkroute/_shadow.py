"""Shadow mode: a resolver of your own beside lkroute's, for as long as it takes
to see that nothing changes."""

from __future__ import annotations

import asyncio
import hmac
import inspect
import logging
import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional
from weakref import WeakKeyDictionary, WeakSet

from . import _core
from .errors import Error

_log = logging.getLogger("lkroute.shadow")


@dataclass(frozen=True)
class LiveKitCredentials:
    """What a resolver of such a service returns. Its ``repr`` leaves the secret
    out."""

    url: Optional[str]
    api_key: Optional[str]
    api_secret: Optional[str] = field(repr=False)
    trunk_id: Optional[str]
    worker_name: Optional[str]
    source: Optional[str] = None


#: Comparisons under way where a resolver blocks; further calls are not compared.
MOST_AT_ONCE = 16

#: Look-ups under way, which may hold connections that the service needs; others wait
#: for their turn.
LOOKUPS_AT_ONCE = 2

# What is compared, by the name that a difference gets.
_COMPARED = {
    "server": "url",
    "api_key": "api_key",
    "api_secret": "api_secret",
    "trunk": "trunk_id",
    "worker": "worker_name",
    "source": "source",
}


def _same_question(*args: Any, **kwargs: Any) -> Mapping[str, Any]:
    """The arguments of the old resolver are those of ``Router.resolve``."""
    if len(args) > 1:
        raise TypeError("say `question=`, which names the arguments of the old resolver")
    return {**({"from_number": args[0]} if args else {}), **kwargs}


NO_TURN = "the comparisons before it take too long"


class NotComparable(Exception):
    """An answer that can't be had in this way."""


class Shadow:
    """Calls the old resolver, returns its answer, and compares that with
    lkroute's. Made by :func:`compare`."""

    def __init__(
        self,
        old: Callable[..., Any],
        router: Any,
        question: Callable[..., Mapping[str, Any]],
        timeout: float,
    ) -> None:
        self._old = old
        self._router = router
        self._question = question
        self._timeout = timeout
        self._router_blocks = not inspect.iscoroutinefunction(router.resolve)
        if inspect.iscoroutinefunction(old) and hasattr(inspect, "markcoroutinefunction"):
            # Some frameworks ask before they call.
            inspect.markcoroutinefunction(self)
        self._begin_anew()
        _shadows.add(self)
        #: How many calls ended how: ``same``, ``server``, ``api_key``,
        #: ``api_secret``, ``trunk``, ``worker``, ``source``, ``old failed``,
        #: ``lkroute failed: CODE``, ``both failed``, ``not compared``. A call with
        #: several differences counts under each.
        self.counts: "Counter[str]" = Counter()
        #: How many calls were compared.
        self.calls = 0

    def _begin_anew(self) -> None:
        """With nothing under way: as it is made, and in the child of a fork, where the
        threads are the parent's, and so may be who holds a lock."""
        self._lock = threading.Lock()
        self._tasks: "set[asyncio.Task[None]]" = set()
        self._threads: "set[threading.Thread]" = set()
        self._turn = threading.Semaphore(LOOKUPS_AT_ONCE)
        self._turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Where the answer of the old resolver is awaited, so is this one's."""
        answer, failure = _attempt(lambda: self._old(*args, **kwargs))
        if inspect.isawaitable(answer):
            return self._call_async(answer, args, kwargs)
        self._begin((answer, failure), args, kwargs)
        if failure is not None:
            raise failure
        return answer

    def _begin(self, old: Any, args: Any, kwargs: Any) -> None:
        """lkroute is asked on a thread of its own, so that the call is not held up."""

        def ask() -> None:
            asked: Mapping[str, Any] = {}
            taken, failure = None, None
            try:
                asked = self._question(*args, **kwargs)
                if not self._router_blocks:
                    raise NotComparable("say a router that blocks beside a resolver that does")
                if not self._turn.acquire(timeout=self._timeout):
                    raise NotComparable(NO_TURN)
                try:
                    taken = _taken(self._router.resolve(**asked))
                finally:
                    self._turn.release()
            except Exception as error:  # never the caller's trouble
                failure = error
            self._note(_name(asked, args), old, (taken, failure))
            with self._lock:
                self._threads.discard(thread)

        thread = threading.Thread(target=ask, name="lkroute-shadow", daemon=True)
        with self._lock:
            if len(self._threads) >= MOST_AT_ONCE:
                self.counts["not compared"] += 1
                return
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # no thread can be had
            with self._lock:
                self._threads.discard(thread)
                self.counts["not compared"] += 1

    def wait(self, timeout: Optional[float] = None) -> None:
        """Waits for the comparisons of resolvers that block, ``timeout`` seconds for
        each at most."""
        with self._lock:
            under_way = list(self._threads)
        for thread in under_way:
            thread.join(timeout)

    async def _call_async(self, theirs: Any, args: Any, kwargs: Any) -> Any:
        ours = None if self._router_blocks else asyncio.ensure_future(self._ours(args, kwargs))
        try:
            answer, failure = await theirs, None
        except Exception as error:
            answer, failure = None, error
        except BaseException:
            if ours is not None:
                ours.cancel()
            raise
        if ours is None:
            self._begin((answer, failure), args, kwargs)
        else:
            task = asyncio.ensure_future(self._finish(args, (answer, failure), ours))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if failure is not None:
            raise failure
        return answer

    async def _ours(self, args: Any, kwargs: Any) -> "tuple[Mapping[str, Any], Any, Any]":
        asked: Mapping[str, Any] = {}
        try:
            asked = self._question(*args, **kwargs)
            turn = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(LOOKUPS_AT_ONCE))
            try:
                await asyncio.wait_for(turn.acquire(), self._timeout)
            except asyncio.TimeoutError:
                raise NotComparable(NO_TURN) from None
            try:
                resolved = await asyncio.wait_for(self._router.resolve(**asked), self._timeout)
            finally:
                turn.release()
            return asked, _taken(resolved), None
        except Exception as error:  # never the caller's trouble
            return asked, None, error

    async def _finish(self, args: Any, old: Any, ours: "asyncio.Future[Any]") -> None:
        asked, taken, error = await ours
        self._note(_name(asked, args), old, (taken, error))

    async def settled(self) -> None:
        """Waits for the comparisons of an old resolver that is awaited."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._threads:
            await asyncio.to_thread(self.wait)

    def _note(self, number: str, old: Any, ours: Any) -> None:
        try:
            kinds = list(_differences(old, ours))
        except Exception as error:  # what the old one gave is nothing of this kind
            kinds = [("not compared", type(error).__name__)]
        with self._lock:
            self.calls += all(kind != "not compared" for kind, _ in kinds)
            self.counts.update([kind for kind, _ in kinds] or ["same"])
        for kind, words in kinds:
            _log.warning("%s: %s: %s", _visible(number), kind, words)

    def report(self) -> str:
        """What was seen so far, for people."""
        with self._lock:
            counts, calls = Counter(self.counts), self.calls
        same, beyond = counts.pop("same", 0), counts.pop("not compared", 0)
        lines = [f"{calls} calls compared, {same} the same, {calls - same} not"]
        if beyond:
            lines[0] += f"; {beyond} more were not compared"
        width = max((len(kind) for kind in counts), default=0)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {kind:<{width}}  {count}" for kind, count in ordered]
        return "\n".join(lines) + "\n"


_shadows: "WeakSet[Shadow]" = WeakSet()


def _after_fork() -> None:
    for shadow in _shadows:
        shadow._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def compare(
    old: Callable[..., Any],
    router: Any,
    *,
    question: Optional[Callable[..., Mapping[str, Any]]] = None,
    timeout: float = 5.0,
) -> Shadow:
    """Runs both resolvers for each call and uses the old one's answer.

    ``old`` returns something with the attributes of
    :class:`LiveKitCredentials`; ``question`` turns its arguments into those of
    ``router.resolve``, by default they are the same.  lkroute's answer is waited
    for in the background, ``timeout`` seconds at most where it is awaited, on a
    thread where its router blocks; beside an old resolver that blocks the router has
    to be one that does.  Whatever happens to it, the call is
    placed as before.  Differences are counted in ``counts`` and
    logged by ``lkroute.shadow``, by kind and without secrets.

    >>> resolve = lkroute.compare(resolve_livekit, router)
    >>> credentials = await resolve(from_number="+971545335200")
    >>> await resolve.settled()
    >>> print(resolve.report())
    1 calls compared, 1 the same, 0 not
    """
    return Shadow(old, router, question or _same_question, timeout)


def _attempt(call: Callable[[], Any]) -> "tuple[Any, Optional[Exception]]":
    try:
        return call(), None
    except Exception as error:
        return None, error


def _taken(route: Any) -> LiveKitCredentials:
    return LiveKitCredentials(
        url=route.url,
        api_key=route.api_key,
        api_secret=route.api_secret,
        trunk_id=route.trunk_id,
        worker_name=route.worker_name,
        source=route.source,
    )


def _name(asked: Mapping[str, Any], args: Any) -> str:
    return str(asked.get("from_number") or (args[0] if args else "?"))


def _differences(old: Any, ours: Any) -> "list[tuple[str, str]]":
    (theirs, old_failure), (taken, failure) = old, ours
    if isinstance(failure, NotComparable):
        return [("not compared", str(failure))]
    if old_failure is not None and failure is not None:
        return [("both failed", _said(failure))]
    if old_failure is not None:
        return [("old failed", f"{type(old_failure).__name__}; lkroute leads to {taken.url}")]
    if failure is not None:
        code = failure.code if isinstance(failure, Error) else type(failure).__name__
        return [(f"lkroute failed: {code}", _said(failure))]
    found = []
    for kind, name in _COMPARED.items():
        if kind == "source" and not hasattr(theirs, name):
            continue
        was, now = getattr(theirs, name, None) or None, getattr(taken, name) or None
        if kind == "api_secret":
            same = hmac.compare_digest(_bytes(was), _bytes(now))
            was = now = "(not shown)"
        else:
            same = was == now
        if not same:
            words = f"{_visible(was)} -> {_visible(now)}"
            found.append((kind, words if kind != "api_secret" else "another secret"))
    return found


def _said(failure: Any) -> str:
    # Texts of others may quote anything; those of lkroute hold no secret.
    return str(failure) if isinstance(failure, Error) else type(failure).__name__


def _visible(value: Any) -> str:
    """On one line, and without the user and password of a URL."""
    return _core.visible(str(value).encode("utf-8", "backslashreplace").decode())


def _bytes(secret: Any) -> bytes:
    return str(secret).encode("utf-8", "surrogatepass")
