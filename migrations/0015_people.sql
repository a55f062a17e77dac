-- People and what they did: members beyond the Platform API, invitations, billing, the audit log. The rules are
-- those of 0001.

-- A disabled person may come back; a deleted one keeps a row beside what they wrote, and nothing else.
ALTER TABLE users ADD COLUMN deleted_at INTEGER;

UPDATE users SET deleted_at = disabled_at;

-- Whether somebody vouched for the address: the platform does, who accepts an invitation does not.
ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 1;

-- Order of GET /v1/users.
CREATE INDEX memberships_by_tenant ON memberships (tenant_id, seq);

CREATE INDEX memberships_owners ON memberships (tenant_id) WHERE role = 'owner';

-- Open streams of a person check their credential again at once.
CREATE TRIGGER users_disabled_update AFTER UPDATE OF disabled_at ON users
  WHEN OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL BEGIN
  INSERT INTO updates (tenant_id, kind, person_id)
  SELECT m.tenant_id, 'scope', m.user_id FROM memberships m WHERE m.user_id = NEW.id;
END;

-- The subscription as the Platform API sets it; a copy of the custom attribute `billing`, checked.
ALTER TABLE tenants ADD COLUMN billing TEXT;           -- JSON object; NULL: nobody bills

-- Links that make somebody a member, once.
CREATE TABLE invitations (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,               -- inv_ + ULID
  tenant_id   TEXT    NOT NULL REFERENCES tenants (id),
  email       TEXT    NOT NULL,                      -- lower case
  role        TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'agent')),
  token_hash  BLOB    NOT NULL UNIQUE,               -- SHA-256 of the link's token
  invited_by  TEXT    NOT NULL,                      -- usr_ or svc_
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  closed_at   INTEGER                                -- accepted, revoked, or replaced by a later one
) STRICT;

-- One open invitation an address; their list.
CREATE UNIQUE INDEX invitations_open_by_email ON invitations (tenant_id, email) WHERE closed_at IS NULL;

CREATE INDEX invitations_open ON invitations (tenant_id, seq) WHERE closed_at IS NULL;

-- Who changed what. Rows are written in the transaction of the change and never touched again.
CREATE TABLE audit_log (
  seq        INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE,                -- aud_ + ULID
  tenant_id  TEXT    NOT NULL REFERENCES tenants (id),
  created_at INTEGER NOT NULL,
  actor_type TEXT    NOT NULL CHECK (actor_type IN ('user', 'service_account', 'platform', 'system')),
  actor_id   TEXT    NOT NULL,                       -- usr_ or svc_; else the type
  action     TEXT    NOT NULL,                       -- such as api_key.created
  subject    TEXT    NOT NULL,                       -- id of what was changed
  details    TEXT    NOT NULL                        -- JSON object without secrets
) STRICT;

-- The order of GET /v1/audit-log, newest first, alone and behind each filter.
CREATE INDEX audit_log_by_time ON audit_log (tenant_id, created_at, seq);

CREATE INDEX audit_log_by_action ON audit_log (tenant_id, action, created_at, seq);

CREATE INDEX audit_log_by_actor ON audit_log (tenant_id, actor_id, created_at, seq);

CREATE INDEX audit_log_by_subject ON audit_log (tenant_id, subject, created_at, seq);

CREATE TRIGGER audit_log_is_kept BEFORE UPDATE ON audit_log BEGIN
  SELECT raise(ABORT, 'the audit log is never changed');
END;
