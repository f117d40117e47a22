-- A newer lkroute has migrated it.
UPDATE lkroute_state SET schema_version = 999;
