-- The application's table of LiveKit server configurations: only where it is
-- absent. worker_name is the one column that lkroute may add to an existing one.
CREATE TABLE {schema}.voice_agent_livekit (
  id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name               varchar(255) NOT NULL UNIQUE,
  description        text,
  livekit_url        varchar(500) NOT NULL,
  livekit_api_key    varchar(255) NOT NULL,
  livekit_api_secret text NOT NULL,
  trunk_id           varchar(255),
  worker_name        varchar(255),
  created_at         timestamptz NOT NULL DEFAULT now(),
  updated_at         timestamptz NOT NULL DEFAULT now()
);
CREATE OR REPLACE FUNCTION {schema}.lkroute_touch() RETURNS trigger LANGUAGE plpgsql AS
  $touch$ BEGIN NEW.updated_at = now(); RETURN NEW; END $touch$;
CREATE TRIGGER lkroute_touch BEFORE UPDATE ON {schema}.voice_agent_livekit
  FOR EACH ROW EXECUTE FUNCTION {schema}.lkroute_touch();
