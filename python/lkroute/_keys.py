"""The keys that open secrets, found as the command finds them."""

from __future__ import annotations

import os
from typing import Optional, Union

from ._core import Environ, Keys
from .errors import Error, UsageError

# A ring has some hundred bytes.
_LONGEST_RING = 1 << 20


def find_keys(environ: Environ, keys: Optional[str]) -> Union[Keys, Exception]:
    """``keys`` is the text of a ring; else ``LKROUTE_KEYS``, else the file that
    ``LKROUTE_KEYS_FILE`` names. The Fernet keys come from their variables.

    An error is returned, to be raised from where no variable holds a key: some
    loggers show the variables of each frame."""
    try:
        return _read_keys(environ, keys)
    except (Error, TypeError) as error:
        return error.with_traceback(None)
    except Exception as error:
        # Of a mapping of the service's own; what it says may quote anything.
        return UsageError(f"the keys can't be looked for: {type(error).__name__}")


def _check_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: say a text, not {type(value).__name__}")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise Error(f"{name} can't be read: it is not UTF-8", code="keys", hint="set it again, from a text file")
    return value


def _read_keys(environ: Environ, keys: Optional[str]) -> Keys:
    def read(name: str) -> Optional[str]:
        value = environ.get(name)
        return None if value is None or not _check_text(name, value).strip() else value

    ring = None
    if keys is not None:
        ring = ("keys", _check_text("keys", keys))
    elif (text := read("LKROUTE_KEYS")) is not None:
        ring = ("LKROUTE_KEYS", text)
    elif (path := read("LKROUTE_KEYS_FILE")) is not None:
        ring = ("LKROUTE_KEYS_FILE", _read_ring(path))
    return Keys(ring, read("LKROUTE_FERNET_KEYS"), read("LIVEKIT_SECRET_ENCRYPTION_KEY"))


def _read_ring(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(_LONGEST_RING + 1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise Error(f"LKROUTE_KEYS_FILE: can't read `{path}`: {reason}", code="keys") from None
    if len(data) > _LONGEST_RING:
        raise Error(f"LKROUTE_KEYS_FILE: `{path}` is too long", code="keys")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Error(f"LKROUTE_KEYS_FILE: `{path}` is not UTF-8", code="keys") from None
