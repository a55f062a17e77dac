-- What the sandbox keeps (components/sandbox): a stand-in for the channel providers on a developer's
-- machine and in tests. The tables stay empty where the variable `sandbox` is not `on`. They know
-- nothing of tenants, as a provider does not. The rules are those of 0001.

-- A customer in the eyes of one of the business's numbers.
CREATE TABLE sandbox_people (
  phone_number_id TEXT    NOT NULL,                  -- the business's number
  person          TEXT    NOT NULL,                  -- digits, or a business-scoped user id
  name            TEXT,                              -- as the last customer message gave it
  last_inbound_at INTEGER,                           -- the window is open for 24 h from here
  refusals        INTEGER NOT NULL DEFAULT 0,        -- of a recipient that refuses some times, then accepts
  PRIMARY KEY (phone_number_id, person)
) STRICT, WITHOUT ROWID;

-- Messages that the sandbox accepted. Kept for a day.
CREATE TABLE sandbox_sends (
  seq             INTEGER PRIMARY KEY,
  id              TEXT    NOT NULL UNIQUE,           -- wamid.
  phone_number_id TEXT    NOT NULL,
  recipient       TEXT    NOT NULL,
  kind            TEXT    NOT NULL,                  -- text, template, …
  body            TEXT    NOT NULL,                  -- the request's JSON
  reference       TEXT,                              -- biz_opaque_callback_data
  received_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX sandbox_sends_by_number ON sandbox_sends (phone_number_id, seq DESC);

CREATE INDEX sandbox_sends_by_time ON sandbox_sends (received_at);

-- Callbacks that nobody has answered with 200 yet. A claim moves `try_at` to the end of its lease, so
-- what a killed driver held comes back by itself; `attempts` is the fence. Done means deleted.
CREATE TABLE sandbox_callbacks (
  seq       INTEGER PRIMARY KEY,
  due_at    INTEGER NOT NULL,                        -- the moment planned at first: the order
  try_at    INTEGER NOT NULL,                        -- the next try, or the end of a lease
  attempts  INTEGER NOT NULL DEFAULT 0,              -- claims so far
  body      TEXT    NOT NULL,                        -- the bytes of every try; ASCII
  signature TEXT    NOT NULL                         -- X-Hub-Signature-256
) STRICT;

CREATE INDEX sandbox_callbacks_due ON sandbox_callbacks (try_at, due_at);

-- How the sandbox treats a number's callbacks.
CREATE TABLE sandbox_modes (
  phone_number_id          TEXT    PRIMARY KEY,
  duplicate                INTEGER NOT NULL,         -- every callback twice
  shuffle                  INTEGER NOT NULL,         -- later states first
  callback_before_response INTEGER NOT NULL          -- statuses before the answer to the send
) STRICT, WITHOUT ROWID;
