-- The first schema. Every row has its workspace; ids are UUIDv7 or natural keys; instants are epoch milliseconds;
-- JSON is kept as the text that was digested. Tables without a rowid keep one b-tree for row and key.

CREATE TABLE counters (
  workspace TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
  PRIMARY KEY (workspace, name)
) WITHOUT ROWID, STRICT;

CREATE TABLE journal (
  workspace TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  at INTEGER NOT NULL, event TEXT NOT NULL, actor TEXT NOT NULL, target TEXT NOT NULL,
  correlation_id TEXT NOT NULL, cause TEXT, details TEXT, salt TEXT,
  commitment TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL,
  PRIMARY KEY (workspace, seq)
) WITHOUT ROWID, STRICT;
CREATE INDEX journal_target ON journal (workspace, target, seq);

-- Append-only: the one change allowed is to erase details and salt together.
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
WHEN NEW.details IS NOT NULL OR NEW.salt IS NOT NULL
  OR NEW.workspace IS NOT OLD.workspace OR NEW.seq IS NOT OLD.seq OR NEW.id IS NOT OLD.id
  OR NEW.version IS NOT OLD.version OR NEW.at IS NOT OLD.at OR NEW.event IS NOT OLD.event
  OR NEW.actor IS NOT OLD.actor OR NEW.target IS NOT OLD.target
  OR NEW.correlation_id IS NOT OLD.correlation_id OR NEW.cause IS NOT OLD.cause
  OR NEW.commitment IS NOT OLD.commitment OR NEW.previous IS NOT OLD.previous OR NEW.hash IS NOT OLD.hash
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- With a rowid: the digests come in no order, and only the small index, not the long answers, is spread by them.
CREATE TABLE receipts (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  digest TEXT NOT NULL, answer TEXT NOT NULL, expires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) STRICT;
CREATE INDEX receipts_expiry ON receipts (workspace, expires_at);

