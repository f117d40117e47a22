ALTER TABLE {schema}.voice_agent_livekit ADD COLUMN worker_name varchar(255);
