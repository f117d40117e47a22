-- Servers that may be sent tokens though lkroute never applied them: recorded
-- by an operator with `lkroute trust`.
CREATE TABLE {schema}.lkroute_trusted_hosts (
  host   text PRIMARY KEY, -- as in wss://livekit.example:443
  at     timestamptz NOT NULL DEFAULT now(),
  actor  text NOT NULL,
  reason text NOT NULL
);
