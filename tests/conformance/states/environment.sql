-- The database is of another environment than some ask for.
UPDATE lkroute_state SET environment = 'prod';
