-- A small installation: no users, no agents.
DROP TABLE users;
DROP TABLE voice_agents;
