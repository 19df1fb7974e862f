-- Channels that are deaf; which messages were given up last.

CREATE TABLE outages (
  workspace text NOT NULL, id text NOT NULL, version bigint NOT NULL,
  reporter text, reason text NOT NULL, since bigint NOT NULL,
  PRIMARY KEY (workspace, id)
);

CREATE INDEX outbox_state ON outbox (workspace, state, id);
