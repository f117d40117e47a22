"""What became of a call. It takes nothing of LiveKit's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class Call:
    """A call that was placed."""

    #: ``accepted`` (by the server; nobody looked further), ``picked_up``, or
    #: with ``sip``: ``answered``.
    status: str
    room: str
    dispatch_id: Optional[str]
    #: The worker that was asked for, and the one that took the job.
    worker: str
    worker_seen: Optional[str]
    #: Of lkroute's own record.
    record_id: str
    #: Nothing was sent: this is what became of the first call with the key.
    repeated: bool = False
    #: The agent's identity in the room, where it was seen there.
    in_room: Optional[str] = None
    #: The config by which the call went, where it was not the number's own, and
    #: why.
    fallback: Optional[str] = None
    fallback_because: Optional[str] = None
    #: With ``sip``: from dialling to the answer, in seconds, and the carrier's
    #: answer where it was none.
    answered_after: Optional[float] = None
    sip_status: Optional[int] = None
    warnings: "list[str]" = field(default_factory=list)
