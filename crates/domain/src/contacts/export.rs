//! Everything about one person, as one JSON document, in pieces: a person may have written for years.

use super::{Contact, find};
use crate::messages;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};

/// Messages of a piece.
const PIECE: u32 = 200;

/// An export on its way.
#[derive(Debug)]
pub struct Export {
    tenant: String,
    contact_seq: i64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Head,
    /// The conversation and the number of the last message that was written; whether it was the first.
    Messages {
        after: (i64, i64),
        is_first: bool,
    },
    Done,
}

/// Begins the export of a contact that is there.
pub fn begin(db: &Db<'_>, tenant: &str, id: &str) -> Result<Export> {
    let contact = find(db, tenant, id)?;
    Ok(Export { tenant: tenant.to_string(), contact_seq: contact.seq, stage: Stage::Head })
}

impl Export {
    /// The next piece of the document, and the export behind it; `None` at its end.
    pub fn next(&self, db: &Db<'_>) -> Result<Option<(String, Export)>> {
        let (text, stage) = match self.stage {
            Stage::Head => (self.head(db)?, Stage::Messages { after: (0, 0), is_first: true }),
            Stage::Messages { after, is_first } => self.messages(db, after, is_first)?,
            Stage::Done => return Ok(None),
        };
        let rest = Export { tenant: self.tenant.clone(), contact_seq: self.contact_seq, stage };
        Ok(Some((text, rest)))
    }

    /// All but the messages.
    fn head(&self, db: &Db<'_>) -> Result<String> {
        let contact: Contact = super::by_seq(db, &self.tenant, self.contact_seq)?;
        let about = db.row::<(String,)>(
            "SELECT json_object(
               'email', c.email, 'phoneNumber', c.phone_number, 'customAttributes', json(c.custom_attributes),
               'tags', json((SELECT json_group_array(g.name) FROM contact_tags t, tags g
                         WHERE t.contact_seq = c.seq AND g.id = t.tag_id AND g.tenant_id = c.tenant_id
                           AND g.deleted_at IS NULL)),
               'mergedContacts', json((SELECT json_group_array(json_object('mergeId', m.id, 'contactId',
                                    (SELECT o.id FROM contacts o WHERE o.seq = m.from_seq)))
                                    FROM contact_merges m WHERE m.into_seq = c.seq AND m.undone_at IS NULL)),
               'conversations', json((SELECT json_group_array(json_object(
                   'id', 'cnv_' || substr(i.id, 5), 'identityId', i.id, 'channel', i.channel, 'externalId', i.address,
                   'userId', i.user_id, 'username', i.username,
                   'sessions', json((SELECT json_group_array(json_object(
                       'id', s.id,
                       'openedAt', strftime('%Y-%m-%dT%H:%M:%fZ', s.opened_at / 1000.0, 'unixepoch'),
                       'closedAt', strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch')))
                       FROM sessions s WHERE s.identity_seq = i.seq))))
                   FROM identities i WHERE i.contact_seq = c.seq)))
               FROM contacts c WHERE c.seq = ? AND c.tenant_id = ?",
            params![self.contact_seq, self.tenant],
        )?;
        let (about,) = about.ok_or_else(|| Problem::internal("a contact vanished while it was exported"))?;
        let about = about.strip_prefix('{').unwrap_or_default().strip_suffix('}').unwrap_or_default();
        let now = json(&Timestamp::now())?;
        Ok(format!("{{\"exportedAt\":{now},\"contact\":{},{about},\"messages\":[", json(&contact)?))
    }

    fn messages(&self, db: &Db<'_>, after: (i64, i64), is_first: bool) -> Result<(String, Stage)> {
        let found = messages::of_contact(db, &self.tenant, self.contact_seq, after, PIECE)?;
        let Some(last) = found.last() else { return Ok(("]}".to_string(), Stage::Done)) };
        let stage = Stage::Messages { after: (last.identity_seq, last.seq), is_first: false };
        let written: Vec<String> = found.iter().map(json).collect::<Result<_>>()?;
        let comma = if is_first { "" } else { "," };
        Ok((format!("{comma}{}", written.join(",")), stage))
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Problem::internal(format!("export: {error}")))
}
