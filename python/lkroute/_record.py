"""The record of a call, in lkroute's own table: written before anything is sent,
completed with what became of it."""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime, timezone
from typing import Any

# The columns of a record, with their types.
_COLUMNS = {
    "id": "uuid",
    "at": "timestamptz",
    "finished_at": "timestamptz",
    "status": "text",
    "idempotency_key": "text",
    "from_number": "bigint",
    "to_number": "text",
    "tenant_id": "uuid",
    "config_id": "uuid",
    "config_name": "text",
    "room": "text",
    "dispatch_id": "text",
    "worker": "text",
    "worker_seen": "text",
    "actor": "text",
    "detail": "text",
}
_HERE = "/*NO LOAD BALANCE*/ "


def statements(schema: str) -> "dict[str, str]":
    """What is sent for a record: each with one value, each gives one text."""
    quoted = '"' + schema.replace('"', '""') + '"'
    table = f"{quoted}.lkroute_dispatches"
    names = ", ".join(_COLUMNS)
    typed = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    row = f"pg_catalog.json_to_record($1::text::json) AS r({typed})"
    pairs = ", ".join(f"'{name}', {name}" for name in _COLUMNS)
    return {
        "insert": f"{_HERE}INSERT INTO {table} ({names}) SELECT {names} FROM {row} WHERE true "
        "ON CONFLICT (idempotency_key) DO NOTHING RETURNING id::text",
        "complete": f"{_HERE}UPDATE {table} AS d SET finished_at = r.finished_at, status = r.status, "
        "idempotency_key = r.idempotency_key, dispatch_id = r.dispatch_id, "
        f"worker_seen = r.worker_seen, detail = r.detail FROM {row} WHERE d.id = r.id RETURNING d.id::text",
        "of_key": f"{_HERE}SELECT pg_catalog.json_build_object({pairs})::text FROM {table} "
        "WHERE idempotency_key = $1::text",
    }


def write_record(record: "dict[str, Any]") -> str:
    """As the statements take it."""
    return json.dumps({**record, "detail": json.dumps(record["detail"])})


def read_record(text: str) -> "dict[str, Any]":
    record: dict[str, Any] = json.loads(text)
    record["detail"] = json.loads(record["detail"])
    return record


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def actor() -> str:
    """Who calls, as the record of the command has it."""
    for name in ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILDKITE_BUILD_CREATOR"):
        if os.environ.get(name, "").strip():
            return os.environ[name]
    users = (os.environ.get(name, "").strip() for name in ("USER", "LOGNAME", "USERNAME"))
    user = next(filter(None, users), "somebody")
    host = os.environ.get("HOSTNAME", "").strip() or platform.node()
    return f"{user}@{host}" if host else user
