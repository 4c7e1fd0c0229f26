-- The role and the database of a controller. Run once as a superuser, then set a password:
--   sudo -u postgres psql --file espalier.sql
--   sudo -u postgres psql --command '\password espalier'
-- The controller makes its tables itself, at start, under an advisory lock.
create role espalier login;

create database espalier owner espalier encoding 'UTF8' template template0;

-- A controller that hangs inside a transaction must not hold locks against the next one for ever.
alter role espalier in database espalier set idle_in_transaction_session_timeout = '60s';

alter role espalier in database espalier set timezone = 'UTC';

revoke all on database espalier from public;
