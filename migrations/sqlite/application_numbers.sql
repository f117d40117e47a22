CREATE TABLE voice_agent_numbers (
  id               TEXT PRIMARY KEY NOT NULL,
  tenant_id        TEXT NOT NULL,
  country_code     TEXT,
  base_number      INTEGER,
  provider         TEXT,
  status           TEXT,
  rules            TEXT,
  default_agent_id INTEGER,
  created_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX lkroute_number ON voice_agent_numbers (base_number, country_code);
