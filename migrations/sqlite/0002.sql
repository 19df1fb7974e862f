-- Jobs that wait, are ordered, routed, undone and accounted for; schedules, breakers, artifacts.

ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN capability TEXT NOT NULL DEFAULT 'default';
ALTER TABLE jobs ADD COLUMN ticket TEXT;
ALTER TABLE jobs ADD COLUMN key TEXT;
ALTER TABLE jobs ADD COLUMN asked TEXT;
ALTER TABLE jobs ADD COLUMN causes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN waiting_at INTEGER;
ALTER TABLE jobs ADD COLUMN queued_at INTEGER;
ALTER TABLE jobs ADD COLUMN assigned_at INTEGER;
ALTER TABLE jobs ADD COLUMN running_at INTEGER;
ALTER TABLE jobs ADD COLUMN caused_at INTEGER;
ALTER TABLE jobs ADD COLUMN grace_until INTEGER;
ALTER TABLE jobs ADD COLUMN inbound_key TEXT;
ALTER TABLE jobs ADD COLUMN phase TEXT NOT NULL DEFAULT 'forward';
ALTER TABLE jobs ADD COLUMN wait_for TEXT;
ALTER TABLE jobs ADD COLUMN wait_until INTEGER;
ALTER TABLE jobs ADD COLUMN failure TEXT;
ALTER TABLE jobs ADD COLUMN stopped_by TEXT;
ALTER TABLE jobs ADD COLUMN progress TEXT;
ALTER TABLE jobs ADD COLUMN usage TEXT;
ALTER TABLE jobs ADD COLUMN notify TEXT;
ALTER TABLE jobs ADD COLUMN repeats TEXT;
ALTER TABLE jobs ADD COLUMN chain TEXT NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN scopes TEXT NOT NULL DEFAULT '["*"]';
ALTER TABLE jobs ADD COLUMN plan TEXT;
UPDATE jobs SET queued_at = run_at WHERE state = 'queued';
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (workspace, state, priority, run_at, id);
CREATE INDEX jobs_wait ON jobs (workspace, wait_until) WHERE wait_until IS NOT NULL;
CREATE INDEX jobs_lease ON jobs (workspace, lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX jobs_room ON jobs (workspace, state, runbook);
CREATE INDEX jobs_caused ON jobs (workspace, runbook, caused_at) WHERE caused_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_key ON jobs (workspace, requester, key) WHERE key IS NOT NULL;

DROP INDEX outbox_lane;
CREATE INDEX outbox_lane ON outbox (workspace, state, channel, lane, id, next_at);

CREATE TABLE job_steps (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  job TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, phase TEXT NOT NULL, state TEXT NOT NULL,
  attempt INTEGER NOT NULL, key TEXT NOT NULL, output TEXT, error TEXT,
  started_at INTEGER NOT NULL, ended_at INTEGER,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX job_steps_position ON job_steps (workspace, job, phase, position);

CREATE TABLE claims (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  job TEXT NOT NULL, attempt INTEGER NOT NULL, started_at INTEGER NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL,
  progress_at INTEGER, said TEXT, answer TEXT, expires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX claims_expiry ON claims (workspace, expires_at);

CREATE TABLE dead_letters (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  job TEXT NOT NULL, runbook TEXT NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, message TEXT,
  at INTEGER NOT NULL, settled_at INTEGER, settled_by TEXT,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX dead_letters_job ON dead_letters (workspace, job);
CREATE INDEX dead_letters_open ON dead_letters (workspace, settled_at, id);

CREATE TABLE effects (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  job TEXT NOT NULL, attempt INTEGER NOT NULL, step TEXT, phase TEXT, kind TEXT NOT NULL, target TEXT NOT NULL,
  inbound_key TEXT, outbound_key TEXT NOT NULL, outcome TEXT NOT NULL, digest TEXT NOT NULL,
  started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX effects_job ON effects (workspace, job, id);
CREATE TRIGGER effects_no_delete BEFORE DELETE ON effects
BEGIN SELECT RAISE(ABORT, 'receipts of effects are immutable'); END;
CREATE TRIGGER effects_no_update BEFORE UPDATE ON effects
BEGIN SELECT RAISE(ABORT, 'receipts of effects are immutable'); END;

CREATE TABLE presets (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  name TEXT NOT NULL, runbook TEXT NOT NULL, args TEXT NOT NULL, created_by TEXT NOT NULL, chain TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX presets_name ON presets (workspace, name);

CREATE TABLE schedules (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  ref TEXT NOT NULL, name TEXT NOT NULL, text TEXT, command TEXT NOT NULL, args TEXT NOT NULL, cron TEXT,
  zone TEXT NOT NULL, missed TEXT NOT NULL, paused INTEGER NOT NULL, next_at INTEGER, last_at INTEGER,
  runs INTEGER NOT NULL, last_outcome TEXT, created_by TEXT NOT NULL, scopes TEXT NOT NULL, key TEXT, causes TEXT NOT NULL,
  reply_to TEXT, created_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX schedules_ref ON schedules (workspace, ref);
CREATE UNIQUE INDEX schedules_name ON schedules (workspace, name);
CREATE INDEX schedules_due ON schedules (workspace, paused, next_at);

CREATE TABLE breakers (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  state TEXT NOT NULL, failures INTEGER NOT NULL, retry_at INTEGER, trial TEXT, reason TEXT,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE artifacts (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  ref TEXT NOT NULL, job TEXT, name TEXT NOT NULL, kind TEXT NOT NULL, media_type TEXT NOT NULL,
  content TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, state TEXT NOT NULL,
  created_by TEXT NOT NULL, created_at INTEGER NOT NULL, updated_by TEXT NOT NULL, updated_at INTEGER NOT NULL,
  decided_by TEXT, decided_at INTEGER,
  PRIMARY KEY (workspace, id)
) STRICT;
CREATE UNIQUE INDEX artifacts_ref ON artifacts (workspace, ref);
CREATE INDEX artifacts_job ON artifacts (workspace, job, id);
CREATE TRIGGER artifacts_no_update BEFORE UPDATE ON artifacts WHEN OLD.state = 'accepted'
BEGIN SELECT RAISE(ABORT, 'an accepted artifact is immutable'); END;
CREATE TRIGGER artifacts_no_delete BEFORE DELETE ON artifacts WHEN OLD.state = 'accepted'
BEGIN SELECT RAISE(ABORT, 'an accepted artifact is immutable'); END;

CREATE TABLE usage_totals (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  scope TEXT NOT NULL, period TEXT NOT NULL, runs INTEGER NOT NULL, units TEXT NOT NULL, cost INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
