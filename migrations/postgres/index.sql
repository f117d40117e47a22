CREATE INDEX CONCURRENTLY lkroute_number ON {schema}.voice_agent_numbers (base_number, country_code)
