-- The data model of Flownally Edge.
--
-- Rules of this file and its followers:
--   * a statement ends with a semicolon at the end of a line, followed by an empty line; the kit
--     sends one statement a call, since Spin drops whatever follows the first;
--   * a landed migration is never edited: write the next one;
--   * times are INTEGER milliseconds since 1970, UTC; booleans are 0 or 1;
--   * `seq` is the integer that the Chatwoot API shows, `id` the text that v1 shows;
--   * every tenant-owned table has `tenant_id`, and list indexes begin with it.

-- A tenant is a workspace: a Chatwoot account.
CREATE TABLE tenants (
  seq               INTEGER PRIMARY KEY,             -- Chatwoot account id
  id                TEXT    NOT NULL UNIQUE,         -- tn_ + ULID
  name              TEXT    NOT NULL,
  locale            TEXT    NOT NULL DEFAULT 'en',
  domain            TEXT,
  support_email     TEXT,
  status            TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  custom_attributes TEXT    NOT NULL DEFAULT '{}',   -- JSON object, opaque to us
  limits            TEXT    NOT NULL DEFAULT '{}',   -- JSON object, opaque to us
  features          TEXT    NOT NULL DEFAULT '{}',   -- JSON object: feature name -> boolean
  last_session      INTEGER NOT NULL DEFAULT 0,      -- the last `sessions.number` given out
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL,
  deleted_at        INTEGER                          -- soft delete; its keys and tokens stop at once
) STRICT;

-- A person. What a person may do is said by memberships.
CREATE TABLE users (
  seq               INTEGER PRIMARY KEY,
  id                TEXT    NOT NULL UNIQUE,         -- usr_ + ULID
  name              TEXT    NOT NULL,
  display_name      TEXT,
  email             TEXT    NOT NULL UNIQUE,         -- lower case
  password_hash     TEXT,                            -- argon2id in PHC form; NULL: cannot sign in by password
  access_token_hash BLOB    UNIQUE,                  -- SHA-256 of the Chatwoot access token
  access_token      TEXT,                            -- the same token, sealed: the Platform API shows it
  avatar_url        TEXT,
  custom_attributes TEXT    NOT NULL DEFAULT '{}',   -- JSON object, opaque to us
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL,
  disabled_at       INTEGER
) STRICT;

-- Which role a person has in a tenant.
CREATE TABLE memberships (
  seq        INTEGER PRIMARY KEY,                    -- Chatwoot account_user id
  tenant_id  TEXT    NOT NULL REFERENCES tenants (id),
  user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role       TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'agent')),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, user_id)
) STRICT;

CREATE INDEX memberships_by_user ON memberships (user_id);

-- Failed sign-ins, by a hash of the address: delays grow with them, also for addresses nobody has.
CREATE TABLE sign_in_failures (
  email_hash   BLOB    PRIMARY KEY,                  -- SHA-256 of the lower-case address
  failures     INTEGER NOT NULL,                     -- in a row
  locked_until INTEGER NOT NULL,
  last_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One-time sign-in links of the Platform API.
CREATE TABLE sso_tokens (
  token_hash BLOB    PRIMARY KEY,                    -- SHA-256
  user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Software that calls the API.
CREATE TABLE service_accounts (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,               -- svc_ + ULID
  tenant_id   TEXT    NOT NULL REFERENCES tenants (id),
  name        TEXT    NOT NULL,
  description TEXT,
  role        TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'agent')),
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  deleted_at  INTEGER                                -- its keys stop working
) STRICT;

CREATE INDEX service_accounts_by_tenant ON service_accounts (tenant_id, seq);

CREATE TABLE api_keys (
  seq                INTEGER PRIMARY KEY,
  id                 TEXT    NOT NULL UNIQUE,        -- key_ + ULID
  tenant_id          TEXT    NOT NULL REFERENCES tenants (id),
  service_account_id TEXT    NOT NULL REFERENCES service_accounts (id),
  name               TEXT    NOT NULL,
  prefix             TEXT    NOT NULL,               -- first 12 characters, for people to recognise it
  secret_hash        BLOB    NOT NULL UNIQUE,        -- SHA-256 of the whole key
  scopes             TEXT,                           -- JSON array; NULL: all that the role allows
  created_at         INTEGER NOT NULL,
  last_used_at       INTEGER,                        -- to the minute
  expires_at         INTEGER,
  revoked_at         INTEGER
) STRICT;

CREATE INDEX api_keys_by_service_account ON api_keys (tenant_id, service_account_id, seq);

