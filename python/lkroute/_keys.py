"""The keys that open secrets, found as the command finds them."""

from __future__ import annotations

import logging
import os
import stat
from typing import Optional, Union

from ._core import Environ, Keys, visible
from .errors import BadKeys, Error, UsageError

_log = logging.getLogger("lkroute")

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


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: a variable with other bytes, or a text cut in
    the middle of a character, can not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: say a text, not {type(value).__name__}")
    if not is_unicode(value):
        raise BadKeys(f"{name} can't be read: it is not UTF-8", hint="set it again, from a text file")
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


def _open_now(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_ring(path: str) -> str:
    try:
        # For a writer of a pipe is not waited; for what it writes, where it is there.
        with open(path, "rb", opener=_open_now) as file:
            mode = os.fstat(file.fileno()).st_mode
            if hasattr(os, "set_blocking"):
                os.set_blocking(file.fileno(), True)
            data = file.read(_LONGEST_RING + 1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise BadKeys(f"LKROUTE_KEYS_FILE: can't read `{path}`: {reason}") from None
    if stat.S_ISREG(mode) and mode & 0o077 and os.name == "posix":
        _log.warning("others can read `%s`, and open every secret with it: `chmod 600` it", visible(path))
    if len(data) > _LONGEST_RING:
        raise BadKeys(f"LKROUTE_KEYS_FILE: `{path}` is too long")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadKeys(f"LKROUTE_KEYS_FILE: `{path}` is not UTF-8") from None
