-- A database of before the column came.
ALTER TABLE voice_agent_livekit DROP COLUMN worker_name;