-- A connected sender: a WhatsApp number, a page, a live-chat widget.
CREATE TABLE inboxes (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,               -- ibx_ + ULID
  tenant_id   TEXT    NOT NULL REFERENCES tenants (id),
  channel     TEXT    NOT NULL CHECK (channel IN ('whatsapp', 'messenger', 'instagram', 'text', 'sms')),
  external_id TEXT    NOT NULL,                      -- WhatsApp: phone number id
  account_id  TEXT,                                  -- WhatsApp: business account id
  name        TEXT    NOT NULL,
  team_id     TEXT,
  state       TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'degraded', 'inactive')),
  reasons     TEXT    NOT NULL DEFAULT '[]',         -- JSON array of why it is not active
  created_by  TEXT    NOT NULL,                      -- usr_ or svc_
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  deleted_at  INTEGER
) STRICT;

-- Callbacks name only the address: one tenant owns it.
CREATE UNIQUE INDEX inboxes_by_address ON inboxes (channel, external_id) WHERE deleted_at IS NULL;

CREATE INDEX inboxes_by_tenant ON inboxes (tenant_id, seq);

CREATE TABLE contacts (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,               -- con_ + ULID
  tenant_id   TEXT    NOT NULL REFERENCES tenants (id),
  name        TEXT,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  archived_at INTEGER,
  deleted_at  INTEGER
) STRICT;

-- Keyset order of GET /v1/contacts: newest first, in one bucket (archived or not).
CREATE INDEX contacts_by_creation ON contacts (tenant_id, archived_at IS NULL, created_at, seq)
  WHERE deleted_at IS NULL;

CREATE INDEX contacts_by_update ON contacts (tenant_id, archived_at IS NULL, updated_at, seq)
  WHERE deleted_at IS NULL;

CREATE INDEX contacts_by_name ON contacts (tenant_id, archived_at IS NULL, coalesce(name, '') COLLATE NOCASE, seq)
  WHERE deleted_at IS NULL;

CREATE TABLE tags (
  seq        INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE,                -- tag_ + ULID
  tenant_id  TEXT    NOT NULL REFERENCES tenants (id),
  name       TEXT    NOT NULL,
  created_by TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (tenant_id, name)
) STRICT;

