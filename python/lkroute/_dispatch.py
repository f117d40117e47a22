"""Placing one call as ``lkroute dispatch`` does: the record first, one create,
never a second call for one command."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Mapping, Optional

import aiohttp
from livekit.protocol import agent_dispatch, models, room, sip

from ._causes import PASSING, Trouble, one_line
from ._client import Client
from ._core import CallRequest, Question, Route
from ._outcome import JOB_LISTED_WITHIN, TWICE, Ended, finish
from ._record import actor, now, read_record, write_record
from .errors import CallFailed, CallUnknown, Error, NoAgent

#: Sends a statement with one value, and gives the one text that it gives.
Send = Callable[[str, str], Awaitable[Optional[str]]]

#: What was there is gone when it was gone for so long.
GONE_FOR = 3.0
#: An agent that took a job is in the room by then, or never.
JOINS_WITHIN = 5.0
POLL = 0.5


@dataclass(frozen=True)
class Call:
    """A call that was placed."""

    #: ``accepted`` (by the server; nobody looked further) or ``picked_up``.
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
    warnings: "list[str]" = field(default_factory=list)


class CallUnderWay:
    """One call that is being placed, and what is known of it so far."""

    def __init__(
        self, client: Client, request: CallRequest, record: "dict[str, Any]", whole: float, settle: float
    ) -> None:
        self._client = client
        self._request = request
        self.record = record
        self.warnings: "list[str]" = []
        self._whole = whole
        self._settle = settle

    async def send(self, wait: Optional[float], note: Callable[[], Awaitable[None]]) -> None:
        not_looked_at = await self._look_at_trunk()
        await self._dispatch()
        if not_looked_at:
            self.warnings.append(not_looked_at)
        if wait is not None:
            await note()
            await self._agent_took_it(wait)

    def _until(self, limit: float) -> float:
        return time.monotonic() + limit

    async def _look_at_trunk(self) -> Optional[str]:
        trunk, number = self._request.trunk_id, self._request.from_number
        try:
            listed = await self._client.ask(
                "sip",
                "SIP/ListSIPOutboundTrunk",
                sip.ListSIPOutboundTrunkRequest(),
                sip.ListSIPOutboundTrunkResponse,
                self._until(self._client._step),
                sip={"admin": True},
            )
        except Trouble as failed:
            return (
                f"whether trunk {trunk} is there and lists {number} was not seen: "
                f"{failed.meaning()}"
            )
        found = [item for item in listed.items if item.sip_trunk_id == trunk]
        if not found:
            raise Ended("failed", Trouble("trunk-missing", trunk))
        if not _lists_number(found[0].numbers, number):
            raise Ended("trunk-lacks-number", cause="trunk-lacks-number")
        return None

    async def _dispatch(self) -> None:
        until = self._until(self._whole)
        await self._create_room(until)
        request = self._request
        wanted = agent_dispatch.CreateAgentDispatchRequest(
            agent_name=request.worker, room=request.room, metadata=request.metadata
        )
        if request.deployment is not None:
            wanted.deployment = request.deployment
        try:
            made = await self._client.ask(
                "dispatches",
                "AgentDispatchService/CreateDispatch",
                wanted,
                agent_dispatch.AgentDispatch,
                until,
                video={"roomAdmin": True, "room": request.room},
            )
            if not made.id:
                raise Trouble("unreadable", done="unclear")
            self.record["dispatch_id"] = made.id
        except Trouble as failed:
            if failed.done != "unclear":
                raise Ended("failed", failed) from None
            await self._find_it_again(failed)
            self.record["detail"]["adopted"] = True
        self.record["status"] = "accepted"

    async def _create_room(self, until: float) -> None:
        """May be repeated, as it has a name."""
        wanted = room.CreateRoomRequest(name=self._request.room)
        for pause in (POLL / 2, POLL * 2, None):
            try:
                made = await self._client.ask(
                    "rooms", "RoomService/CreateRoom", wanted, models.Room, until, video={"roomCreate": True}
                )
                if made.name == wanted.name:
                    return
                why = Trouble("not-livekit")
            except Trouble as failed:
                why = failed
            if pause is None or why.code not in PASSING or time.monotonic() + pause >= until:
                raise Ended("failed", why)
            await asyncio.sleep(pause)

    async def _find_it_again(self, why: Trouble) -> None:
        """Looks for what an unclear create made."""
        until = self._until(self._settle)
        while True:
            try:
                for listed in await self._list_dispatches():
                    if listed.id and listed.agent_name == self._request.worker and self._is_ours(listed):
                        self.record["dispatch_id"] = listed.id
                        return
            except Trouble:
                pass
            if time.monotonic() + POLL >= until:
                raise Ended("unknown", why)
            await asyncio.sleep(POLL)

    def _is_ours(self, listed: Any) -> bool:
        try:
            return bool(json.loads(listed.metadata)["job_id"] == self._request.job_id)
        except (ValueError, KeyError, TypeError):
            return False

    async def _list_dispatches(self) -> Any:
        name = self._request.room
        listed = await self._client.ask(
            "dispatches",
            "AgentDispatchService/ListDispatch",
            agent_dispatch.ListAgentDispatchRequest(room=name),
            agent_dispatch.ListAgentDispatchResponse,
            self._until(self._client._step),
            video={"roomAdmin": True, "room": name},
        )
        return listed.agent_dispatches

    async def _agent_in_room(self) -> Optional[str]:
        name = self._request.room
        try:
            listed = await self._client.ask(
                "dispatches",
                "RoomService/ListParticipants",
                room.ListParticipantsRequest(room=name),
                room.ListParticipantsResponse,
                self._until(self._client._step),
                video={"roomAdmin": True, "room": name},
            )
        except Trouble as failed:
            if failed.code == "room-missing":
                return None
            raise
        info = models.ParticipantInfo
        for there in listed.participants:
            if there.kind == info.Kind.AGENT and there.state != info.State.DISCONNECTED:
                return str(there.identity)
        return None

    async def _look(self) -> "tuple[str, Any]":
        """``there`` with the job or the identity, ``listed``, ``gone`` or ``not known``."""
        mine = None
        try:
            for listed in await self._list_dispatches():
                if listed.id == self.record["dispatch_id"]:
                    mine = listed
        except Trouble as failed:
            if failed.code != "room-missing":
                return "not known", failed
        if mine is not None and mine.state.jobs:
            return "there", mine.state.jobs[0]
        try:
            identity = await self._agent_in_room()
        except Trouble as failed:
            return "not known", failed
        if identity is not None:
            return "there", identity
        return ("gone", None) if mine is None else ("listed", None)

    async def _agent_took_it(self, wait: float) -> None:
        began = time.monotonic()
        gone_since: Optional[float] = None
        interrupted: Optional[Trouble] = None
        while True:
            look, seen = await self._look()
            if look == "there":
                break
            if look == "listed":
                gone_since = None
            elif look == "gone":
                gone_since = gone_since or time.monotonic()
                interrupted = interrupted or Trouble("room-missing")
            else:
                gone_since, interrupted = None, interrupted or seen
            gone = gone_since is not None and time.monotonic() - gone_since >= GONE_FOR
            if gone or time.monotonic() - began + POLL >= wait:
                if look == "gone":
                    raise Ended("gone", cause="gone")
                if look == "not known" or interrupted is not None:
                    raise Ended("not-seen", seen if look == "not known" else interrupted)
                raise Ended("too-short" if wait < JOB_LISTED_WITHIN else "no-agent", wait=wait)
            await asyncio.sleep(POLL)
        self._note_agent(seen)
        if self.record["detail"].get("in_room") is None:
            self.record["detail"]["in_room"] = await self._joins()
        if self.record["detail"]["in_room"] is None:
            self.warnings.append(
                "an agent took the job, and was not seen in the room within "
                f"{JOINS_WITHIN:.0f} s: the call was short, or the agent failed (its log tells)"
            )

    async def _joins(self) -> Optional[str]:
        began = time.monotonic()
        while True:
            try:
                identity = await self._agent_in_room()
            except Trouble:
                identity = None
            if identity is not None or time.monotonic() - began + POLL >= JOINS_WITHIN:
                return identity
            await asyncio.sleep(POLL)

    def _note_agent(self, seen: Any) -> None:
        self.record["status"] = "picked_up"
        if isinstance(seen, str):
            self.record["detail"]["in_room"] = seen
            return
        self.record["worker_seen"] = seen.agent_name
        names = {0: "pending", 1: "running", 2: "success", 3: "failed"}
        self.record["detail"]["agent"] = {
            "job_id": seen.id,
            "agent_name": seen.agent_name,
            "worker_id": seen.state.worker_id,
            "participant": seen.state.participant_identity,
            "status": names.get(seen.state.status, "pending"),
            "error": one_line(seen.state.error) or None,
        }


def _lists_number(listed: Any, number: str) -> bool:
    """A trunk lists no number, all of them, or this one."""

    def digits(text: str) -> str:
        return "".join(char for char in text if char in "0123456789")

    return not listed or "*" in listed or digits(number) in map(digits, listed)


async def place_call(
    send: Send,
    statements: "Mapping[str, str]",
    question: Question,
    route: Route,
    request: CallRequest,
    *,
    idempotency_key: Optional[str],
    wait_for_agent: Optional[float],
    timeout: float,
    settle: float,
) -> Call:
    """Records, sends, and records what became of it."""
    record: dict[str, Any] = json.loads(request.record(now(), actor(), idempotency_key))
    for _ in range(3):
        if await send(statements["insert"], write_record(record)) is not None:
            break
        # A key that another call gives back in between is tried again.
        if idempotency_key is not None:
            first = await send(statements["of_key"], idempotency_key)
            if first is not None:
                return repeated(read_record(first), question)
    else:
        raise Error("the idempotency key is being used by other calls at this moment", code="key-in-use")

    warnings: "list[str]" = []

    async def complete(kept: "dict[str, Any]", what: str) -> None:
        try:
            if await send(statements["complete"], write_record(kept)) is None:
                raise Error("the record of a call is gone", code="record-gone")
        except Error as error:
            warnings.append(f"{what} could not be {'recorded' if 'that' in what else 'completed'}: {error.message}")

    async def note() -> None:
        await complete(record, "that the call was accepted")

    ended: Optional[Ended] = None
    interruption: Optional[BaseException] = None
    async with aiohttp.ClientSession(trust_env=True) as session:
        try:
            client = Client(session, route, timeout)
            under_way = CallUnderWay(client, request, record, timeout * 6, settle)
            under_way.warnings = warnings
            await under_way.send(wait_for_agent, note)
        except Ended as why:
            ended = why
        except Trouble as failed:
            ended = Ended("failed", failed)
        except BaseException as cancelled:
            ended, interruption = Ended("interrupted"), cancelled
    error = finish(request, record, ended)
    record["finished_at"] = now()
    kept = dict(record)
    if record["status"] == "failed":
        # There is no call: the key may be tried again.
        kept["idempotency_key"] = None
    completing = asyncio.ensure_future(complete(kept, "the record of this call"))
    try:
        await asyncio.shield(completing)
    except asyncio.CancelledError as cancelled:
        interruption = cancelled
        await completing
    if interruption is not None:
        raise interruption
    call = _call(record, warnings)
    if error is not None:
        error.call = call
        raise error
    return call




def _call(record: "Mapping[str, Any]", warnings: "list[str]", repeated: bool = False) -> Call:
    return Call(
        status=record["status"],
        room=record["room"],
        dispatch_id=record["dispatch_id"],
        worker=record["worker"],
        worker_seen=record["worker_seen"],
        record_id=record["id"],
        repeated=repeated,
        in_room=record["detail"].get("in_room"),
        warnings=warnings,
    )


_EXITS = {"accepted": 0, "picked_up": 0, "answered": 0, "no_agent": 10, "in_queue": 8, "unknown": 8}


def repeated(first: "dict[str, Any]", question: Question) -> Call:
    """The first outcome of a key; nothing is sent."""
    asked_for = first["detail"].get("to_input") or ""
    if not question.is_of(first["from_number"], first["to_number"], asked_for, first["tenant_id"]):
        raise Error(
            f"the idempotency key `{first['idempotency_key']}` belongs to a call from "
            f"+{first['from_number']} to {first['to_number']}",
            code="key-clash",
            hint="give each call a key of its own",
        )
    call = _call(first, [], repeated=True)
    message, exit = first["detail"].get("message"), _EXITS.get(call.status, 1)
    if message is None and call.status == "in_queue":
        message = f"lkroute was ended before it knew what became of it; its room would be {call.room}"
    if message is None:
        return call
    kind = {8: CallUnknown, 10: NoAgent}.get(exit, CallFailed)
    hint = f"`lkroute dispatches --refresh {call.room}` looks again; {TWICE}" if exit == 8 else None
    code = first["detail"].get("cause") or kind.code
    error = kind(f"the first call with this key: {message}", code=code, hint=hint, exit=exit)
    error.call = call
    raise error
