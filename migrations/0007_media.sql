-- Files: by whose conversation one came in, and bytes that wait to be deleted. The rules are those of 0001.

ALTER TABLE media ADD COLUMN identity_seq INTEGER;                     -- inbound: the conversation it came in by

-- Uploads that were never finished are looked for by age.
CREATE INDEX media_unfinished ON media (created_at) WHERE state = 'pending' AND source IS NULL;

-- Bytes whose row is gone. The trigger fills it, so that no path can forget them.
CREATE TABLE media_garbage (
  media_id   TEXT    NOT NULL PRIMARY KEY,
  deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER media_deleted AFTER DELETE ON media BEGIN
  INSERT OR IGNORE INTO media_garbage (media_id, deleted_at)
  VALUES (OLD.id, CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;
