"""lkroute's resolver for the service that places the calls.

Where a call goes depends on two tables that `lkroute apply` writes.  This
package answers by the same code as the command: what a plan says is what the
service does.

>>> from lkroute.asyncpg import Router
>>> router = Router(pool, schema="lad_dev")
>>> route = await router.resolve("+919513456728", tenant="techiemaya-test")
>>> route.url, route.worker_name, route.source
('wss://livekit.india.example', 'voag-dev', 'database')

Routers: :mod:`lkroute.asyncpg`, :mod:`lkroute.psycopg` (sync and async) and
:mod:`lkroute.sqlite`.
"""

from __future__ import annotations

from ._call import Call
from ._core import CalledNumber, CallRequest, Route
from ._shadow import LiveKitCredentials, Shadow, compare
from .errors import (
    BadKeys,
    BadNumber,
    CallCancelled,
    CallError,
    CallFailed,
    CallUnknown,
    EnvironmentRefused,
    Error,
    InternalError,
    KeyClash,
    KeyInUse,
    LookupFailed,
    NoAgent,
    NotDialled,
    PlainTextSecret,
    RecordFailed,
    Refused,
    SecretNotOpened,
    Step,
    TrunkLacksNumber,
    Unresolved,
    UntrustedServer,
    UsageError,
    WrongDatabase,
)

__all__ = [
    "BadKeys",
    "BadNumber",
    "Call",
    "CallCancelled",
    "CallError",
    "CallFailed",
    "CallRequest",
    "CallUnknown",
    "CalledNumber",
    "EnvironmentRefused",
    "Error",
    "InternalError",
    "KeyClash",
    "KeyInUse",
    "LiveKitCredentials",
    "LookupFailed",
    "NoAgent",
    "NotDialled",
    "PlainTextSecret",
    "RecordFailed",
    "Refused",
    "Route",
    "SecretNotOpened",
    "Shadow",
    "Step",
    "TrunkLacksNumber",
    "Unresolved",
    "UntrustedServer",
    "UsageError",
    "WrongDatabase",
    "compare",
]
