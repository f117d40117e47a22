"""How a call ended, in the words of the command."""

from __future__ import annotations

from typing import Any, Optional

from ._causes import Trouble
from ._core import CallRequest
from .errors import CallFailed, CallUnknown, NoAgent

#: A server may take this long to list a job.
JOB_LISTED_WITHIN = 6.0
TWICE = "calling again may call a person twice"


class Ended(Exception):
    """Why there is no sure call."""

    def __init__(
        self, kind: str, trouble: Optional[Trouble] = None, wait: float = 0.0, cause: Optional[str] = None
    ) -> None:
        super().__init__(kind)
        self.kind, self.trouble, self.wait = kind, trouble, wait
        self.cause = cause or (trouble.code if trouble else None)


def finish(
    request: CallRequest, record: "dict[str, Any]", ended: Optional[Ended]
) -> "Optional[CallFailed]":
    """Notes how it ended in the record, and gives the exception that says so."""
    if ended is None:
        return None
    if ended.cause is not None:
        record["detail"]["cause"] = ended.cause
    said = _said(request, record["status"], ended)
    if said is None:
        return None
    record["status"], error = said
    record["detail"]["message"] = error.message
    return error


def _said(
    request: CallRequest, status: str, ended: Ended
) -> "Optional[tuple[str, CallFailed]]":
    kind, why = ended.kind, ended.trouble
    room, worker = request.room, request.worker
    if kind == "failed" and why is not None:
        message = f"no call was placed: {why.meaning()}"
        return "failed", CallFailed(message, code=why.code, hint=why.remedy())
    if kind == "trunk-lacks-number":
        message = (
            f"no call was placed: trunk {request.trunk_id} does not list {request.from_number}, so the "
            "call would show another number or go out by the wrong carrier"
        )
        hint = "add the number to the trunk's numbers, or bind it to the config that has it"
        return "failed", CallFailed(message, code=kind, hint=hint, exit=9)
    if kind == "no-agent":
        within = f" in deployment `{request.deployment}`" if request.deployment else ""
        message = (
            f"the server accepted the call, but no agent took it within {_shown(ended.wait)}: no worker "
            f"called `{worker}`{within} is running there, or none is free"
        )
        hint = (
            "start the worker under that name, or correct worker_name; a worker that starts later does "
            f"not take this call (room {room}); should one have been there unseen, {TWICE}"
        )
        return "no_agent", NoAgent(message, hint=hint)
    if kind == "interrupted" and status == "picked_up":
        return None
    meaning = why.meaning() if why is not None else ""
    words = {
        "unknown": f"whether the call was placed ({meaning}) can't be known",
        "too-short": "the server accepted the call, and no agent was seen within "
        f"{_shown(ended.wait)}, which is too short to say that none came: LiveKit may list a job only "
        f"after {JOB_LISTED_WITHIN:.0f} s",
        "gone": "the server accepted the call, but room or dispatch were gone before an agent was seen: "
        "the call was short, or the server restarted",
        "not-seen": "the server accepted the call, but whether an agent took it could not be seen: "
        f"{meaning}",
        "interrupted": "interrupted after the server accepted the call; whether an agent took it was not seen"
        if status == "accepted"
        else "whether the call was placed before the interruption can't be known",
    }
    hint = f"`lkroute dispatches --refresh {room}` looks again; {TWICE}"
    code = ended.cause or "unknown"
    return "unknown", CallUnknown(f"{words[kind]}; room {room}", code=code, hint=hint)


def _shown(wait: float) -> str:
    """``10s``, ``1m 30s``."""
    whole, thousandths = divmod(round(wait * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    parts = [(minutes, "m"), (seconds, "s"), (thousandths, "ms")]
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
