-- Two roles and the database: stock_keeper_migrate owns the schema, stock_keeper only
-- reads and writes rows, so that a fault in the service cannot change or drop a table.
--   psql ADMIN_URL --set=migrate_password=... --set=service_password=... --file=roles.sql
\set ON_ERROR_STOP on
CREATE ROLE stock_keeper_migrate LOGIN PASSWORD :'migrate_password';
CREATE ROLE stock_keeper LOGIN PASSWORD :'service_password';
GRANT stock_keeper_migrate TO CURRENT_USER;
CREATE DATABASE stock_keeper OWNER stock_keeper_migrate;
REVOKE ALL ON DATABASE stock_keeper FROM PUBLIC;
GRANT CONNECT ON DATABASE stock_keeper TO stock_keeper;
\connect stock_keeper
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO stock_keeper_migrate;
GRANT USAGE ON SCHEMA public TO stock_keeper;
ALTER DEFAULT PRIVILEGES FOR ROLE stock_keeper_migrate IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO stock_keeper;
ALTER DEFAULT PRIVILEGES FOR ROLE stock_keeper_migrate IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO stock_keeper;
