-- All channels: what messages, conversations and inboxes know beyond the first path. The rules are those of 0001.

-- What a channel knows the sender by, as v1 shows it, and the secrets that go with it, sealed.
ALTER TABLE inboxes ADD COLUMN config TEXT NOT NULL DEFAULT '{}';      -- JSON object without secrets

ALTER TABLE inboxes ADD COLUMN credentials TEXT;                       -- sealed JSON; NULL: the deployment's variables

-- Whose a WhatsApp business account is.
CREATE INDEX inboxes_by_account ON inboxes (account_id, tenant_id) WHERE account_id IS NOT NULL AND deleted_at IS NULL;

-- Of the latest session; kept by the triggers below, so that lists and rights ask one row.
ALTER TABLE identities ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;

ALTER TABLE identities ADD COLUMN team_id TEXT;

ALTER TABLE identities ADD COLUMN assignee_id TEXT;

UPDATE identities
   SET is_open = EXISTS (SELECT 1 FROM sessions s WHERE s.identity_seq = identities.seq AND s.closed_at IS NULL),
       team_id = (SELECT s.team_id FROM sessions s WHERE s.identity_seq = identities.seq ORDER BY s.seq DESC LIMIT 1),
       assignee_id = (SELECT s.assignee_id FROM sessions s WHERE s.identity_seq = identities.seq ORDER BY s.seq DESC LIMIT 1);

CREATE INDEX sessions_by_identity ON sessions (identity_seq, seq);

CREATE TRIGGER sessions_opened AFTER INSERT ON sessions BEGIN
  UPDATE identities SET is_open = NEW.closed_at IS NULL, team_id = NEW.team_id, assignee_id = NEW.assignee_id
   WHERE seq = NEW.identity_seq;
END;

CREATE TRIGGER sessions_changed AFTER UPDATE OF assignee_id, team_id, closed_at ON sessions
  WHEN NEW.seq = (SELECT max(seq) FROM sessions WHERE identity_seq = NEW.identity_seq) BEGIN
  UPDATE identities SET is_open = NEW.closed_at IS NULL, team_id = NEW.team_id, assignee_id = NEW.assignee_id
   WHERE seq = NEW.identity_seq;
END;

ALTER TABLE messages ADD COLUMN reply_to_seq INTEGER;                  -- the message that is quoted

ALTER TABLE messages ADD COLUMN metadata TEXT;                         -- JSON object of the caller's

ALTER TABLE messages ADD COLUMN send_at INTEGER;                       -- scheduled: not before

-- Catch-up reads in the order of arrival: `seq` grows with each commit.
CREATE INDEX messages_by_arrival ON messages (identity_seq, seq);

-- One reaction a sender and message; a new emoji replaces the old one.
CREATE TABLE reactions (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,               -- rct_ + ULID
  tenant_id   TEXT    NOT NULL,
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  sender_type TEXT    NOT NULL CHECK (sender_type IN ('customer', 'user', 'journey', 'bot')),
  sender_id   TEXT    NOT NULL,                      -- con_, usr_ or svc_
  emoji       TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (message_seq, sender_type, sender_id)
) STRICT;

-- Files: uploaded by us, or sent by customers. The bytes are in the key-value store, in parts.
CREATE TABLE media (
  seq        INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE,                -- mda_ + ULID
  tenant_id  TEXT    NOT NULL,
  kind       TEXT    NOT NULL CHECK (kind IN ('image', 'video', 'audio', 'document')),
  mime       TEXT    NOT NULL,
  filename   TEXT,
  size       INTEGER,                                -- bytes; NULL: not here yet
  sha256     BLOB,
  parts      INTEGER NOT NULL DEFAULT 0,             -- in the key-value store: media/<id>/<n> from 0
  state      TEXT    NOT NULL CHECK (state IN ('stored', 'pending', 'failed')),
  source     TEXT,                                   -- inbound: what the provider calls it, or its URL
  inbox_seq  INTEGER REFERENCES inboxes (seq),       -- inbound: where it came in
  created_by TEXT    NOT NULL,                       -- usr_, svc_ or con_
  created_at INTEGER NOT NULL,
  failure    TEXT                                    -- why it could not be stored, in words
) STRICT;

CREATE INDEX media_by_tenant ON media (tenant_id, seq);

-- What a provider calls a file of ours, until it forgets it.
CREATE TABLE media_uploads (
  media_seq   INTEGER NOT NULL REFERENCES media (seq),
  inbox_seq   INTEGER NOT NULL REFERENCES inboxes (seq),
  provider_id TEXT    NOT NULL,
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (media_seq, inbox_seq)
) STRICT, WITHOUT ROWID;
