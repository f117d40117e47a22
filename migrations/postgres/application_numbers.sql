-- The application's table of caller numbers: only where it is absent.
CREATE TABLE {schema}.voice_agent_numbers (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id        uuid NOT NULL,
  country_code     varchar,
  base_number      bigint,
  provider         varchar,
  status           varchar,
  rules            jsonb,
  default_agent_id bigint,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX lkroute_number ON {schema}.voice_agent_numbers (base_number, country_code);
CREATE OR REPLACE FUNCTION {schema}.lkroute_touch() RETURNS trigger LANGUAGE plpgsql AS
  $touch$ BEGIN NEW.updated_at = now(); RETURN NEW; END $touch$;
CREATE TRIGGER lkroute_touch BEFORE UPDATE ON {schema}.voice_agent_numbers
  FOR EACH ROW EXECUTE FUNCTION {schema}.lkroute_touch();
