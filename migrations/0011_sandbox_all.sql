-- The sandbox for all providers (components/sandbox). What it keeps is thrown away at will, so the tables of 0002,
-- which knew WhatsApp only, make room for these. They still know nothing of tenants, as a provider does not.
-- `provider` is whatsapp, messenger, instagram, twilio or sms-gateway; `account` is what the provider knows the
-- business by: phone number id, Page id, Instagram account id, number or service id, gateway sender.
DROP TABLE sandbox_people;

DROP TABLE sandbox_sends;

DROP TABLE sandbox_callbacks;

DROP TABLE sandbox_modes;

-- A customer in the eyes of one account.
CREATE TABLE sandbox_people (
  provider        TEXT    NOT NULL,
  account         TEXT    NOT NULL,
  person          TEXT    NOT NULL,                  -- digits, business-scoped user id, PSID or IGSID
  user_id         TEXT,                              -- WhatsApp: the user id of a person known by number
  username        TEXT,
  name            TEXT,                              -- as the last customer message gave it
  last_inbound_at INTEGER,                           -- the window counts from here
  refusals        INTEGER NOT NULL DEFAULT 0,        -- of a recipient that refuses some times, then accepts
  opted_out       INTEGER NOT NULL DEFAULT 0,        -- SMS: wrote STOP
  PRIMARY KEY (provider, account, person)
) STRICT, WITHOUT ROWID;

-- How the sandbox treats an account, and what it learnt of it.
CREATE TABLE sandbox_accounts (
  provider   TEXT NOT NULL,
  account    TEXT NOT NULL,                          -- Twilio: the account SID too, with its auth token
  settings   TEXT NOT NULL DEFAULT '{}',             -- JSON: modes and limits
  auth_token TEXT,                                   -- Twilio: what callbacks are signed with; a sandbox's, no secret
  PRIMARY KEY (provider, account)
) STRICT, WITHOUT ROWID;

-- Messages that the sandbox accepted. Kept for a day.
CREATE TABLE sandbox_sends (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,               -- wamid., m_, SM, …
  provider    TEXT    NOT NULL,
  account     TEXT    NOT NULL,
  recipient   TEXT    NOT NULL,
  kind        TEXT    NOT NULL,                      -- text, template, …
  body        TEXT    NOT NULL,                      -- the request: its JSON, or its form's fields as JSON
  reference   TEXT,                                  -- the sender's own id of the message
  received_at INTEGER NOT NULL,
  resource    TEXT,                                  -- Twilio: the message's resource as it is now, JSON
  charged     INTEGER NOT NULL DEFAULT 1             -- 0: does not count for the limits
) STRICT;

CREATE INDEX sandbox_sends_by_account ON sandbox_sends (provider, account, seq DESC);

CREATE INDEX sandbox_sends_by_pair ON sandbox_sends (provider, account, recipient, received_at);

CREATE INDEX sandbox_sends_by_time ON sandbox_sends (received_at);

-- Messages that customers wrote: they can be marked as read. Kept for a day.
CREATE TABLE sandbox_received (
  id          TEXT    NOT NULL,
  provider    TEXT    NOT NULL,
  account     TEXT    NOT NULL,
  person      TEXT    NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (provider, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sandbox_received_by_time ON sandbox_received (received_at);

-- Callbacks that nobody has answered with 200 yet. A claim moves `try_at` to the end of its lease, so
-- what a killed driver held comes back by itself; `attempts` is the fence. Done means deleted.
CREATE TABLE sandbox_callbacks (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT,       -- never used again: an old driver must not end a new row
  due_at    INTEGER NOT NULL,                        -- the moment planned at first: the order
  try_at    INTEGER NOT NULL,                        -- the next try, or the end of a lease
  attempts  INTEGER NOT NULL DEFAULT 0,              -- claims so far
  tries     INTEGER NOT NULL,                        -- most tries: Meta goes on, Twilio does not
  provider  TEXT    NOT NULL,
  account   TEXT    NOT NULL,
  url       TEXT    NOT NULL,
  headers   TEXT    NOT NULL,                        -- JSON object: content type, signature
  body      TEXT    NOT NULL,                        -- the bytes of every try
  message   TEXT,                                    -- Twilio: the resource changes with the callback: its id
  state     TEXT                                     -- … and its status then
) STRICT;

CREATE INDEX sandbox_callbacks_due ON sandbox_callbacks (try_at, due_at);

-- What was called back, try by try. Kept for a day.
CREATE TABLE sandbox_attempts (
  seq      INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  provider TEXT    NOT NULL,
  account  TEXT    NOT NULL,
  url      TEXT    NOT NULL,
  headers  TEXT    NOT NULL,
  body     TEXT    NOT NULL,
  status   INTEGER,                                  -- NULL: no answer
  error    TEXT
) STRICT;

CREATE INDEX sandbox_attempts_by_account ON sandbox_attempts (provider, account, seq);

CREATE INDEX sandbox_attempts_by_time ON sandbox_attempts (at);

-- Calls to the providers' paths, the refused ones too, without credentials. Kept for a day.
CREATE TABLE sandbox_calls (
  seq      INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  provider TEXT    NOT NULL,
  method   TEXT    NOT NULL,
  path     TEXT    NOT NULL,                         -- with its query
  headers  TEXT    NOT NULL,                         -- JSON object
  body     BLOB    NOT NULL,
  status   INTEGER NOT NULL                          -- of the answer
) STRICT;

CREATE INDEX sandbox_calls_by_provider ON sandbox_calls (provider, seq);

CREATE INDEX sandbox_calls_by_time ON sandbox_calls (at);

-- Calls to come that go wrong on purpose.
CREATE TABLE sandbox_faults (
  seq       INTEGER PRIMARY KEY,
  provider  TEXT    NOT NULL,
  path      TEXT,                                    -- a part of the path; NULL: any
  recipient TEXT,                                    -- a part of the body; NULL: any
  remaining INTEGER NOT NULL,                        -- calls that are still to go wrong
  fault     TEXT    NOT NULL                         -- JSON: what happens
) STRICT;

-- Templates that a control call added or whose review it changed; the built-in ones are in the program.
CREATE TABLE sandbox_templates (
  account    TEXT NOT NULL,                          -- WhatsApp business account
  name       TEXT NOT NULL,
  language   TEXT NOT NULL,
  definition TEXT NOT NULL,                          -- JSON, as the list shows it
  PRIMARY KEY (account, name, language)
) STRICT, WITHOUT ROWID;

-- Files: uploaded by the business, or sent by customers.
CREATE TABLE sandbox_media (
  id             TEXT    PRIMARY KEY,                -- digits
  provider       TEXT    NOT NULL,
  account        TEXT    NOT NULL,
  mime           TEXT    NOT NULL,
  size           INTEGER NOT NULL,                   -- bytes
  sha256         TEXT    NOT NULL,                   -- hex
  expires_at     INTEGER NOT NULL,                   -- the id is known until then
  url_key        TEXT    NOT NULL UNIQUE,            -- the last part of its URL
  url_expires_at INTEGER NOT NULL                    -- the URL works until then
) STRICT, WITHOUT ROWID;

CREATE INDEX sandbox_media_by_expiry ON sandbox_media (expires_at);

CREATE TABLE sandbox_media_parts (
  media_id TEXT    NOT NULL,
  n        INTEGER NOT NULL,                         -- from 0
  bytes    BLOB    NOT NULL,                         -- at most 1 MB
  PRIMARY KEY (media_id, n)
) STRICT;
