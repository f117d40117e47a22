-- Servers that may be sent tokens though lkroute never applied them: recorded
-- by an operator with `lkroute trust`.
CREATE TABLE lkroute_trusted_hosts (
  host   text PRIMARY KEY, -- as in wss://livekit.example:443
  at     text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  actor  text NOT NULL,
  reason text NOT NULL
);
