-- The roles of a Signalbox database. Run it once in the new, empty database as a superuser, with psql:
--   OWNER_PASSWORD=… SERVER_PASSWORD=… psql -v ON_ERROR_STOP=1 -f roles.sql postgres://…/signalbox
\getenv owner_password OWNER_PASSWORD
\getenv server_password SERVER_PASSWORD

-- What servers and workers act as. It owns nothing and row-level security holds for it.
CREATE ROLE signalbox_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;

-- Owns the tables and changes them: for `signalbox migrate` alone.
CREATE ROLE signalbox_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOBYPASSRLS;
GRANT signalbox_app TO signalbox_owner WITH ADMIN OPTION;
ALTER DATABASE :"DBNAME" OWNER TO signalbox_owner;

-- What servers and workers log in as: a member of signalbox_app and nothing else.
CREATE ROLE signalbox_server LOGIN PASSWORD :'server_password' NOSUPERUSER NOBYPASSRLS IN ROLE signalbox_app;

-- Nobody else gets in.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO signalbox_app;
