-- Contacts at size: search, exact counts, external ids, merges that can be undone. The rules are those of 0001.

-- What a contact is found by: name, e-mail, phone fields, and the numbers of its identities, a line each. Tag names
-- are not in it, so that deleting a tag rewrites nothing. The number's upper bits are the tenant's, so that a search
-- of one tenant passes over the rows of all others without reading them.
CREATE VIEW contact_search_source AS
  SELECT c.seq AS contact_seq,
         ((SELECT t.seq FROM tenants t WHERE t.id = c.tenant_id) << 36) + c.seq AS seq,
         coalesce(c.name, '') || char(10)
           || coalesce(c.email || char(10), '') || coalesce(c.phone_number || char(10), '')
           || coalesce((SELECT group_concat(f.value, char(10)) FROM contact_fields f
                         WHERE f.contact_seq = c.seq AND f.field_id IN ('cf_email', 'cf_phone', 'email', 'phone')), '')
           || char(10)
           || coalesce((SELECT group_concat('+' || i.address, char(10)) FROM identities i
                         WHERE i.contact_seq = c.seq AND i.channel IN ('whatsapp', 'sms')
                           AND i.address NOT GLOB '*[^0-9]*'), '')
           -- Two more characters, so that a trigram begins at each character of the text.
           || char(10) || char(10) AS text
    FROM contacts c
   WHERE c.deleted_at IS NULL;

CREATE TABLE contact_search (
  seq  INTEGER PRIMARY KEY,                          -- (tenants.seq << 36) + contacts.seq
  text TEXT    NOT NULL
) STRICT;

-- Trigrams fold the case of all scripts. Positions are not kept: a hit is checked against the text.
CREATE VIRTUAL TABLE contact_search_index USING fts5(
  text, content = 'contact_search', content_rowid = 'seq', tokenize = 'trigram', detail = 'none', columnsize = 0
);

-- The trigrams in use, in their order: what a query of one or two characters may begin.
CREATE VIRTUAL TABLE contact_search_terms USING fts5vocab(contact_search_index, 'instance');

CREATE TRIGGER contact_search_added AFTER INSERT ON contact_search BEGIN
  INSERT INTO contact_search_index (rowid, text) VALUES (NEW.seq, NEW.text);
END;

CREATE TRIGGER contact_search_changed AFTER UPDATE OF text ON contact_search WHEN OLD.text <> NEW.text BEGIN
  INSERT INTO contact_search_index (contact_search_index, rowid, text) VALUES ('delete', OLD.seq, OLD.text);
  INSERT INTO contact_search_index (rowid, text) VALUES (NEW.seq, NEW.text);
END;

CREATE TRIGGER contact_search_removed AFTER DELETE ON contact_search BEGIN
  INSERT INTO contact_search_index (contact_search_index, rowid, text) VALUES ('delete', OLD.seq, OLD.text);
END;

INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source;

CREATE TRIGGER contacts_found AFTER INSERT ON contacts BEGIN
  INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source WHERE contact_seq = NEW.seq;
END;

CREATE TRIGGER contacts_found_anew AFTER UPDATE OF name, email, phone_number, deleted_at ON contacts BEGIN
  DELETE FROM contact_search
   WHERE NEW.deleted_at IS NOT NULL
     AND seq = ((SELECT t.seq FROM tenants t WHERE t.id = NEW.tenant_id) << 36) + NEW.seq;
  INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source WHERE contact_seq = NEW.seq
      ON CONFLICT (seq) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;
END;

CREATE TRIGGER contacts_found_no_more AFTER DELETE ON contacts BEGIN
  DELETE FROM contact_search WHERE seq = ((SELECT t.seq FROM tenants t WHERE t.id = OLD.tenant_id) << 36) + OLD.seq;
END;

CREATE TRIGGER identities_found AFTER INSERT ON identities WHEN NEW.channel IN ('whatsapp', 'sms') BEGIN
  INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source WHERE contact_seq = NEW.contact_seq
      ON CONFLICT (seq) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;
END;

CREATE TRIGGER identities_found_anew AFTER UPDATE OF address, contact_seq ON identities
  WHEN NEW.channel IN ('whatsapp', 'sms') AND (OLD.address <> NEW.address OR OLD.contact_seq <> NEW.contact_seq) BEGIN
  INSERT INTO contact_search (seq, text)
  SELECT seq, text FROM contact_search_source WHERE contact_seq IN (OLD.contact_seq, NEW.contact_seq)
      ON CONFLICT (seq) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;
