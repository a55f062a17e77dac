-- Inboxes of all channels, and live chat: customers who write through the Client API. The rules are those of 0001.

-- Callback URLs of SMS name the inbox, so two tenants may have senders of one name; one tenant has each once.
DROP INDEX inboxes_by_address;

CREATE UNIQUE INDEX inboxes_by_address ON inboxes (channel, external_id)
  WHERE deleted_at IS NULL AND channel <> 'sms';

CREATE UNIQUE INDEX inboxes_by_sms_sender ON inboxes (tenant_id, external_id)
  WHERE deleted_at IS NULL AND channel = 'sms';

-- Templates as they were read last: approved and pending ones.
CREATE TABLE whatsapp_templates (
  inbox_seq INTEGER PRIMARY KEY REFERENCES inboxes (seq),
  tenant_id TEXT    NOT NULL,
  body      TEXT    NOT NULL,                        -- JSON array, as v1 shows it
  read_at   INTEGER NOT NULL
) STRICT;

-- What Chatwoot's APIs know of a contact beyond v1.
ALTER TABLE contacts ADD COLUMN email TEXT;                            -- lower case

ALTER TABLE contacts ADD COLUMN identifier TEXT;                       -- what the tenant's own system calls the person

ALTER TABLE contacts ADD COLUMN phone_number TEXT;                     -- E.164

ALTER TABLE contacts ADD COLUMN custom_attributes TEXT NOT NULL DEFAULT '{}'; -- JSON object, opaque to us

CREATE INDEX contacts_by_email ON contacts (tenant_id, email) WHERE email IS NOT NULL;

CREATE INDEX contacts_by_identifier ON contacts (tenant_id, identifier) WHERE identifier IS NOT NULL;

CREATE INDEX contacts_by_phone_number ON contacts (tenant_id, phone_number) WHERE phone_number IS NOT NULL;

ALTER TABLE sessions ADD COLUMN custom_attributes TEXT NOT NULL DEFAULT '{}'; -- JSON object, opaque to us

ALTER TABLE sessions ADD COLUMN contact_last_seen_at INTEGER;          -- the customer has read everything until then

ALTER TABLE sessions ADD COLUMN contact_typing_until INTEGER;          -- the customer counts as typing until then

-- A customer on one live-chat inbox: Chatwoot's contact inbox. The source id is all the credential they have.
CREATE TABLE livechat_visitors (
  inbox_seq    INTEGER NOT NULL REFERENCES inboxes (seq),
  source_id    TEXT    NOT NULL,
  tenant_id    TEXT    NOT NULL,
  identity_seq INTEGER NOT NULL REFERENCES identities (seq),
  identifier   TEXT,                                 -- proven by its HMAC
  is_owner     INTEGER NOT NULL,                     -- the contact was made for this visitor
  given        TEXT    NOT NULL,                     -- JSON of what they said of themselves: name, email, phone_number
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (inbox_seq, source_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX livechat_visitors_by_identity ON livechat_visitors (identity_seq);

CREATE INDEX livechat_visitors_by_identifier ON livechat_visitors (tenant_id, identifier) WHERE identifier IS NOT NULL;

CREATE INDEX livechat_visitors_by_time ON livechat_visitors (inbox_seq, created_at);

-- What customers chose as the answer to a question of ours.
CREATE TABLE livechat_answers (
  message_seq      INTEGER PRIMARY KEY REFERENCES messages (seq),
  tenant_id        TEXT    NOT NULL,
  submitted_values TEXT    NOT NULL                  -- JSON array of {name?, title?, value}
) STRICT;