CREATE TABLE principals (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  name TEXT NOT NULL, kind TEXT NOT NULL, display TEXT NOT NULL, roles TEXT NOT NULL,
  disabled INTEGER NOT NULL, origin TEXT NOT NULL, created_by TEXT, created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX principals_name ON principals (workspace, name);

CREATE TABLE identities (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  principal TEXT NOT NULL, channel TEXT NOT NULL, subject TEXT NOT NULL, origin TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX identities_subject ON identities (workspace, channel, subject);
CREATE INDEX identities_principal ON identities (workspace, principal);

CREATE TABLE roles (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  name TEXT NOT NULL, permissions TEXT NOT NULL, origin TEXT NOT NULL, created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX roles_name ON roles (workspace, name);

CREATE TABLE keys (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  principal TEXT NOT NULL, label TEXT NOT NULL, hash TEXT NOT NULL, scopes TEXT NOT NULL,
  expires_at INTEGER, revoked_at INTEGER, created_by TEXT, created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX keys_principal ON keys (workspace, principal);

CREATE TABLE signing_keys (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  private_pem TEXT NOT NULL, public_jwk TEXT NOT NULL, signs_from INTEGER NOT NULL, retires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE refresh_tokens (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  family TEXT NOT NULL, key TEXT NOT NULL, principal TEXT NOT NULL, scopes TEXT NOT NULL,
  expires_at INTEGER NOT NULL, used_at INTEGER,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX refresh_tokens_family ON refresh_tokens (workspace, family);

CREATE TABLE tickets (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  identity TEXT NOT NULL, expires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE link_codes (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  channel TEXT NOT NULL, subject TEXT NOT NULL, assurance TEXT NOT NULL, expires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE tasks (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  ref TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, state TEXT NOT NULL,
  blocked_from TEXT, blocked_reason TEXT, priority TEXT NOT NULL, owner TEXT, labels TEXT NOT NULL,
  checklist TEXT NOT NULL, due INTEGER, created_by TEXT NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, archived INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX tasks_ref ON tasks (workspace, ref);
CREATE INDEX tasks_state ON tasks (workspace, state, priority, id);
-- Tasks without an owner are not in it: nobody looks for them by owner.
CREATE INDEX tasks_owner ON tasks (workspace, owner, state, priority, id) WHERE owner IS NOT NULL;

CREATE TABLE dependencies (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  task TEXT NOT NULL, depends_on TEXT NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX dependencies_pair ON dependencies (workspace, task, depends_on);
CREATE INDEX dependencies_reverse ON dependencies (workspace, depends_on);

CREATE TABLE comments (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  task TEXT NOT NULL, author TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX comments_task ON comments (workspace, task, id);

CREATE TABLE jobs (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  ref TEXT NOT NULL, runbook TEXT NOT NULL, args TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL,
  requester TEXT NOT NULL, approval TEXT, attempt INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
  run_at INTEGER NOT NULL, lease_until INTEGER, lease_owner TEXT, fence INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL, result TEXT, error TEXT, correlation_id TEXT NOT NULL, cause TEXT,
  reply_to TEXT, created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX jobs_ref ON jobs (workspace, ref);
CREATE INDEX jobs_due ON jobs (workspace, state, run_at);
CREATE INDEX jobs_runbook ON jobs (workspace, runbook, id);

CREATE TABLE job_logs (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  job TEXT NOT NULL, cursor INTEGER NOT NULL, stream TEXT NOT NULL, line TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX job_logs_cursor ON job_logs (workspace, job, cursor);

CREATE TABLE approvals (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  ref TEXT NOT NULL, state TEXT NOT NULL, command TEXT NOT NULL, args TEXT NOT NULL, digest TEXT NOT NULL,
  target TEXT NOT NULL, risk TEXT NOT NULL, policy TEXT NOT NULL, requester TEXT NOT NULL, chain TEXT NOT NULL,
  scopes TEXT NOT NULL, correlation_id TEXT NOT NULL, reply_to TEXT, expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL, decided_at INTEGER,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX approvals_ref ON approvals (workspace, ref);
CREATE INDEX approvals_state ON approvals (workspace, state, expires_at);

CREATE TABLE votes (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  approval TEXT NOT NULL, voter TEXT NOT NULL, decision TEXT NOT NULL, reason TEXT, channel TEXT NOT NULL,
  assurance TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX votes_voter ON votes (workspace, approval, voter);

CREATE TABLE vote_tokens (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  approval TEXT NOT NULL, voter TEXT NOT NULL, expires_at INTEGER NOT NULL, uses INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX vote_tokens_approval ON vote_tokens (workspace, approval);

CREATE TABLE probe_states (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  state TEXT NOT NULL, since INTEGER NOT NULL, checked_at INTEGER NOT NULL, latency INTEGER NOT NULL,
  failures TEXT NOT NULL, observation TEXT NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE outbox (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  key TEXT NOT NULL, channel TEXT NOT NULL, lane TEXT NOT NULL, address TEXT NOT NULL, reply TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL, next_at INTEGER NOT NULL, external_id TEXT, error TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX outbox_key ON outbox (workspace, key);
CREATE INDEX outbox_lane ON outbox (workspace, state, lane, id);

CREATE TABLE confirmations (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  principal TEXT NOT NULL, conversation TEXT NOT NULL, command TEXT NOT NULL, args TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX confirmations_owner ON confirmations (workspace, principal, conversation);

CREATE TABLE subscriptions (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  ref TEXT NOT NULL, principal TEXT NOT NULL, patterns TEXT NOT NULL, scopes TEXT NOT NULL, address TEXT NOT NULL,
  cursor INTEGER NOT NULL, created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX subscriptions_ref ON subscriptions (workspace, ref);

CREATE TABLE leases (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  holder TEXT NOT NULL, fence INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE mailboxes (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  uid_validity TEXT NOT NULL, last_uid INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
