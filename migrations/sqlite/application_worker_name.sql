ALTER TABLE voice_agent_livekit ADD COLUMN worker_name TEXT;
