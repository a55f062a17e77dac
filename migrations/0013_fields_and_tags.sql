-- Custom fields are defined before they are used, and tags count their contacts. The rules are those of 0001.

-- Definitions of custom fields. Ids are unique to a tenant and an entity.
CREATE TABLE custom_fields (
  seq         INTEGER PRIMARY KEY,
  tenant_id   TEXT    NOT NULL REFERENCES tenants (id),
  entity_type TEXT    NOT NULL CHECK (entity_type IN ('contact', 'property')),
  id          TEXT    NOT NULL,                      -- cf_ + slug of the first name; never changes
  name        TEXT    NOT NULL,
  alias       TEXT    NOT NULL,                      -- the name in camelCase: another key for its values
  type        TEXT    NOT NULL CHECK (type IN ('text', 'date')),
  predefined  INTEGER NOT NULL DEFAULT 0,
  created_by  TEXT    NOT NULL,                      -- usr_ or svc_; system
  created_at  INTEGER NOT NULL,
  work        TEXT    CHECK (work IN ('deleting', 'converting')), -- what a job does with its values
  work_done   INTEGER NOT NULL DEFAULT 0,            -- values
  work_total  INTEGER NOT NULL DEFAULT 0,
  UNIQUE (tenant_id, entity_type, id)
) STRICT;

CREATE INDEX custom_fields_by_alias ON custom_fields (tenant_id, entity_type, alias);

-- Every tenant has these two.
CREATE TRIGGER tenants_predefined_fields AFTER INSERT ON tenants BEGIN
  INSERT INTO custom_fields (tenant_id, entity_type, id, name, alias, type, predefined, created_by, created_at)
  VALUES (NEW.id, 'contact', 'cf_email', 'Email', 'email', 'text', 1, 'system', NEW.created_at),
         (NEW.id, 'contact', 'cf_phone', 'Phone', 'phone', 'text', 1, 'system', NEW.created_at);
END;

INSERT INTO custom_fields (tenant_id, entity_type, id, name, alias, type, predefined, created_by, created_at)
SELECT t.id, 'contact', p.column1, p.column2, p.column3, 'text', 1, 'system', t.created_at
  FROM tenants t, (VALUES ('cf_email', 'Email', 'email'), ('cf_phone', 'Phone', 'phone')) p;

-- Values that were kept before there were definitions: their keys become definitions, under the key itself.
INSERT OR IGNORE INTO custom_fields (tenant_id, entity_type, id, name, alias, type, created_by, created_at)
SELECT tenant_id, 'contact', field_id, field_id, field_id, 'text', 'system', unixepoch() * 1000
  FROM contact_fields GROUP BY tenant_id, field_id;

ALTER TABLE tags ADD COLUMN name_key TEXT NOT NULL DEFAULT '';         -- the name in lower case

ALTER TABLE tags ADD COLUMN labeled_count INTEGER NOT NULL DEFAULT 0;  -- contacts that have it and are not deleted

ALTER TABLE tags ADD COLUMN deleted_at INTEGER;                        -- a job takes it off the contacts

-- No operation made tags before this; names that differ by case only are kept apart.
UPDATE tags SET name_key = lower(name) || CASE WHEN EXISTS (
  SELECT 1 FROM tags o WHERE o.tenant_id = tags.tenant_id AND lower(o.name) = lower(tags.name) AND o.seq < tags.seq)
  THEN '#' || seq ELSE '' END;

CREATE UNIQUE INDEX tags_by_name ON tags (tenant_id, name_key) WHERE deleted_at IS NULL;

CREATE TRIGGER contact_tags_added AFTER INSERT ON contact_tags BEGIN
  UPDATE tags SET labeled_count = labeled_count + 1
   WHERE id = NEW.tag_id AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = NEW.contact_seq) IS NULL;
END;

CREATE TRIGGER contact_tags_removed AFTER DELETE ON contact_tags BEGIN
  UPDATE tags SET labeled_count = labeled_count - 1
   WHERE id = OLD.tag_id AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = OLD.contact_seq) IS NULL;
END;

CREATE TRIGGER contact_tags_moved AFTER UPDATE OF contact_seq, tag_id ON contact_tags BEGIN
  UPDATE tags SET labeled_count = labeled_count - 1
   WHERE id = OLD.tag_id AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = OLD.contact_seq) IS NULL;
  UPDATE tags SET labeled_count = labeled_count + 1
   WHERE id = NEW.tag_id AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = NEW.contact_seq) IS NULL;
END;

-- Deleted contacts keep their tags and do not count; those that come back count again.
CREATE TRIGGER contacts_deleted_tags AFTER UPDATE OF deleted_at ON contacts
  WHEN (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL) BEGIN
  UPDATE tags SET labeled_count = labeled_count + CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE -1 END
   WHERE id IN (SELECT t.tag_id FROM contact_tags t WHERE t.contact_seq = NEW.seq);
END;

UPDATE tags SET labeled_count = (SELECT count(*) FROM contact_tags t
   WHERE t.tag_id = tags.id AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = t.contact_seq) IS NULL);
