-- uuids as text with hyphens, times as RFC 3339 text in UTC, JSON as text.
CREATE TABLE voice_agent_livekit (
  id                 TEXT PRIMARY KEY NOT NULL,
  name               TEXT NOT NULL UNIQUE,
  description        TEXT,
  livekit_url        TEXT NOT NULL,
  livekit_api_key    TEXT NOT NULL,
  livekit_api_secret TEXT NOT NULL,
  trunk_id           TEXT,
  worker_name        TEXT,
  created_at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
