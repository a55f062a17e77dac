-- Webhooks: several endpoints a tenant, an event row each, and attempts that are the queue and the log in one.

CREATE TABLE webhook_endpoints (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,  -- attempts name it after it is gone: never given again
  id              TEXT    NOT NULL UNIQUE,            -- whk_ + ULID
  tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
  main            INTEGER NOT NULL DEFAULT 0,         -- the one that /v1/webhooks speaks of
  description     TEXT,
  url             TEXT,
  enabled         INTEGER NOT NULL DEFAULT 0,
  verified        INTEGER NOT NULL DEFAULT 0,         -- a test event was accepted at this URL
  event_types     TEXT    NOT NULL DEFAULT '[]',      -- JSON array
  ordering        TEXT    NOT NULL DEFAULT 'none',    -- none, conversation, contact
  asymmetric      INTEGER NOT NULL DEFAULT 0,         -- signs with v1a too
  disabled_reason TEXT,                               -- gone, failing: switched off by us
  disabled_at     INTEGER,
  failures        INTEGER NOT NULL DEFAULT 0,         -- failed attempts since the last success
  failing_since   INTEGER,                            -- the first of them
  open_until      INTEGER,                            -- the breaker: nothing is sent before
  next_due_at     INTEGER,                            -- no delivery is due before; NULL: none waits
  lease           INTEGER NOT NULL DEFAULT 0,         -- counts claims: the fence of a worker
  leased_until    INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (tenant_id, seq);

CREATE UNIQUE INDEX webhook_endpoints_main ON webhook_endpoints (tenant_id) WHERE main = 1;

CREATE INDEX webhook_endpoints_by_time ON webhook_endpoints (next_due_at) WHERE next_due_at IS NOT NULL AND enabled = 1;

INSERT INTO webhook_endpoints (id, tenant_id, main, url, enabled, verified, event_types, created_at, updated_at)
SELECT id, tenant_id, 1, url, enabled, verified, event_types, created_at, updated_at FROM webhooks ORDER BY created_at;

DROP TABLE webhooks;

CREATE TABLE webhook_keys (
  id           TEXT    PRIMARY KEY,                   -- whsk_ + ULID
  tenant_id    TEXT    NOT NULL REFERENCES tenants (id),
  endpoint_seq INTEGER NOT NULL DEFAULT 0,            -- 0: of the main endpoint, which they outlive
  version      INTEGER NOT NULL,                      -- from 1, per endpoint
  secret       TEXT    NOT NULL,                      -- sealed; 32 bytes
  private_key  TEXT,                                  -- sealed; the seed of the Ed25519 pair of v1a
  public_key   TEXT,                                  -- whpk_…
  last4        TEXT    NOT NULL,                      -- of the displayed key
  disclosed    INTEGER NOT NULL DEFAULT 0,            -- its plaintext was shown once
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,                               -- NULL: the active key
  UNIQUE (tenant_id, endpoint_seq, version)
) STRICT, WITHOUT ROWID;

INSERT INTO webhook_keys (id, tenant_id, version, secret, last4, disclosed, created_at, expires_at)
SELECT id, tenant_id, version, secret, last4, disclosed, created_at, expires_at FROM webhook_signing_keys;

DROP TABLE webhook_signing_keys;

-- What happened, for a week: while the tenant has an endpoint that lists the type, whether it is enabled or not.
CREATE TABLE webhook_events (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,       -- the order of the source
  id         TEXT    NOT NULL UNIQUE,                 -- evt_ + ULID = webhook-id
  tenant_id  TEXT    NOT NULL,
  kind       TEXT    NOT NULL,                        -- contact.created …, webhook.test
  created_at INTEGER NOT NULL,                        -- = the body's timestamp; never earlier than the one before
  expires_at INTEGER NOT NULL,
  body       TEXT    NOT NULL                         -- as it is signed and sent, to the byte
) STRICT;

CREATE INDEX webhook_events_by_tenant ON webhook_events (tenant_id, seq);

CREATE INDEX webhook_events_by_time ON webhook_events (tenant_id, created_at);

-- One row an attempt. The pending one of an event and endpoint is its place in the queue.
CREATE TABLE webhook_deliveries (
  seq              INTEGER PRIMARY KEY AUTOINCREMENT,
  id               TEXT    NOT NULL UNIQUE,           -- wha_ + 26 characters
  tenant_id        TEXT    NOT NULL,
  endpoint_seq     INTEGER NOT NULL,                  -- 0: a test of a URL that is not saved
  event_seq        INTEGER NOT NULL,
  event_id         TEXT    NOT NULL,
  kind             TEXT    NOT NULL,                  -- of the event
  status           INTEGER NOT NULL DEFAULT 0,        -- 0 pending, 1 succeeded, 2 failed
  number           INTEGER NOT NULL DEFAULT 1,        -- from 1
  lane             TEXT,                              -- what its endpoint orders by: a contact or conversation
  due_at           INTEGER,                           -- of a pending one; NULL: waits behind others of its lane
  created_at       INTEGER NOT NULL,
  attempted_at     INTEGER,
  duration_ms      INTEGER,
  next_attempt_at  INTEGER,                           -- of a failed one
  expires_at       INTEGER NOT NULL,
  response_status  INTEGER,
  error            TEXT,                              -- in plain words
  url              TEXT,                              -- where it went
  request_headers  TEXT,                              -- JSON object
  response_headers TEXT,                              -- JSON object
  response_body    TEXT                               -- its first 20 kB
) STRICT;

-- Lists: each filter is some ranges of this index, merged.
CREATE INDEX webhook_deliveries_by_tenant ON webhook_deliveries (tenant_id, kind, status, seq);

CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_seq, kind, status, seq);

CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_id, endpoint_seq);

-- The queue, and the lanes in it.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_seq, due_at) WHERE status = 0 AND due_at IS NOT NULL;

CREATE INDEX webhook_deliveries_lanes ON webhook_deliveries (endpoint_seq, lane, event_seq)
  WHERE status = 0 AND lane IS NOT NULL;

-- What waited under the former scheme goes on.
INSERT INTO webhook_events (id, tenant_id, kind, body, created_at, expires_at)
SELECT subject, tenant_id, payload ->> '$.type', payload, created_at, created_at + 604800000
  FROM jobs WHERE kind = 'deliver_webhook' AND payload IS NOT NULL ORDER BY seq;

INSERT INTO webhook_deliveries (id, tenant_id, endpoint_seq, event_seq, event_id, kind, number, due_at, created_at, expires_at)
SELECT 'wha_' || substr(e.id, 5), e.tenant_id, w.seq, e.seq, e.id, e.kind, j.failures + 1, j.due_at, e.created_at, e.expires_at
  FROM webhook_events e, webhook_endpoints w, jobs j
 WHERE w.tenant_id = e.tenant_id AND j.subject = e.id AND j.kind = 'deliver_webhook';

UPDATE webhook_endpoints SET next_due_at = (
  SELECT min(d.due_at) FROM webhook_deliveries d WHERE d.endpoint_seq = webhook_endpoints.seq);

DELETE FROM jobs WHERE kind = 'deliver_webhook';

DROP TABLE webhook_attempts;

-- What an endpoint orders an event by; NULL where it asks for no order.
CREATE VIEW webhook_lanes AS
  SELECT e.seq AS event_seq, w.seq AS endpoint_seq,
         CASE w.ordering
           WHEN 'none' THEN NULL
           WHEN 'conversation' THEN coalesce(e.body ->> '$.data.conversation.id', e.body ->> '$.data.contact.id')
           ELSE coalesce(e.body ->> '$.data.conversation.contactId', e.body ->> '$.data.contact.id')
         END AS lane
    FROM webhook_events e JOIN webhook_endpoints w ON w.tenant_id = e.tenant_id;

-- An event and its deliveries are one statement. In a lane a delivery waits for those before it.
CREATE TRIGGER webhook_events_deliver AFTER INSERT ON webhook_events WHEN NEW.kind <> 'webhook.test' BEGIN
  INSERT INTO webhook_deliveries (id, tenant_id, endpoint_seq, event_seq, event_id, kind, lane, due_at, created_at, expires_at)
  SELECT 'wha_0' || substr(hex(randomblob(13)), 2), NEW.tenant_id, w.seq, NEW.seq, NEW.id, NEW.kind, l.lane,
         CASE WHEN l.lane IS NOT NULL AND EXISTS (
                SELECT 1 FROM webhook_deliveries d
                 WHERE d.endpoint_seq = w.seq AND d.lane = l.lane AND d.status = 0)
              THEN NULL
              -- Due now, also where the clock was once ahead and the event is dated by the one before.
              ELSE min(NEW.created_at, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) END,
         NEW.created_at, NEW.expires_at
    FROM webhook_endpoints w JOIN webhook_lanes l ON l.event_seq = NEW.seq AND l.endpoint_seq = w.seq
   WHERE w.tenant_id = NEW.tenant_id AND w.enabled = 1 AND instr(w.event_types, '"' || NEW.kind || '"') > 0;
END;

CREATE TRIGGER webhook_deliveries_due AFTER INSERT ON webhook_deliveries
  WHEN NEW.status = 0 AND NEW.due_at IS NOT NULL BEGIN
  UPDATE webhook_endpoints SET next_due_at = NEW.due_at
   WHERE seq = NEW.endpoint_seq AND (next_due_at IS NULL OR next_due_at > NEW.due_at);
END;

-- Bringing back what an endpoint missed.
CREATE TABLE webhook_recoveries (
  id           TEXT    PRIMARY KEY,                   -- whr_ + ULID
  tenant_id    TEXT    NOT NULL,
  endpoint_id  TEXT    NOT NULL,
  since        INTEGER NOT NULL,
  until        INTEGER NOT NULL,                      -- events of later deliver themselves
  status       TEXT    NOT NULL,                      -- running, completed, cancelled
  seen         INTEGER NOT NULL DEFAULT 0,            -- events looked at
  recovered    INTEGER NOT NULL DEFAULT 0,            -- put into the queue
  created_at   INTEGER NOT NULL,
  finished_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_recoveries_by_time ON webhook_recoveries (created_at);
