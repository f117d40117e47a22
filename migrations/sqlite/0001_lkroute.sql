-- The same as migrations/postgres/0001_lkroute.sql, which explains it.
CREATE TABLE lkroute_state (
  one            INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
  schema_version INTEGER NOT NULL,
  owner          TEXT,
  environment    TEXT,
  last_apply     INTEGER
);
INSERT INTO lkroute_state (schema_version) VALUES (1);

CREATE TABLE lkroute_applies (
  id          INTEGER PRIMARY KEY,
  token       TEXT NOT NULL UNIQUE,
  at          TEXT NOT NULL,
  kind        TEXT NOT NULL,
  actor       TEXT NOT NULL,
  revision    TEXT,
  dirty       INTEGER NOT NULL,
  owner       TEXT,
  environment TEXT,
  reason      TEXT,
  version     TEXT NOT NULL,
  counts      TEXT NOT NULL,
  guards      TEXT NOT NULL,
  files       TEXT,
  restores    INTEGER
);

CREATE TABLE lkroute_files (id INTEGER PRIMARY KEY, path TEXT NOT NULL);
CREATE TABLE lkroute_tenants (
  id        INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL UNIQUE,
  alias     TEXT
);
CREATE TABLE lkroute_settings (id INTEGER PRIMARY KEY, fields TEXT NOT NULL);

CREATE TABLE lkroute_regions (
  name   TEXT NOT NULL,
  since  INTEGER NOT NULL,
  until  INTEGER,
  fields TEXT NOT NULL,
  file   INTEGER,
  line   INTEGER,
  PRIMARY KEY (name, since)
) WITHOUT ROWID;

CREATE TABLE lkroute_configs (
  id            TEXT NOT NULL,
  since         INTEGER NOT NULL,
  until         INTEGER,
  fields        TEXT NOT NULL,
  secret_source TEXT NOT NULL,
  fingerprint   TEXT,
  sealed        TEXT,
  file          INTEGER,
  line          INTEGER,
  inserted      INTEGER NOT NULL,
  found         TEXT,
  found_sealed  TEXT,
  PRIMARY KEY (id, since)
) WITHOUT ROWID;

CREATE TABLE lkroute_bindings (
  number_id TEXT NOT NULL,
  number    INTEGER NOT NULL,
  since     INTEGER NOT NULL,
  until     INTEGER,
  tenant    INTEGER NOT NULL,
  settings  INTEGER NOT NULL,
  file      INTEGER,
  line      INTEGER,
  inserted  INTEGER NOT NULL,
  retired   INTEGER NOT NULL,
  found     INTEGER,
  PRIMARY KEY (number_id, since)
) WITHOUT ROWID;

CREATE TABLE lkroute_dispatches (
  id              TEXT PRIMARY KEY NOT NULL,
  at              TEXT NOT NULL,
  finished_at     TEXT,
  status          TEXT NOT NULL,
  idempotency_key TEXT UNIQUE,
  from_number     INTEGER NOT NULL,
  to_number       TEXT NOT NULL,
  tenant_id       TEXT,
  config_id       TEXT,
  config_name     TEXT,
  room            TEXT NOT NULL,
  dispatch_id     TEXT,
  worker          TEXT NOT NULL,
  worker_seen     TEXT,
  actor           TEXT NOT NULL,
  detail          TEXT NOT NULL
);
CREATE INDEX lkroute_dispatches_at ON lkroute_dispatches (at);
