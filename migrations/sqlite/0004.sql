-- Whose Home is kept right; which jobs are not over.

CREATE TABLE homes (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX homes_opened ON homes (workspace, opened_at);

CREATE INDEX jobs_live ON jobs (workspace, id) WHERE ended_at IS NULL;
