CREATE INDEX lkroute_number ON voice_agent_numbers (base_number, country_code)