CREATE TABLE contact_tags (
  contact_seq INTEGER NOT NULL REFERENCES contacts (seq),
  tag_id      TEXT    NOT NULL REFERENCES tags (id),
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (contact_seq, tag_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_tags_by_tag ON contact_tags (tag_id, contact_seq);

-- Custom field values; the definitions come with their own operations.
CREATE TABLE contact_fields (
  contact_seq INTEGER NOT NULL REFERENCES contacts (seq),
  field_id    TEXT    NOT NULL,                      -- cf_ + slug
  tenant_id   TEXT    NOT NULL,
  value       TEXT    NOT NULL,
  PRIMARY KEY (contact_seq, field_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_fields_by_value ON contact_fields (tenant_id, field_id, value);

-- One address of a contact on one channel. It is the v1 conversation at the same time: the thread
-- of one identity, whose id is `cnv_` + the ULID of `idn_` (contract section 5).
CREATE TABLE identities (
  seq                 INTEGER PRIMARY KEY,
  id                  TEXT    NOT NULL UNIQUE,       -- idn_ + ULID
  tenant_id           TEXT    NOT NULL REFERENCES tenants (id),
  contact_seq         INTEGER NOT NULL REFERENCES contacts (seq),
  channel             TEXT    NOT NULL,
  address             TEXT    NOT NULL,              -- WhatsApp: digits without +; others: the provider's id
  created_at          INTEGER NOT NULL,
  started_at          INTEGER,                       -- first message; NULL: no conversation yet
  last_message_at     INTEGER,
  last_message_text   TEXT,                          -- preview
  last_message_sender TEXT,                          -- customer, user, journey, bot
  last_inbox_seq      INTEGER REFERENCES inboxes (seq),
  UNIQUE (tenant_id, channel, address)
) STRICT;

CREATE INDEX identities_by_contact ON identities (contact_seq);

CREATE INDEX conversations_by_time ON identities (tenant_id, last_message_at DESC, seq DESC)
  WHERE started_at IS NOT NULL;

-- An identity seen through one inbox: Chatwoot's contact inbox. It carries the messaging window,
-- which providers keep for each pair of business number and person (channels section 2.5).
CREATE TABLE contact_inboxes (
  identity_seq    INTEGER NOT NULL REFERENCES identities (seq),
  inbox_seq       INTEGER NOT NULL REFERENCES inboxes (seq),
  tenant_id       TEXT    NOT NULL,
  source_id       TEXT    NOT NULL,                  -- what the provider calls the person
  last_inbound_at INTEGER,                           -- the window is open for 24 h from here
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (identity_seq, inbox_seq)
) STRICT, WITHOUT ROWID;

-- One stretch of a conversation, from its opening to its closing: a Chatwoot conversation.
CREATE TABLE sessions (
  seq          INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,              -- ses_ + ULID
  tenant_id    TEXT    NOT NULL REFERENCES tenants (id),
  number       INTEGER NOT NULL,                     -- per tenant from 1: the id that Chatwoot shows
  identity_seq INTEGER NOT NULL REFERENCES identities (seq),
  inbox_seq    INTEGER NOT NULL REFERENCES inboxes (seq),
  assignee_id  TEXT,                                 -- usr_
  team_id      TEXT,
  opened_at    INTEGER NOT NULL,
  closed_at    INTEGER,
  UNIQUE (tenant_id, number)
) STRICT;

-- At most one open session a conversation.
CREATE UNIQUE INDEX sessions_open ON sessions (identity_seq) WHERE closed_at IS NULL;

CREATE TABLE messages (
  seq                INTEGER PRIMARY KEY,
  id                 TEXT    NOT NULL UNIQUE,        -- msg_ + ULID
  tenant_id          TEXT    NOT NULL,
  identity_seq       INTEGER NOT NULL REFERENCES identities (seq),
  session_seq        INTEGER NOT NULL REFERENCES sessions (seq),
  inbox_seq          INTEGER NOT NULL REFERENCES inboxes (seq),
  direction          TEXT    NOT NULL CHECK (direction IN ('in', 'out')),
  sender_type        TEXT    NOT NULL CHECK (sender_type IN ('customer', 'user', 'journey', 'bot')),
  sender_id          TEXT    NOT NULL,               -- con_, usr_, svc_, jrn_ or bot_
  content            TEXT    NOT NULL,               -- JSON, as v1 shows it
  status             INTEGER NOT NULL,               -- rank: 0 pending, 1 sent, 2 delivered, 3 read, -1 failed
  channel_message_id TEXT,                           -- the provider's id
  failure_code       TEXT,                           -- the provider's code, for operators
  failure_reason     TEXT,                           -- public text
  outcome_unknown_at INTEGER,                        -- sent perhaps: never sent again by itself
  created_at         INTEGER NOT NULL,               -- inbound: the provider's time
  updated_at         INTEGER NOT NULL,
  sent_at            INTEGER,
  delivered_at       INTEGER,
  read_at            INTEGER,
  edited_at          INTEGER,
  deleted_at         INTEGER
) STRICT;

CREATE INDEX messages_by_conversation ON messages (identity_seq, created_at DESC, seq DESC);

-- A provider message enters once, however often it is delivered (channels section 3.2).
CREATE UNIQUE INDEX messages_by_channel_id ON messages (inbox_seq, channel_message_id)
  WHERE channel_message_id IS NOT NULL;

-- Callbacks as they arrived, after their signature was checked. Kept for a week.
CREATE TABLE callbacks (
  seq          INTEGER PRIMARY KEY,
  channel      TEXT    NOT NULL,
  body         BLOB    NOT NULL,                     -- the raw bytes
  received_at  INTEGER NOT NULL,
  processed_at INTEGER,
  note         TEXT                                  -- what was left aside, in words
) STRICT;

CREATE INDEX callbacks_by_time ON callbacks (received_at);

-- Work that outlives its request. A row waits for `due_at`; a claimed row's `due_at` is the end of
-- its lease, so that a dead worker's job comes back by itself. Jobs of one `lane` run one after the
-- other in the order of `seq`: those behind the first have no `due_at`. Done means deleted.
CREATE TABLE jobs (
  seq        INTEGER PRIMARY KEY,
  tenant_id  TEXT    NOT NULL,
  kind       TEXT    NOT NULL,                       -- send_message, deliver_webhook, process_callback, give_up_on_outcome
  lane       TEXT,                                   -- NULL: runs beside everything
  subject    TEXT    NOT NULL,                       -- what it is about: msg_, evt_, callback seq
  payload    TEXT,                                   -- JSON
  due_at     INTEGER,
  attempts   INTEGER NOT NULL DEFAULT 0,             -- claims so far, those of killed workers too: the fence of a lease
  failures   INTEGER NOT NULL DEFAULT 0,             -- tries that were recorded as failed: what retries are counted by
  running    INTEGER NOT NULL DEFAULT 0,             -- its effect has begun, and no end of it is recorded yet
  broken_off INTEGER NOT NULL DEFAULT 0,             -- as `running` was when it was claimed last
  created_at INTEGER NOT NULL,
  last_error TEXT
) STRICT;

-- Fair claims go from tenant to tenant; whether anything is due at all is asked first.
CREATE INDEX jobs_by_tenant ON jobs (tenant_id, due_at) WHERE due_at IS NOT NULL;

CREATE INDEX jobs_by_time ON jobs (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX jobs_by_lane ON jobs (lane, seq) WHERE lane IS NOT NULL;

-- Accepting a message is the hottest write: this procedure does in one statement what three would, the
-- message, its place in the conversation, and the job that sends it. Each statement is a host call.
CREATE VIEW accept_message AS
  SELECT '' AS id, '' AS tenant_id, 0 AS identity_seq, 0 AS session_seq, 0 AS inbox_seq, '' AS sender_id,
         '' AS content, '' AS preview, '' AS lane, 0 AS now;

CREATE TRIGGER accept_message_insert INSTEAD OF INSERT ON accept_message BEGIN
  INSERT INTO messages (id, tenant_id, identity_seq, session_seq, inbox_seq, direction, sender_type, sender_id,
                        content, status, created_at, updated_at)
  VALUES (NEW.id, NEW.tenant_id, NEW.identity_seq, NEW.session_seq, NEW.inbox_seq, 'out', 'user', NEW.sender_id,
          NEW.content, 0, NEW.now, NEW.now);
  UPDATE identities
     SET started_at = coalesce(started_at, NEW.now), last_inbox_seq = NEW.inbox_seq, last_message_at = NEW.now,
         last_message_text = NEW.preview, last_message_sender = 'user'
   WHERE seq = NEW.identity_seq AND coalesce(last_message_at, 0) <= NEW.now;
  -- Behind another job of its lane it waits without a time: jobs::finish gives it one.
  INSERT INTO jobs (tenant_id, kind, lane, subject, due_at, created_at)
  VALUES (NEW.tenant_id, 'send_message', NEW.lane, NEW.id,
          CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE lane = NEW.lane) THEN NULL ELSE NEW.now END, NEW.now);
END;

-- Where a tenant wants to hear of what happens.
CREATE TABLE webhooks (
  tenant_id   TEXT    PRIMARY KEY REFERENCES tenants (id),
  id          TEXT    NOT NULL UNIQUE,               -- whk_ + ULID
  enabled     INTEGER NOT NULL DEFAULT 0,
  verified    INTEGER NOT NULL DEFAULT 0,
  url         TEXT,
  event_types TEXT    NOT NULL DEFAULT '[]',         -- JSON array
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_signing_keys (
  id         TEXT    PRIMARY KEY,                    -- whsk_ + ULID
  tenant_id  TEXT    NOT NULL REFERENCES tenants (id),
  version    INTEGER NOT NULL,                       -- from 1, per tenant
  secret     TEXT    NOT NULL,                       -- sealed; 32 bytes
  last4      TEXT    NOT NULL,                       -- of the displayed key
  disclosed  INTEGER NOT NULL DEFAULT 0,             -- its plaintext was shown once
  created_at INTEGER NOT NULL,
  expires_at INTEGER,                                -- NULL: the active key
  UNIQUE (tenant_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_attempts (
  seq             INTEGER PRIMARY KEY,
  id              TEXT    NOT NULL UNIQUE,           -- wha_ + ULID
  tenant_id       TEXT    NOT NULL,
  event_id        TEXT    NOT NULL,                  -- evt_ + ULID = webhook-id
  event_type      TEXT    NOT NULL,
  url             TEXT    NOT NULL,
  succeeded       INTEGER NOT NULL,
  attempt         INTEGER NOT NULL,                  -- from 1
  response_status INTEGER,
  error           TEXT,
  duration_ms     INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  next_attempt_at INTEGER
) STRICT;

CREATE INDEX webhook_attempts_by_tenant ON webhook_attempts (tenant_id, seq DESC);

-- Answers of POST requests, for 24 h.
CREATE TABLE idempotency_keys (
  tenant_id   TEXT    NOT NULL,
  operation   TEXT    NOT NULL,                      -- method and path
  key         TEXT    NOT NULL,
  fingerprint BLOB    NOT NULL,                      -- SHA-256 of the request body
  status      INTEGER,                               -- NULL: in flight until expires_at
  body        TEXT,                                  -- sealed where the answer holds a secret
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, operation, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
