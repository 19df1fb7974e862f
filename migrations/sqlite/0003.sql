-- Channels that are deaf; which messages were given up last.

CREATE TABLE outages (
  workspace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  reporter TEXT, reason TEXT NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX outbox_state ON outbox (workspace, state, id);
