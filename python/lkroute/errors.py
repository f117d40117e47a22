"""What can go wrong, one class for each way, all below :class:`Error`.

Each carries ``code`` (stable, kebab-case), ``hint`` (what to do, or ``None``),
``trace`` (the steps up to there) and ``exit`` (the code that the command would
end with).  None of them ever holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Sequence

if TYPE_CHECKING:
    from ._call import Call


class Step(NamedTuple):
    """One step of a resolution: what was looked at, how it ended, and where."""

    step: str
    outcome: str
    detail: str


class Error(Exception):
    """Anything that lkroute refuses or can't do.

    >>> try:
    ...     route = await router.resolve("+919513456728")
    ... except lkroute.Unresolved as error:
    ...     error.code, error.exit
    ('several-tenants', 1)
    """

    code: str = "error"
    exit: int = 1
    hint: Optional[str] = None
    trace: Sequence[Step] = ()

    def __init__(
        self,
        message: str,
        *,
        code: Optional[str] = None,
        hint: Optional[str] = None,
        trace: Sequence[Step] = (),
        exit: Optional[int] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if exit is not None:
            self.exit = exit
        self.hint = hint
        self.trace = tuple(trace)

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}; {self.hint}"

    def __reduce__(self) -> "tuple[Any, ...]":
        # With its attributes: among them the call that a CallError is about.
        return (type(self), (self.message,), vars(self))


class UsageError(Error):
    """The call itself is wrong: an option, a uuid, a reserved key."""

    code = "usage"


class BadKeys(Error):
    """The keys that open secrets can't be read, or are none."""

    code = "keys"


class BadNumber(Error):
    """The calling or the called number can't be read."""

    code = "bad-number"


class LookupFailed(Error):
    """The database is away, or holds what can't be read. No call: it is not
    known where it would go."""

    code = "lookup-failed"


class WrongDatabase(Error):
    """The database belongs to another environment, or is of a newer lkroute,
    or hides rows."""

    code = "wrong-database"


class Unresolved(Error):
    """The look-up worked and leads nowhere: several matches, a config that is
    gone, no trunk, no credentials."""

    code = "unresolved"


class Refused(Error):
    """The rules of the number don't allow the call."""

    code = "refused"
    exit = 9


class EnvironmentRefused(Unresolved):
    """The credentials would come from the environment, and the router is
    strict."""

    code = "environment-credentials"


class SecretNotOpened(Error):
    """The secret of the route does not open with the keys at hand."""

    code = "secret-not-opened"


class PlainTextSecret(Error):
    """The secret stands in the database as plain text."""

    code = "plain-text-secret"


class UntrustedServer(Error):
    """A token would go to a server that nobody approved."""

    code = "untrusted-server"
    exit = 6


class KeyClash(UsageError):
    """The idempotency key belongs to a call between other numbers."""

    code = "key-clash"


class RecordFailed(Error):
    """The table of calls can't be written or read. Nothing was sent."""

    code = "record-failed"


class KeyInUse(RecordFailed):
    """Other calls are using the idempotency key at this moment. Nothing was
    sent."""

    code = "key-in-use"


class CallError(Error):
    """A call that did not get all the way: ``call`` is what is known of it."""

    call: "Optional[Call]" = None


class CallFailed(CallError):
    """There is no call: ``code`` is the cause. With the same key it may be tried
    again."""

    code = "call-failed"


class CallUnknown(CallError):
    """Whether there is a call, or an agent in it, can't be known. Calling again
    may call a person twice."""

    code = "unknown"
    exit = 8


class NoAgent(CallError):
    """The server accepted the call, and was seen to have no agent for it."""

    code = "no-agent"
    exit = 10


class NotDialled(CallError):
    """With ``sip``: an agent took the call, and the person was not reached. The
    message says whether a phone rang."""

    code = "not-dialled"


class CallCancelled(CallError):
    """The first call with this key was ended by ``lkroute cancel``."""

    code = "cancelled"


class TrunkLacksNumber(CallFailed, Refused):
    """There is no call: its trunk does not list the calling number."""

    code = "trunk-lacks-number"
    exit = 9


class InternalError(Error):
    """A bug in lkroute."""

    code = "internal"


_BY_CODE: dict[str, type[Error]] = {
    kind.code: kind
    for kind in (
        UsageError,
        BadKeys,
        BadNumber,
        LookupFailed,
        WrongDatabase,
        EnvironmentRefused,
        SecretNotOpened,
        PlainTextSecret,
        UntrustedServer,
        KeyClash,
        RecordFailed,
        KeyInUse,
        InternalError,
    )
}

_BY_STATUS: dict[str, type[CallError]] = {
    "failed": CallFailed,
    "unknown": CallUnknown,
    "in_queue": CallUnknown,
    "no_agent": NoAgent,
    "not_dialled": NotDialled,
    "cancelled": CallCancelled,
}


def make_call_error(
    call: "Call", message: str, hint: Optional[str], code: Optional[str], exit: int
) -> CallError:
    """The exception for a call that did not get all the way."""
    kind = _BY_STATUS.get(call.status, CallUnknown)
    if kind is CallFailed and code == TrunkLacksNumber.code:
        kind = TrunkLacksNumber
    error = kind(message, code=code, hint=hint, exit=exit)
    error.call = call
    return error


def make_error(
    code: Optional[str],
    exit: int,
    message: str,
    hint: Optional[str],
    trace: Sequence[tuple[str, str, str]],
) -> Error:
    """The exception for an error of the core. Called by it."""
    kind = _BY_CODE.get(code or "")
    if kind is None:
        kind = {6: WrongDatabase, 9: Refused}.get(exit)
    if kind is None:
        kind = Unresolved if trace or code else LookupFailed
    steps = [Step(*step) for step in trace]
    return kind(message, code=code or kind.code, hint=hint, trace=steps, exit=exit)
