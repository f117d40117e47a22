"""One LiveKit server. On ``livekit-api``: its messages; not its client, which
repeats creates, follows servers elsewhere and signs for six hours."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Mapping, TypeVar
from urllib.parse import urlsplit

import aiohttp
import jwt

from ._causes import Trouble, of_reply, trouble
from ._core import Route

Message = TypeVar("Message")

#: Of a token, in seconds.
LIFETIME = 300
LONGEST_BODY = 4 * 1024 * 1024


class Client:
    """One server. It follows no redirect, and repeats nothing by itself."""

    def __init__(self, session: aiohttp.ClientSession, route: Route, step: float) -> None:
        base = urlsplit(route.url)
        scheme = {"ws": "http", "wss": "https"}.get(base.scheme, base.scheme)
        if scheme not in ("http", "https") or not base.hostname:
            raise Trouble("bad-url", done="not sent")
        self._base = f"{scheme}://{base.netloc}"
        self._session = session
        self._key, self._secret = route.api_key, route.api_secret
        self._step = step

    def _token(self, video: Mapping[str, Any], sip_grants: Mapping[str, Any]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {"iss": self._key, "nbf": now, "exp": now + LIFETIME}
        if video:
            claims["video"] = dict(video)
        if sip_grants:
            claims["sip"] = dict(sip_grants)
        return jwt.encode(claims, self._secret, algorithm="HS256")

    async def ask(
        self,
        asked: str,
        method: str,
        message: Any,
        answer: "type[Message]",
        until: float,
        *,
        video: Mapping[str, Any] = {},
        sip: Mapping[str, Any] = {},
    ) -> Message:
        left = min(self._step, until - time.monotonic())
        if left <= 0:
            raise Trouble("timeout", done="not sent")
        sent = {
            "Authorization": f"Bearer {self._token(video, sip)}",
            "Content-Type": "application/protobuf",
        }
        try:
            async with self._session.post(
                f"{self._base}/twirp/livekit.{method}",
                data=message.SerializeToString(),
                headers=sent,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=left),
            ) as reply:
                body = await _read(reply)
                status, headers = reply.status, reply.headers
        except asyncio.TimeoutError:
            raise Trouble("timeout", done="unclear") from None
        except aiohttp.ClientError as error:
            raise _of_client(error) from None
        kind = headers.get("Content-Type", "")
        if status != 200 or not kind.startswith("application/protobuf"):
            raise of_reply(asked, status, headers, body)
        if len(body) > LONGEST_BODY:
            raise Trouble("unreadable", f"longer than {LONGEST_BODY} bytes", "unclear")
        try:
            return answer.FromString(body)  # type: ignore[attr-defined, no-any-return]
        except Exception:
            raise Trouble("unreadable", done="unclear") from None


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in reply.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LONGEST_BODY:
            break
    return body


def _of_client(error: aiohttp.ClientError) -> Trouble:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return trouble("tls", str(error.certificate_error), "not sent")
    if isinstance(error, aiohttp.ClientSSLError):
        return trouble("tls", str(error), "not sent")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Trouble("dns", done="not sent")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Trouble("proxy", done="not sent")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Trouble("refused", done="not sent")
    return Trouble("connection-lost", done="unclear")
