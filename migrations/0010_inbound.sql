-- What comes in: callbacks of all channels, who wrote, and what they agreed to. The rules are those of 0001.

-- Where the URL of a callback says more than its body.
ALTER TABLE callbacks ADD COLUMN inbox_id TEXT;                        -- SMS: the URL names the inbox

ALTER TABLE callbacks ADD COLUMN purpose TEXT NOT NULL DEFAULT 'events'; -- SMS: inbound or status; others: events

ALTER TABLE callbacks ADD COLUMN query TEXT;                           -- the raw query string

ALTER TABLE callbacks ADD COLUMN content_type TEXT;

-- A person whom WhatsApp knows by a business-scoped user id (channels section 3.1). Without a phone number the
-- address is that id too.
ALTER TABLE identities ADD COLUMN user_id TEXT;

ALTER TABLE identities ADD COLUMN username TEXT;                       -- as the provider shows it

CREATE UNIQUE INDEX identities_by_user ON identities (tenant_id, channel, user_id) WHERE user_id IS NOT NULL;

-- Whether the person wants to be written to, as far as the channel told.
ALTER TABLE identities ADD COLUMN consent TEXT;                        -- opted_in, opted_out; NULL: nothing is known

ALTER TABLE identities ADD COLUMN consent_source TEXT;                 -- who said so, such as twilio or whatsapp:131050

ALTER TABLE identities ADD COLUMN consent_at INTEGER;

-- The callback that brought a message: when its sender takes it back, the stored bytes go too.
ALTER TABLE messages ADD COLUMN callback_seq INTEGER;

-- Reactions of customers as they were told, each once: providers repeat them and mix up their order.
CREATE TABLE reaction_events (
  message_seq  INTEGER NOT NULL,                     -- messages
  identity_seq INTEGER NOT NULL,                     -- who reacted
  at           INTEGER NOT NULL,                     -- by the provider's clock
  emoji        TEXT    NOT NULL,                     -- empty: taken off
  PRIMARY KEY (message_seq, identity_seq, at, emoji)
) STRICT, WITHOUT ROWID;

-- How often it was sent again since a callback told of a temporary failure.
ALTER TABLE messages ADD COLUMN resends INTEGER NOT NULL DEFAULT 0;

-- The provider's id of the send that failed before the present one: its late statuses are nobody's.
ALTER TABLE messages ADD COLUMN failed_channel_id TEXT;
