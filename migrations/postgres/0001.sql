-- The first schema, the same as SQLite's: every row has its workspace; ids are UUIDv7 or natural keys; instants are epoch
-- milliseconds; JSON is kept as the text that was digested, since JSONB reorders keys. After the migrations,
-- protect.sql forces row-level security on every table that has a workspace and makes text sort by its bytes; for that,
-- conditions on columns stand in trigger functions and not in WHEN.

-- The one role that servers act as: neither owner nor superuser, so the policies hold for it.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signalbox_app') THEN
    CREATE ROLE signalbox_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- somebody else made it just now: roles are the cluster's
END $$;

-- Outside row-level security: what is there before a workspace is known. Listed in docs/architecture.md.
CREATE TABLE workspaces (name text PRIMARY KEY);
-- Messages counted by the minute; lost in a crash, which costs nobody more than a minute's limit.
CREATE UNLOGGED TABLE rate_limits (key varchar(255) PRIMARY KEY, points integer NOT NULL DEFAULT 0, expire bigint);

-- The end of each workspace's journal. Whoever writes in a workspace locks this row first; `revisions` counts, as JSON,
-- how often each table was written.
CREATE TABLE chains (
  workspace text PRIMARY KEY, seq bigint NOT NULL, hash text NOT NULL, revisions text NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$;

CREATE TABLE counters (
  workspace text NOT NULL, name text NOT NULL, value bigint NOT NULL,
  PRIMARY KEY (workspace, name)
);

CREATE TABLE journal (
  workspace text NOT NULL, seq bigint NOT NULL, id text NOT NULL, version bigint NOT NULL,
  at bigint NOT NULL, event text NOT NULL, actor text NOT NULL, target text NOT NULL,
  correlation_id text NOT NULL, cause text, details text, salt text,
  commitment text NOT NULL, previous text NOT NULL, hash text NOT NULL,
  PRIMARY KEY (workspace, seq)
);
CREATE INDEX journal_target ON journal (workspace, target, seq);

-- Append-only: the one change allowed is to erase details and salt together.
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal FOR EACH ROW
EXECUTE FUNCTION refuse('the journal is append-only');
CREATE FUNCTION refuse_but_erasure() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  OLD.details := NULL;
  OLD.salt := NULL;
  IF NEW IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal FOR EACH ROW EXECUTE FUNCTION refuse_but_erasure();

CREATE TABLE receipts (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  digest text NOT NULL, answer text NOT NULL, expires_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX receipts_expiry ON receipts (workspace, expires_at);

CREATE TABLE principals (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  name text NOT NULL, kind text NOT NULL, display text NOT NULL, roles text NOT NULL,
  disabled bigint NOT NULL, origin text NOT NULL, created_by text, created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX principals_name ON principals (workspace, name);

CREATE TABLE identities (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  principal text NOT NULL, channel text NOT NULL, subject text NOT NULL, origin text NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX identities_subject ON identities (workspace, channel, subject);
CREATE INDEX identities_principal ON identities (workspace, principal);

CREATE TABLE roles (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  name text NOT NULL, permissions text NOT NULL, origin text NOT NULL, created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX roles_name ON roles (workspace, name);

CREATE TABLE keys (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  principal text NOT NULL, label text NOT NULL, hash text NOT NULL, scopes text NOT NULL,
  expires_at bigint, revoked_at bigint, created_by text, created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX keys_principal ON keys (workspace, principal);

CREATE TABLE signing_keys (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  private_pem text NOT NULL, public_jwk text NOT NULL, signs_from bigint NOT NULL, retires_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);

CREATE TABLE refresh_tokens (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  family text NOT NULL, key text NOT NULL, principal text NOT NULL, scopes text NOT NULL,
  expires_at bigint NOT NULL, used_at bigint,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (workspace, family);

CREATE TABLE tickets (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  identity text NOT NULL, expires_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);

CREATE TABLE link_codes (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  channel text NOT NULL, subject text NOT NULL, assurance text NOT NULL, expires_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);

CREATE TABLE tasks (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  ref text NOT NULL, title text NOT NULL, description text NOT NULL, state text NOT NULL,
  blocked_from text, blocked_reason text, priority text NOT NULL, owner text, labels text NOT NULL,
  checklist text NOT NULL, due bigint, created_by text NOT NULL, created_at bigint NOT NULL,
  updated_at bigint NOT NULL, archived bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX tasks_ref ON tasks (workspace, ref);
CREATE INDEX tasks_state ON tasks (workspace, state, priority, id);
-- Tasks without an owner are not in it: nobody looks for them by owner.
CREATE INDEX tasks_owner ON tasks (workspace, owner, state, priority, id) WHERE owner IS NOT NULL;

CREATE TABLE dependencies (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  task text NOT NULL, depends_on text NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX dependencies_pair ON dependencies (workspace, task, depends_on);
CREATE INDEX dependencies_reverse ON dependencies (workspace, depends_on);

CREATE TABLE comments (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  task text NOT NULL, author text NOT NULL, body text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX comments_task ON comments (workspace, task, id);

CREATE TABLE jobs (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  ref text NOT NULL, runbook text NOT NULL, args text NOT NULL, digest text NOT NULL, state text NOT NULL,
  requester text NOT NULL, approval text, attempt bigint NOT NULL, max_attempts bigint NOT NULL,
  run_at bigint NOT NULL, lease_until bigint, lease_owner text, fence bigint NOT NULL,
  cancel_requested bigint NOT NULL, result text, error text, correlation_id text NOT NULL, cause text,
  reply_to text, created_at bigint NOT NULL, started_at bigint, ended_at bigint,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX jobs_ref ON jobs (workspace, ref);
CREATE INDEX jobs_due ON jobs (workspace, state, run_at);
CREATE INDEX jobs_runbook ON jobs (workspace, runbook, id);

CREATE TABLE job_logs (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  job text NOT NULL, cursor bigint NOT NULL, stream text NOT NULL, line text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX job_logs_cursor ON job_logs (workspace, job, cursor);

CREATE TABLE approvals (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  ref text NOT NULL, state text NOT NULL, command text NOT NULL, args text NOT NULL, digest text NOT NULL,
  target text NOT NULL, risk text NOT NULL, policy text NOT NULL, requester text NOT NULL, chain text NOT NULL,
  scopes text NOT NULL, correlation_id text NOT NULL, reply_to text, expires_at bigint NOT NULL,
  created_at bigint NOT NULL, decided_at bigint,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX approvals_ref ON approvals (workspace, ref);
CREATE INDEX approvals_state ON approvals (workspace, state, expires_at);

CREATE TABLE votes (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  approval text NOT NULL, voter text NOT NULL, decision text NOT NULL, reason text, channel text NOT NULL,
  assurance text NOT NULL, digest text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX votes_voter ON votes (workspace, approval, voter);

CREATE TABLE vote_tokens (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  approval text NOT NULL, voter text NOT NULL, expires_at bigint NOT NULL, uses bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX vote_tokens_approval ON vote_tokens (workspace, approval);

CREATE TABLE probe_states (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  state text NOT NULL, since bigint NOT NULL, checked_at bigint NOT NULL, latency bigint NOT NULL,
  failures text NOT NULL, observation text NOT NULL,
  PRIMARY KEY (workspace, id)
);

CREATE TABLE outbox (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  key text NOT NULL, channel text NOT NULL, lane text NOT NULL, address text NOT NULL, reply text NOT NULL,
  state text NOT NULL, attempts bigint NOT NULL, next_at bigint NOT NULL, external_id text, error text,
  created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX outbox_key ON outbox (workspace, key);
CREATE INDEX outbox_lane ON outbox (workspace, state, lane, id);

CREATE TABLE confirmations (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  principal text NOT NULL, conversation text NOT NULL, command text NOT NULL, args text NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX confirmations_owner ON confirmations (workspace, principal, conversation);

CREATE TABLE subscriptions (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  ref text NOT NULL, principal text NOT NULL, patterns text NOT NULL, scopes text NOT NULL, address text NOT NULL,
  cursor bigint NOT NULL, created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX subscriptions_ref ON subscriptions (workspace, ref);

CREATE TABLE leases (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  holder text NOT NULL, fence bigint NOT NULL, expires_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);

CREATE TABLE mailboxes (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  uid_validity text NOT NULL, last_uid bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
