-- A database that lkroute never applied anything to.
DROP TABLE lkroute_dispatches;
DROP TABLE lkroute_trusted_hosts;
DROP TABLE lkroute_bindings;
DROP TABLE lkroute_configs;
DROP TABLE lkroute_regions;
DROP TABLE lkroute_tenants;
DROP TABLE lkroute_settings;
DROP TABLE lkroute_files;
DROP TABLE lkroute_applies;
DROP TABLE lkroute_state;
