-- Jobs that wait, are ordered, routed, undone and accounted for; schedules, breakers, artifacts.

ALTER TABLE jobs ADD COLUMN priority bigint NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN capability text NOT NULL DEFAULT 'default';
ALTER TABLE jobs ADD COLUMN ticket text;
ALTER TABLE jobs ADD COLUMN key text;
ALTER TABLE jobs ADD COLUMN asked text;
ALTER TABLE jobs ADD COLUMN causes text NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN waiting_at bigint;
ALTER TABLE jobs ADD COLUMN queued_at bigint;
ALTER TABLE jobs ADD COLUMN assigned_at bigint;
ALTER TABLE jobs ADD COLUMN running_at bigint;
ALTER TABLE jobs ADD COLUMN caused_at bigint;
ALTER TABLE jobs ADD COLUMN grace_until bigint;
ALTER TABLE jobs ADD COLUMN inbound_key text;
ALTER TABLE jobs ADD COLUMN phase text NOT NULL DEFAULT 'forward';
ALTER TABLE jobs ADD COLUMN wait_for text;
ALTER TABLE jobs ADD COLUMN wait_until bigint;
ALTER TABLE jobs ADD COLUMN failure text;
ALTER TABLE jobs ADD COLUMN stopped_by text;
ALTER TABLE jobs ADD COLUMN progress text;
ALTER TABLE jobs ADD COLUMN usage text;
ALTER TABLE jobs ADD COLUMN notify text;
ALTER TABLE jobs ADD COLUMN repeats text;
ALTER TABLE jobs ADD COLUMN chain text NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN scopes text NOT NULL DEFAULT '["*"]';
ALTER TABLE jobs ADD COLUMN plan text;
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
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  job text NOT NULL, position bigint NOT NULL, name text NOT NULL, phase text NOT NULL, state text NOT NULL,
  attempt bigint NOT NULL, key text NOT NULL, output text, error text,
  started_at bigint NOT NULL, ended_at bigint,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX job_steps_position ON job_steps (workspace, job, phase, position);

CREATE TABLE claims (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  job text NOT NULL, attempt bigint NOT NULL, started_at bigint NOT NULL, lines bigint NOT NULL, bytes bigint NOT NULL,
  progress_at bigint, said text, answer text, expires_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX claims_expiry ON claims (workspace, expires_at);

CREATE TABLE dead_letters (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  job text NOT NULL, runbook text NOT NULL, stage text NOT NULL, reason text NOT NULL, message text,
  at bigint NOT NULL, settled_at bigint, settled_by text,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX dead_letters_job ON dead_letters (workspace, job);
CREATE INDEX dead_letters_open ON dead_letters (workspace, settled_at, id);

CREATE TABLE effects (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  job text NOT NULL, attempt bigint NOT NULL, step text, phase text, kind text NOT NULL, target text NOT NULL,
  inbound_key text, outbound_key text NOT NULL, outcome text NOT NULL, digest text NOT NULL,
  started_at bigint NOT NULL, ended_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX effects_job ON effects (workspace, job, id);
CREATE TRIGGER effects_no_delete BEFORE DELETE ON effects FOR EACH ROW
EXECUTE FUNCTION refuse('receipts of effects are immutable');
CREATE TRIGGER effects_no_update BEFORE UPDATE ON effects FOR EACH ROW
EXECUTE FUNCTION refuse('receipts of effects are immutable');

CREATE TABLE presets (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  name text NOT NULL, runbook text NOT NULL, args text NOT NULL, created_by text NOT NULL, chain text NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX presets_name ON presets (workspace, name);

CREATE TABLE schedules (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  ref text NOT NULL, name text NOT NULL, text text, command text NOT NULL, args text NOT NULL, cron text,
  zone text NOT NULL, missed text NOT NULL, paused bigint NOT NULL, next_at bigint, last_at bigint,
  runs bigint NOT NULL, last_outcome text, created_by text NOT NULL, scopes text NOT NULL, key text, causes text NOT NULL,
  reply_to text, created_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX schedules_ref ON schedules (workspace, ref);
CREATE UNIQUE INDEX schedules_name ON schedules (workspace, name);
CREATE INDEX schedules_due ON schedules (workspace, paused, next_at);

CREATE TABLE breakers (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  state text NOT NULL, failures bigint NOT NULL, retry_at bigint, trial text, reason text,
  changed_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);

CREATE TABLE artifacts (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  ref text NOT NULL, job text, name text NOT NULL, kind text NOT NULL, media_type text NOT NULL,
  content text NOT NULL, size bigint NOT NULL, sha256 text NOT NULL, state text NOT NULL,
  created_by text NOT NULL, created_at bigint NOT NULL, updated_by text NOT NULL, updated_at bigint NOT NULL,
  decided_by text, decided_at bigint,
  PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX artifacts_ref ON artifacts (workspace, ref);
CREATE INDEX artifacts_job ON artifacts (workspace, job, id);
CREATE FUNCTION refuse_accepted() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF OLD.state = 'accepted' THEN
    RAISE EXCEPTION 'an accepted artifact is immutable' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER artifacts_no_change BEFORE UPDATE OR DELETE ON artifacts FOR EACH ROW
EXECUTE FUNCTION refuse_accepted();

CREATE TABLE usage_totals (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  scope text NOT NULL, period text NOT NULL, runs bigint NOT NULL, units text NOT NULL, cost bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
