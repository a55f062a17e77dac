-- Imports of contacts from CSV files. The rules are those of 0001.

-- The bytes lie in the key-value store as a file's do, under the import's id, until it is finished.
CREATE TABLE contact_imports (
  seq           INTEGER PRIMARY KEY,
  id            TEXT    NOT NULL UNIQUE,             -- import_ + ULID
  tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
  created_by    TEXT    NOT NULL,                    -- usr_ or svc_
  status        TEXT    NOT NULL CHECK (status IN ('uploading', 'pending', 'processing', 'completed', 'failed')),
  size          INTEGER NOT NULL DEFAULT 0,          -- bytes
  encoding      TEXT,                                -- utf-8, utf-16le, utf-16be, windows-1252
  separator     TEXT,                                -- known from `processing` on, like the header
  header        TEXT,                                -- JSON array of texts
  position      INTEGER NOT NULL DEFAULT 0,          -- bytes of the file that are worked off
  total_rows    INTEGER NOT NULL DEFAULT 0,
  success_count INTEGER NOT NULL DEFAULT 0,
  failed_count  INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  finished_at   INTEGER
) STRICT;

CREATE INDEX contact_imports_unfinished ON contact_imports (created_at) WHERE status = 'uploading';

CREATE INDEX contact_imports_finished ON contact_imports (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE contact_import_errors (
  import_seq  INTEGER NOT NULL REFERENCES contact_imports (seq) ON DELETE CASCADE,
  row         INTEGER NOT NULL,                      -- data rows from 1; 0: of the whole file
  number      INTEGER NOT NULL,                      -- of several in one row
  column_name TEXT,
  message     TEXT    NOT NULL,
  PRIMARY KEY (import_seq, row, number)
) STRICT, WITHOUT ROWID;

-- Rows with neither phone nor e-mail became these contacts: the same row again is the same contact.
CREATE TABLE imported_rows (
  tenant_id   TEXT    NOT NULL,
  fingerprint TEXT    NOT NULL,                      -- of name and values
  contact_seq INTEGER NOT NULL REFERENCES contacts (seq) ON DELETE CASCADE,
  PRIMARY KEY (tenant_id, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE INDEX imported_rows_by_contact ON imported_rows (contact_seq);

CREATE TRIGGER contact_imports_ended AFTER UPDATE OF status ON contact_imports
  WHEN NEW.status IN ('completed', 'failed') AND OLD.status NOT IN ('completed', 'failed') BEGIN
  INSERT OR IGNORE INTO media_garbage (media_id, deleted_at)
  VALUES (NEW.id, CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;

CREATE TRIGGER contact_imports_deleted AFTER DELETE ON contact_imports BEGIN
  INSERT OR IGNORE INTO media_garbage (media_id, deleted_at)
  VALUES (OLD.id, CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;
