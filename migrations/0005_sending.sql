-- Sending: quotes, metadata to search by, scheduled messages, the pace of an inbox. The rules are those of 0001.

-- What callers gave along with messages, to find them again by an exact value.
CREATE TABLE message_metadata (
  tenant_id   TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  value       TEXT    NOT NULL,
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  PRIMARY KEY (tenant_id, key, value, message_seq)
) STRICT, WITHOUT ROWID;

-- An inbox whose provider asked for patience or refuses it; no row: it sends as fast as it can
-- (channels section 8.3).
CREATE TABLE inbox_pace (
  inbox_seq    INTEGER PRIMARY KEY REFERENCES inboxes (seq),
  paused_until INTEGER NOT NULL DEFAULT 0,           -- nothing is sent before
  throttles    INTEGER NOT NULL DEFAULT 0,           -- in a row, with no success between
  interval_us  INTEGER NOT NULL DEFAULT 0,           -- between two sends, in microseconds; 0: no limit of ours
  slowed_at    INTEGER NOT NULL DEFAULT 0,           -- the interval was set then; it shrinks from there
  next_slot_us INTEGER NOT NULL DEFAULT 0,           -- the first moment nobody has taken yet, in microseconds
  alert        TEXT,                                 -- why the provider refuses the account; NULL: it does not
  probe_at     INTEGER NOT NULL DEFAULT 0,           -- with an alert: one job may try then
  cleared_at   INTEGER NOT NULL DEFAULT 0            -- the last alert ended: waiting messages are fresh from here
) STRICT;

-- A message's turn at an inbox with a pace: the moment it has taken, until it was used.
ALTER TABLE jobs ADD COLUMN slot_at INTEGER;

-- It was put back because its inbox waits, before anything of it was done: it may be woken early.
ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;

-- How often the provider asked for patience with this very person.
ALTER TABLE jobs ADD COLUMN throttles INTEGER NOT NULL DEFAULT 0;

-- As in 0001, with what messages know since.
DROP VIEW accept_message;

CREATE VIEW accept_message AS
  SELECT 0 AS seq, '' AS id, '' AS tenant_id, 0 AS identity_seq, 0 AS session_seq, 0 AS inbox_seq,
         '' AS sender_type, '' AS sender_id, '' AS content, 0 AS status, 0 AS reply_to_seq, '' AS metadata,
         0 AS send_at, '' AS preview, '' AS job, '' AS lane, 0 AS now;

CREATE TRIGGER accept_message_insert INSTEAD OF INSERT ON accept_message BEGIN
  INSERT INTO messages (seq, id, tenant_id, identity_seq, session_seq, inbox_seq, direction, sender_type, sender_id,
                        content, status, reply_to_seq, metadata, send_at, created_at, updated_at, sent_at)
  VALUES (NEW.seq, NEW.id, NEW.tenant_id, NEW.identity_seq, NEW.session_seq, NEW.inbox_seq, 'out', NEW.sender_type,
          NEW.sender_id, NEW.content, NEW.status, NEW.reply_to_seq, NEW.metadata, NEW.send_at, NEW.now, NEW.now,
          CASE WHEN NEW.status = 1 THEN NEW.now END);
  INSERT INTO message_metadata (tenant_id, key, value, message_seq)
  SELECT NEW.tenant_id, pair.key, pair.value, NEW.seq FROM json_each(NEW.metadata) pair;
  UPDATE identities
     SET started_at = coalesce(started_at, NEW.now), last_inbox_seq = NEW.inbox_seq, last_message_at = NEW.now,
         last_message_text = NEW.preview, last_message_sender = NEW.sender_type
   WHERE seq = NEW.identity_seq AND coalesce(last_message_at, 0) <= NEW.now AND NEW.send_at IS NULL;
  -- A scheduled message begins a conversation, but is not its last message yet.
  UPDATE identities
     SET started_at = coalesce(started_at, NEW.now), last_inbox_seq = coalesce(last_inbox_seq, NEW.inbox_seq),
         last_message_at = coalesce(last_message_at, NEW.now)
   WHERE seq = NEW.identity_seq AND NEW.send_at IS NOT NULL;
  -- Behind another job of its lane it waits without a time: jobs::finish gives it one.
  INSERT INTO jobs (tenant_id, kind, lane, subject, due_at, created_at)
  SELECT NEW.tenant_id, NEW.job, NEW.lane, NEW.id,
         CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE lane = NEW.lane) THEN NULL ELSE coalesce(NEW.send_at, NEW.now) END,
         NEW.now
   WHERE NEW.job IS NOT NULL;
END;
