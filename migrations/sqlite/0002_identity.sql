-- The same as migrations/postgres/0002_identity.sql, which explains it.
ALTER TABLE lkroute_state ADD COLUMN identity TEXT;
UPDATE lkroute_state SET identity = lower(
  hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
  || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)));
