-- Others sent an approved config to a server that nobody approved, put our API key
-- and our secret into rows of theirs, and wrote a plain text into another of ours.
UPDATE voice_agent_livekit SET livekit_url = 'wss://elsewhere.example' WHERE name = 'uae-vm-selfhosted';
UPDATE voice_agent_livekit SET livekit_api_key = 'demo-uae-key' WHERE name = 'others-whole';
UPDATE voice_agent_livekit SET livekit_api_secret = 'not sealed at all' WHERE name = 'uae-spare';
