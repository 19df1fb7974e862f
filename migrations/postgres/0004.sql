-- Whose Home is kept right; which jobs are not over.

CREATE TABLE homes (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  opened_at bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX homes_opened ON homes (workspace, opened_at);

CREATE INDEX jobs_live ON jobs (workspace, id) WHERE ended_at IS NULL;
