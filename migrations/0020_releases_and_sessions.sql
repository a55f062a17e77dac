-- Scheduled messages in the feed, and sessions that end before their time. The rules are those of 0001.

-- Whether a scheduled message of live chat went out after a row of the feed.
CREATE INDEX updates_released ON updates (message_seq) WHERE kind = 'message.released';

-- Tokens of sign-ins before this are not good any more; NULL: all are.
ALTER TABLE users ADD COLUMN sessions_since INTEGER;

-- Open streams of a person check their credential again at once.
CREATE TRIGGER users_sessions_update AFTER UPDATE OF sessions_since ON users
  WHEN OLD.sessions_since IS NOT NEW.sessions_since BEGIN
  INSERT INTO updates (tenant_id, kind, person_id)
  SELECT m.tenant_id, 'scope', m.user_id FROM memberships m WHERE m.user_id = NEW.id;
END;
