-- Teams and who is in them. The rules are those of 0001.

CREATE TABLE teams (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,               -- team_ + ULID
  tenant_id   TEXT    NOT NULL REFERENCES tenants (id),
  name        TEXT    NOT NULL,
  description TEXT,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX teams_by_tenant ON teams (tenant_id, seq);

CREATE TABLE team_members (
  team_id    TEXT    NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
  user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, team_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX team_members_by_team ON team_members (team_id, created_at);