END;

CREATE TRIGGER identities_found_no_more AFTER DELETE ON identities WHEN OLD.channel IN ('whatsapp', 'sms') BEGIN
  INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source WHERE contact_seq = OLD.contact_seq
      ON CONFLICT (seq) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;
END;

CREATE TRIGGER contact_fields_found AFTER INSERT ON contact_fields
  WHEN NEW.field_id IN ('cf_email', 'cf_phone', 'email', 'phone') BEGIN
  INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source WHERE contact_seq = NEW.contact_seq
      ON CONFLICT (seq) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;
END;

CREATE TRIGGER contact_fields_found_anew AFTER UPDATE ON contact_fields
  WHEN NEW.field_id IN ('cf_email', 'cf_phone', 'email', 'phone') BEGIN
  INSERT INTO contact_search (seq, text)
  SELECT seq, text FROM contact_search_source WHERE contact_seq IN (OLD.contact_seq, NEW.contact_seq)
      ON CONFLICT (seq) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;
END;

CREATE TRIGGER contact_fields_found_no_more AFTER DELETE ON contact_fields
  WHEN OLD.field_id IN ('cf_email', 'cf_phone', 'email', 'phone') BEGIN
  INSERT INTO contact_search (seq, text) SELECT seq, text FROM contact_search_source WHERE contact_seq = OLD.contact_seq
      ON CONFLICT (seq) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;
END;

-- How many contacts each bucket of a tenant has, so that counting reads one row.
CREATE TABLE contact_counts (
  tenant_id TEXT    NOT NULL,
  archived  INTEGER NOT NULL,
  count     INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, archived)
) STRICT, WITHOUT ROWID;

INSERT INTO contact_counts (tenant_id, archived, count)
SELECT tenant_id, archived_at IS NOT NULL, count(*) FROM contacts WHERE deleted_at IS NULL GROUP BY 1, 2;

CREATE TRIGGER contacts_counted AFTER INSERT ON contacts WHEN NEW.deleted_at IS NULL BEGIN
  INSERT INTO contact_counts (tenant_id, archived, count) VALUES (NEW.tenant_id, NEW.archived_at IS NOT NULL, 1)
      ON CONFLICT (tenant_id, archived) DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER contacts_counted_out AFTER DELETE ON contacts WHEN OLD.deleted_at IS NULL BEGIN
  UPDATE contact_counts SET count = count - 1 WHERE tenant_id = OLD.tenant_id AND archived = (OLD.archived_at IS NOT NULL);
END;

CREATE TRIGGER contacts_counted_anew AFTER UPDATE OF archived_at, deleted_at ON contacts
  WHEN (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL) OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL) BEGIN
  UPDATE contact_counts SET count = count - 1
   WHERE OLD.deleted_at IS NULL AND tenant_id = OLD.tenant_id AND archived = (OLD.archived_at IS NOT NULL);
  INSERT INTO contact_counts (tenant_id, archived, count)
  SELECT NEW.tenant_id, NEW.archived_at IS NOT NULL, 1 WHERE NEW.deleted_at IS NULL
      ON CONFLICT (tenant_id, archived) DO UPDATE SET count = count + 1;
END;

-- The person's data are gone for good; messages and files are emptied by a job.
ALTER TABLE contacts ADD COLUMN erased_at INTEGER;

-- A contact that became a part of another, and what was where, to undo it for 30 days.
CREATE TABLE contact_merges (
  seq        INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE,                -- mrg_ + ULID
  tenant_id  TEXT    NOT NULL REFERENCES tenants (id),
  into_seq   INTEGER NOT NULL REFERENCES contacts (seq),
  from_seq   INTEGER NOT NULL REFERENCES contacts (seq),
  made_by    TEXT    NOT NULL,                       -- usr_ or svc_
  moved      TEXT    NOT NULL,                       -- JSON: what it took over, and what it had before
  created_at INTEGER NOT NULL,
  undone_at  INTEGER
) STRICT;

CREATE INDEX contact_merges_by_contact ON contact_merges (into_seq);

CREATE INDEX contact_merges_by_origin ON contact_merges (from_seq);
