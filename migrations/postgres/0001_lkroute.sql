-- What lkroute keeps for itself. Rows of regions, configs and bindings are
-- versions: set by the apply `since`, ended by the apply `until`, current
-- where that is NULL. Current state, history and rollback read the same rows.

-- One row. An apply locks it, so that there is one at a time.
CREATE TABLE {schema}.lkroute_state (
  one            boolean PRIMARY KEY DEFAULT true CHECK (one),
  schema_version integer NOT NULL,
  owner          text,
  environment    text,
  last_apply     integer
);
INSERT INTO {schema}.lkroute_state (schema_version) VALUES (1);

CREATE TABLE {schema}.lkroute_applies (
  id          integer PRIMARY KEY,
  token       uuid NOT NULL UNIQUE,
  at          timestamptz NOT NULL,
  kind        text NOT NULL,
  actor       text NOT NULL,
  revision    text,
  dirty       boolean NOT NULL,
  owner       text,
  environment text,
  reason      text,
  version     text NOT NULL,
  counts      text NOT NULL, -- JSON, as are guards and fields below
  guards      text NOT NULL,
  files       text,          -- SHA-256 over what the files held
  restores    integer        -- the apply whose state a rollback brought back
);

-- Names that a million bindings share, by small numbers from 0 on.
CREATE TABLE {schema}.lkroute_files (id integer PRIMARY KEY, path text NOT NULL);
CREATE TABLE {schema}.lkroute_tenants (
  id        integer PRIMARY KEY,
  tenant_id uuid NOT NULL UNIQUE,
  alias     text
);
CREATE TABLE {schema}.lkroute_settings (id integer PRIMARY KEY, fields text NOT NULL);

CREATE TABLE {schema}.lkroute_regions (
  name   text NOT NULL,
  since  integer NOT NULL,
  until  integer,
  fields text NOT NULL,
  file   integer,
  line   integer,
  PRIMARY KEY (name, since)
);

-- fields holds the secret by the hash of its ciphertext, sealed the ciphertext
-- itself, never a plain text; fingerprint is that of a secret that came from
-- an environment variable or a file. found and found_sealed: what the row held
-- before, of the fields that this version changed or took over, so that a
-- rollback can give a row of others back as it was.
CREATE TABLE {schema}.lkroute_configs (
  id            uuid NOT NULL,
  since         integer NOT NULL,
  until         integer,
  fields        text NOT NULL,
  secret_source text NOT NULL,
  fingerprint   text,
  sealed        text,
  file          integer,
  line          integer,
  inserted      boolean NOT NULL,
  found         text,
  found_sealed  text,
  PRIMARY KEY (id, since)
);

-- Narrow, and with one index, for a million rows in one apply. number is the
-- E.164 number without its plus: it keeps the zero that base_number loses.
-- retired: removed from the files, and the row, which lkroute had inserted,
-- made inactive; declaring it again takes the same row. found: the settings
-- that the row held before, of the fields that this version changed.
CREATE TABLE {schema}.lkroute_bindings (
  number_id uuid NOT NULL,
  number    bigint NOT NULL,
  since     integer NOT NULL,
  until     integer,
  tenant    integer NOT NULL,
  settings  integer NOT NULL,
  file      integer,
  line      integer,
  inserted  boolean NOT NULL,
  retired   boolean NOT NULL,
  found     integer,
  PRIMARY KEY (number_id, since)
);

-- Calls that `lkroute dispatch` placed; the id is the call log id.
CREATE TABLE {schema}.lkroute_dispatches (
  id              uuid PRIMARY KEY,
  at              timestamptz NOT NULL,
  finished_at     timestamptz,
  status          text NOT NULL,
  idempotency_key text UNIQUE,
  from_number     bigint NOT NULL,
  to_number       text NOT NULL,
  tenant_id       uuid,
  config_id       uuid,
  config_name     text,
  room            text NOT NULL,
  dispatch_id     text,
  worker          text NOT NULL,
  worker_seen     text,
  actor           text NOT NULL,
  detail          text NOT NULL -- JSON
);
CREATE INDEX lkroute_dispatches_at ON {schema}.lkroute_dispatches (at);
