-- Unread counts, who has written where, and the orders of conversation lists. The rules are those of 0001.

-- Customers' messages of a conversation: all, and those before its latest session opened.
ALTER TABLE identities ADD COLUMN inbound_count INTEGER NOT NULL DEFAULT 0;

ALTER TABLE identities ADD COLUMN inbound_before INTEGER NOT NULL DEFAULT 0;

UPDATE identities
   SET inbound_count = (SELECT count(*) FROM messages m WHERE m.identity_seq = identities.seq AND m.direction = 'in'),
       inbound_before = (SELECT count(*) FROM messages m
                          WHERE m.identity_seq = identities.seq AND m.direction = 'in'
                            AND m.session_seq < (SELECT max(s.seq) FROM sessions s WHERE s.identity_seq = identities.seq));

-- How far somebody has read: so many customers' messages of the conversation, in the order of arrival.
CREATE TABLE read_markers (
  reader_id    TEXT    NOT NULL,                     -- usr_ or svc_
  identity_seq INTEGER NOT NULL REFERENCES identities (seq),
  tenant_id    TEXT    NOT NULL,
  read_count   INTEGER NOT NULL,                     -- only grows
  updated_at   INTEGER NOT NULL,
  PRIMARY KEY (reader_id, identity_seq)
) STRICT, WITHOUT ROWID;

-- Grows with everything that may change somebody's unread count; clients drop what is older.
CREATE TABLE unread_versions (
  tenant_id TEXT    PRIMARY KEY,
  version   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who has sent a message into which conversation.
CREATE TABLE interactions (
  actor_id     TEXT    NOT NULL,                     -- usr_ or svc_
  identity_seq INTEGER NOT NULL REFERENCES identities (seq),
  PRIMARY KEY (actor_id, identity_seq)
) STRICT, WITHOUT ROWID;

INSERT INTO interactions (actor_id, identity_seq)
SELECT DISTINCT sender_id, identity_seq FROM messages WHERE direction = 'out' AND sender_type = 'user';

CREATE TRIGGER messages_counted AFTER INSERT ON messages WHEN NEW.direction = 'in' BEGIN
  UPDATE identities SET inbound_count = inbound_count + 1 WHERE seq = NEW.identity_seq;
  INSERT INTO unread_versions (tenant_id, version) VALUES (NEW.tenant_id, 1)
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER messages_sent AFTER INSERT ON messages WHEN NEW.direction = 'out' AND NEW.sender_type = 'user' BEGIN
  INSERT INTO interactions (actor_id, identity_seq) VALUES (NEW.sender_id, NEW.identity_seq)
      ON CONFLICT (actor_id, identity_seq) DO NOTHING;
END;

CREATE TRIGGER sessions_opened_unread AFTER INSERT ON sessions BEGIN
  UPDATE identities SET inbound_before = inbound_count WHERE seq = NEW.identity_seq;
  INSERT INTO unread_versions (tenant_id, version) VALUES (NEW.tenant_id, 1)
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER sessions_changed_unread AFTER UPDATE OF assignee_id, team_id, closed_at ON sessions BEGIN
  INSERT INTO unread_versions (tenant_id, version) VALUES (NEW.tenant_id, 1)
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER read_markers_set AFTER INSERT ON read_markers BEGIN
  INSERT INTO unread_versions (tenant_id, version) VALUES (NEW.tenant_id, 1)
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER read_markers_moved AFTER UPDATE ON read_markers BEGIN
  INSERT INTO unread_versions (tenant_id, version) VALUES (NEW.tenant_id, 1)
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

-- Who is in which team, and with which role, decides what they see.
CREATE TRIGGER team_members_added AFTER INSERT ON team_members BEGIN
  INSERT INTO unread_versions (tenant_id, version) SELECT tenant_id, 1 FROM teams WHERE id = NEW.team_id
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER team_members_removed AFTER DELETE ON team_members BEGIN
  INSERT INTO unread_versions (tenant_id, version) SELECT tenant_id, 1 FROM teams WHERE id = OLD.team_id
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER memberships_role_changed AFTER UPDATE OF role ON memberships BEGIN
  INSERT INTO unread_versions (tenant_id, version) VALUES (NEW.tenant_id, 1)
      ON CONFLICT (tenant_id) DO UPDATE SET version = version + 1;
END;

-- Who leaves the tenant leaves its teams, and what was assigned to them is nobody's.
CREATE INDEX sessions_by_assignee ON sessions (assignee_id) WHERE closed_at IS NULL AND assignee_id IS NOT NULL;

CREATE TRIGGER memberships_ended AFTER DELETE ON memberships BEGIN
  DELETE FROM team_members
   WHERE user_id = OLD.user_id AND team_id IN (SELECT id FROM teams WHERE tenant_id = OLD.tenant_id);
  UPDATE sessions SET assignee_id = NULL
   WHERE assignee_id = OLD.user_id AND closed_at IS NULL AND tenant_id = OLD.tenant_id;
END;

-- Nobody waits for an answer any more.
CREATE TRIGGER contacts_deleted AFTER UPDATE OF deleted_at ON contacts
  WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
  UPDATE sessions SET closed_at = NEW.deleted_at
   WHERE closed_at IS NULL AND identity_seq IN (SELECT seq FROM identities WHERE contact_seq = NEW.seq);
END;

-- Keyset orders of GET /v1/conversations, per state. The first also holds what is filtered by, so that rows
-- out of a caller's sight are passed over without being read.
DROP INDEX conversations_by_time;

CREATE INDEX conversations_by_state ON identities
  (tenant_id, is_open, last_message_at, seq, team_id, assignee_id, last_inbox_seq, channel) WHERE started_at IS NOT NULL;

CREATE INDEX conversations_by_assignee ON identities (tenant_id, assignee_id, is_open, last_message_at, seq)
  WHERE started_at IS NOT NULL AND assignee_id IS NOT NULL;

CREATE INDEX conversations_by_team ON identities (tenant_id, team_id, is_open, last_message_at, seq)
  WHERE started_at IS NOT NULL AND team_id IS NOT NULL;

-- What an unread total adds up.
CREATE INDEX conversations_unread ON identities (tenant_id, assignee_id, team_id, inbound_before, inbound_count)
  WHERE is_open = 1 AND inbound_count > inbound_before;
