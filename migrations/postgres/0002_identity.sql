-- Names this database and schema, whatever host, role or pooler leads to it:
-- what was planned for one is not applied to another.
ALTER TABLE {schema}.lkroute_state ADD COLUMN identity uuid;
UPDATE {schema}.lkroute_state SET identity = gen_random_uuid();
