"""One request to a LiveKit server. On ``livekit-api``: its messages; not its
client, which repeats creates, follows servers elsewhere and signs for six hours.

What a request is, and what its answer means, says the core."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any, Optional

import aiohttp
import jwt
from google.protobuf.json_format import MessageToDict, ParseDict
from livekit.protocol import agent_dispatch, models, room, sip

from ._core import Placing

_log = logging.getLogger("lkroute")

#: Of a token, in seconds.
LIFETIME = 300
LONGEST_BODY = 4 * 1024 * 1024

_MESSAGES: "dict[str, tuple[Any, Any]]" = {
    "SIP/ListSIPOutboundTrunk": (sip.ListSIPOutboundTrunkRequest, sip.ListSIPOutboundTrunkResponse),
    "SIP/CreateSIPParticipant": (sip.CreateSIPParticipantRequest, sip.SIPParticipantInfo),
    "RoomService/CreateRoom": (room.CreateRoomRequest, models.Room),
    "RoomService/ListParticipants": (room.ListParticipantsRequest, room.ListParticipantsResponse),
    "AgentDispatchService/CreateDispatch": (
        agent_dispatch.CreateAgentDispatchRequest,
        agent_dispatch.AgentDispatch,
    ),
    "AgentDispatchService/ListDispatch": (
        agent_dispatch.ListAgentDispatchRequest,
        agent_dispatch.ListAgentDispatchResponse,
    ),
}


# Older ones have none of its own.
_DNS_ERRORS: "tuple[type[Exception], ...]" = tuple(
    getattr(aiohttp, name) for name in ("ClientConnectorDNSError",) if hasattr(aiohttp, name)
)


def knows_deployments() -> bool:
    """Whether the ``livekit-api`` that is installed can name a deployment."""
    fields = agent_dispatch.CreateAgentDispatchRequest.DESCRIPTOR.fields_by_name
    return "deployment" in fields


class Client:
    """A server of a call. It follows no redirect, and repeats nothing."""

    def __init__(self, placing: Placing, second: bool) -> None:
        self._base, self._key, self._secret, local = placing.credentials(second)
        self._session = aiohttp.ClientSession()
        # No proxy is asked for a server of this machine.
        self._proxy = None if local else _proxy_for(self._base)

    async def close(self) -> None:
        await self._session.close()

    def _token(self, grants: "dict[str, Any]") -> str:
        now = int(time.time())
        claims = {"iss": self._key, "nbf": now, "exp": now + LIFETIME, **grants}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    async def post(self, wanted: "dict[str, Any]") -> "dict[str, Any]":
        """The answer, as the core reads it."""
        asked, answered = _MESSAGES[wanted["method"]]
        message = ParseDict(wanted["message"], asked())
        grants = {name: wanted[name] for name in ("video", "sip") if wanted[name]}
        sent = {
            "Authorization": f"Bearer {self._token(grants)}",
            "Content-Type": "application/protobuf",
        }
        if self._proxy is not None and not self._proxy.startswith(("http://", "https://")):
            # aiohttp has none of another kind.
            return {"cause": "proxy", "sent": False}
        try:
            async with self._session.post(
                f"{self._base}twirp/livekit.{wanted['method']}",
                data=message.SerializeToString(),
                headers=sent,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=wanted["limit"]),
            ) as reply:
                body = await _read(reply)
        except asyncio.TimeoutError:
            return {"cause": "timeout"}
        except aiohttp.ClientError as error:
            return _not_answered(error)
        except Exception as error:
            ended_by = error.__context__
            if isinstance(ended_by, (asyncio.CancelledError, GeneratorExit)):
                raise ended_by from None
            # What else aiohttp raises: the call goes on as where an answer is lost.
            _log.warning("a request to LiveKit failed: %s", type(error).__name__)
            return {"cause": "connection-lost"}
        kind = _header(reply, "Content-Type")
        if reply.status != 200 or not kind.startswith("application/protobuf"):
            return {
                "reply": {
                    "status": reply.status,
                    "reason": _reason(reply.status),
                    "content_type": kind,
                    "location": _header(reply, "Location"),
                    "body": body.decode(errors="replace"),
                }
            }
        if len(body) > LONGEST_BODY:
            return {"cause": "unreadable", "detail": f"longer than {LONGEST_BODY} bytes"}
        try:
            given = answered.FromString(body)
        except Exception:
            return {"cause": "unreadable"}
        return {"message": MessageToDict(given, preserving_proto_field_name=True)}


def _proxy_for(url: str) -> Optional[str]:
    """The proxy of the environment. aiohttp would find it, too, and take a user of
    ~/.netrc for the server in place of the token."""
    parts, proxies = urllib.parse.urlsplit(url), urllib.request.getproxies()
    if urllib.request.proxy_bypass(parts.netloc) or _is_within(parts.hostname, proxies.get("no", "")):
        return None
    found = proxies.get(parts.scheme) or proxies.get("all")
    return found if found is None or "://" in found else f"http://{found}"


def _is_within(host: Optional[str], ranges: str) -> bool:
    """Whether the host is an address in a range of ``NO_PROXY``, as the command has
    it: Python itself looks for names alone."""
    for text in ranges.split(","):
        with suppress(ValueError):
            if ip_address(host or "") in ip_network(text.strip(), strict=False):
                return True
    return False


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in reply.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LONGEST_BODY:
            break
    return body


def _header(reply: aiohttp.ClientResponse, name: str) -> str:
    """One that is no text counts as none, as the command has it."""
    value = reply.headers.get(name, "")
    return value if value.isascii() else ""


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "<unknown status code>"


def _not_answered(error: aiohttp.ClientError) -> "dict[str, Any]":
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return {"cause": "tls", "detail": str(error.certificate_error), "sent": False}
    if isinstance(error, aiohttp.ClientSSLError):
        return {"cause": "tls", "detail": str(error), "sent": False}
    if isinstance(error, _DNS_ERRORS) or isinstance(getattr(error, "os_error", None), socket.gaierror):
        return {"cause": "dns", "sent": False}
    if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        return {"cause": "proxy", "sent": False}
    if isinstance(error, aiohttp.ClientConnectorError):
        return {"cause": "refused", "sent": False}
    return {"cause": "connection-lost"}
