-- The roles of a Signalbox database. Run it once in each new, empty database as a superuser, with psql:
--   OWNER_PASSWORD=… SERVER_PASSWORD=… psql -v ON_ERROR_STOP=1 -f roles.sql postgres://…/signalbox
\getenv owner_password OWNER_PASSWORD
\getenv server_password SERVER_PASSWORD

-- Roles are the server's, so on one that has another database of Signalbox they are there, and stay as they are.

-- What servers and workers act as. It owns nothing and row-level security holds for it.
SELECT 'CREATE ROLE signalbox_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signalbox_app') \gexec

-- Owns the tables and changes them: for `signalbox migrate` alone.
SELECT format('CREATE ROLE signalbox_owner LOGIN PASSWORD %L NOSUPERUSER NOBYPASSRLS', :'owner_password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signalbox_owner') \gexec
GRANT signalbox_app TO signalbox_owner WITH ADMIN OPTION;
ALTER DATABASE :"DBNAME" OWNER TO signalbox_owner;

-- What servers and workers log in as: a member of signalbox_app and nothing else.
SELECT format('CREATE ROLE signalbox_server LOGIN PASSWORD %L NOSUPERUSER NOBYPASSRLS', :'server_password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signalbox_server') \gexec
GRANT signalbox_app TO signalbox_server;

-- Nobody else gets in.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO signalbox_app;
