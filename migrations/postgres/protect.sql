-- Run after the migrations, over whatever tables there are, so that none can be forgotten: text sorts by its bytes as in
-- SQLite, the application's role may work with the tables, and it sees the rows of one workspace only.
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT c.oid::regclass AS name,
           string_agg(format('ALTER COLUMN %I TYPE text COLLATE "C"', a.attname), ', ') AS changes
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
      AND a.atttypid = 'text'::regtype AND a.attcollation <> '"C"'::regcollation AND NOT a.attisdropped
    GROUP BY c.oid
  LOOP
    EXECUTE format('ALTER TABLE %s %s', found.name, found.changes);
  END LOOP;

  FOR found IN
    SELECT c.oid::regclass AS name
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attname = 'workspace'
      AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', found.name);
    EXECUTE format(
      'CREATE POLICY one_workspace ON %s USING (workspace = nullif(current_setting(''signalbox.workspace'', true), ''''))',
      found.name);
  END LOOP;

  EXECUTE format('GRANT USAGE ON SCHEMA %I TO signalbox_app', current_schema());
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO signalbox_app', current_schema());
  REVOKE INSERT, UPDATE, DELETE ON schema_version FROM signalbox_app;
  REVOKE UPDATE, DELETE ON workspaces FROM signalbox_app;
END $$;

-- Whoever migrates may act as that role, too, so that one address does where owner and server are the same.
DO $$ BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT signalbox_app TO %I', current_user);
  END IF;
END $$;
