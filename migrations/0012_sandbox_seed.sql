-- The sandbox: whose a call is, and randomness that can be repeated.

-- The number, Page, sender or service that made the call; NULL: none is known.
ALTER TABLE sandbox_calls ADD COLUMN account TEXT;

-- Only calls of this account go wrong; NULL: of any.
ALTER TABLE sandbox_faults ADD COLUMN account TEXT;

-- Where random choices come from. Without a row they are the machine's.
CREATE TABLE sandbox_seeds (
  provider TEXT    NOT NULL,
  account  TEXT    NOT NULL,                         -- '': every account without a row of its own
  seed     INTEGER NOT NULL,
  requests INTEGER NOT NULL DEFAULT 0,               -- that drew from it so far
  PRIMARY KEY (provider, account)
) STRICT, WITHOUT ROWID;
