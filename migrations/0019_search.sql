-- Lists of contacts in the order of their creation, read from any filter's own index. The rules are those of 0001.

-- Contacts get their numbers as they are made, so that an index in the order of numbers is in the order of creation,
-- unless a clock went back: here are those that were made before, by the clock, one with a lower number.
CREATE TABLE contacts_displaced (
  tenant_id  TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, created_at, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO contacts_displaced (tenant_id, created_at, seq)
SELECT tenant_id, created_at, seq
  FROM (SELECT tenant_id, created_at, seq, max(created_at) OVER (PARTITION BY tenant_id ORDER BY seq) AS newest FROM contacts)
 WHERE created_at < newest;

-- The newest of all contacts that a tenant ever had.
CREATE TABLE contacts_newest (
  tenant_id  TEXT    PRIMARY KEY,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO contacts_newest (tenant_id, created_at) SELECT tenant_id, max(created_at) FROM contacts GROUP BY 1;

CREATE TRIGGER contacts_numbered AFTER INSERT ON contacts BEGIN
  INSERT INTO contacts_displaced (tenant_id, created_at, seq)
  SELECT NEW.tenant_id, NEW.created_at, NEW.seq FROM contacts_newest n
   WHERE n.tenant_id = NEW.tenant_id AND n.created_at > NEW.created_at;
  INSERT INTO contacts_newest (tenant_id, created_at) VALUES (NEW.tenant_id, NEW.created_at)
      ON CONFLICT (tenant_id) DO UPDATE SET created_at = excluded.created_at WHERE created_at < excluded.created_at;
END;
