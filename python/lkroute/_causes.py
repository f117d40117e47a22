"""Why LiveKit did not do what was asked, from its answers: as the command says
it (a test holds both to one another)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Mapping, Optional

#: What has happened, and what to do about it, by a stable code.
CAUSES: "dict[str, tuple[str, str]]" = {
    "bad-url": (
        "the URL does not name a LiveKit server",
        "write scheme, host and port, as in wss://livekit.example:443",
    ),
    "bad-credentials": (
        "no token can be made of the API key and secret",
        "put both into the config",
    ),
    "dns": (
        "the host name has no address",
        "check its spelling and the DNS of this machine",
    ),
    "refused": (
        "nothing accepts connections at that host and port",
        "check that the server runs, its port, and firewalls",
    ),
    "tls": (
        "no trusted TLS connection",
        "check scheme, port and certificate; for a private CA point SSL_CERT_FILE at its certificate",
    ),
    "proxy": (
        "the proxy did not let the connection through",
        "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
    ),
    "timeout": (
        "no answer within the time limit",
        "check firewalls and the load of the server, or allow more time",
    ),
    "connection-lost": (
        "the connection broke before the answer was complete",
        "check the server's log and what stands between (proxy, load balancer)",
    ),
    "redirect": (
        "the address redirects elsewhere",
        "put the final address into the config",
    ),
    "not-livekit": (
        "something answers there, but it is not LiveKit",
        "check host and port, and what a proxy there passes on",
    ),
    "unreadable": (
        "the answer could not be read",
        "check what stands between here and LiveKit (proxy, load balancer)",
    ),
    "key-unknown": (
        "the server does not know the API key",
        "put a key of this server into the config, or add this one to the server",
    ),
    "secret-wrong": (
        "the server knows the key, but the secret is wrong",
        "seal the secret that belongs to this key and apply again",
    ),
    "clock-skew": (
        "key and secret are right, but the clocks differ by more than a minute",
        "set the clocks of this machine and of the server (NTP)",
    ),
    "no-grant": (
        "key and secret are right, but the server denies this permission",
        "use a key that has the permission",
    ),
    "room-missing": (
        "the server has no such room",
        "look whether it was closed, and whether the server creates rooms",
    ),
    "trunk-missing": (
        "the server has no such SIP trunk",
        "create the trunk there, or correct the id in the config",
    ),
    "sip-needs-redis": (
        "the server runs without redis and therefore without SIP",
        "give the server a redis and start the SIP service",
    ),
    "sip-not-running": (
        "no SIP service answers behind the server",
        "start livekit-sip with the same redis",
    ),
    "rejected": (
        "the server rejected the request",
        "see its words",
    ),
    "unavailable": (
        "the server could not do it",
        "look into its log and try again later",
    ),
}

#: Asking again, without changing something first, may help.
PASSING = {"dns", "refused", "timeout", "connection-lost", "not-ready", "unreadable", "unavailable"}

#: Twirp sends these codes with a 4xx, and they are final; with all others the
#: server may have done what was asked.
_FINAL = {
    "invalid_argument",
    "malformed",
    "out_of_range",
    "not_found",
    "bad_route",
    "already_exists",
    "permission_denied",
    "unauthenticated",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
}

_TOKEN = re.compile(r"eyJ[A-Za-z0-9._-]{6,}")
_LONGEST = 200


@dataclass(frozen=True)
class Trouble(Exception):
    """A request that brought no good answer."""

    code: str
    detail: Optional[str] = None
    #: ``not sent``, ``refused``, or ``unclear``: it may have been carried out.
    done: str = "refused"

    def meaning(self) -> str:
        meaning = CAUSES[self.code][0]
        return meaning if self.detail is None else f"{meaning} ({self.detail})"

    def remedy(self) -> str:
        return CAUSES[self.code][1]


def trouble(code: str, detail: str, done: str) -> Trouble:
    """With words of others, made fit to show."""
    line = one_line(detail)
    # There they only say the same once more.
    repeats = code in ("refused", "secret-wrong")
    return Trouble(code, line if line and not repeats else None, done)


def one_line(text: str) -> str:
    """One line without tokens and control characters. LiveKit's own error texts
    repeat the whole token."""
    words = " ".join(_TOKEN.sub("<token>", text).split())
    shown = "".join(char for char in words if char.isprintable())[:_LONGEST]
    return shown + "…" if len(words) > _LONGEST else shown


def of_reply(asked: str, status: int, headers: Mapping[str, str], body: bytes) -> Trouble:
    """What an answer means that is not a good one. ``asked`` is ``rooms``,
    ``dispatches`` or ``sip``."""
    if status != 200:
        said = _twirp(body)
        if said is not None:
            return _answered(asked, said["code"], str(said.get("msg") or ""))
        text = body[: 16 * 1024].decode(errors="replace")
        if status == 401:
            token = _refused_token(one_line(text))
            if token is not None:
                return token
    done = "unclear" if status == 200 or status >= 500 or status == 408 else "refused"
    try:
        line = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        line = f"{status} <unknown status code>"
    if 300 <= status < 400:
        return trouble("redirect", f"{line} to {headers.get('Location', '')}", done)
    text = body[: 16 * 1024].decode(errors="replace")
    if not text.strip():
        text = "an empty answer"
    elif headers.get("Content-Type", "").startswith("text/html") or text.lstrip().startswith("<"):
        text = "an HTML page"
    return trouble("unavailable" if status >= 500 else "not-livekit", f"{line}: {text}", done)


def _twirp(body: bytes) -> "Optional[dict[str, Any]]":
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) and isinstance(said.get("code"), str) else None


def _answered(asked: str, code: str, msg: str) -> Trouble:
    msg = msg.removeprefix("twirp error unknown: ")
    no_one = "no response from servers" in msg
    final = code in _FINAL
    if code in ("unauthenticated", "permission_denied"):
        cause = "no-grant"
    elif code == "not_found" and "sip trunk" in msg:
        cause = "trunk-missing"
    elif code == "not_found" and "room" in msg:
        cause = "room-missing"
    elif "sip not connected" in msg:
        cause, final = "sip-needs-redis", True
    elif code == "unavailable" and no_one and asked == "dispatches":
        cause = "room-missing"
    elif code == "unavailable" and no_one and asked == "sip":
        cause, final = "sip-not-running", True
    elif code == "resource_exhausted" or not final:
        cause = "unavailable"
    else:
        cause = "rejected"
    return trouble(cause, f"{code}: {msg}", "refused" if final else "unclear")


def _refused_token(text: str) -> Optional[Trouble]:
    """livekit-server's plain-text refusals: the key is looked at first, then the
    signature, then the times."""
    if text.startswith("invalid API key"):
        return trouble("key-unknown", text, "refused")
    if text.startswith("invalid token"):
        if "signature" in text:
            return trouble("secret-wrong", text, "refused")
        if "expired" in text or "not valid yet" in text:
            return trouble("clock-skew", text, "refused")
    return None
