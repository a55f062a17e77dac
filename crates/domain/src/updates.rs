//! The feed of live updates: reading what triggers wrote (migration 0009), and telling it to those who may know.
//!
//! A row says only what it happened to; the thing itself is read when it is told, so an event shows the latest
//! state. Rows are numbered in the order of commits: whoever has read up to a number has missed nothing before it.

use crate::conversations::{self, Conversation};
use crate::messages::{self, Message};
use crate::visibility;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long rows are kept: a client that was away longer reads its lists anew.
pub const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// Rows looked through at a time when the feed is read for one tenant.
const WINDOW: i64 = 5_000;

/// What a row tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    MessageCreated,
    MessageUpdated,
    /// A scheduled message of live chat went out: its customer hears of it as created. Others heard of it before.
    MessageReleased,
    ConversationStarted,
    ConversationUpdated,
    ConversationClosed,
    /// Told in place of `conversation.updated` to those who lose sight of it.
    ConversationRemoved,
    /// A person's count of unread messages.
    Unread,
    /// What a person may see, or whether they may see anything.
    Scope,
}

impl Kind {
    /// Kinds that clients see, by the names of their events.
    pub const EVENTS: &'static [Kind] = &[
        Kind::MessageCreated,
        Kind::MessageUpdated,
        Kind::ConversationStarted,
        Kind::ConversationUpdated,
        Kind::ConversationClosed,
        Kind::ConversationRemoved,
        Kind::Unread,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Kind::MessageCreated => "message.created",
            Kind::MessageUpdated => "message.updated",
            Kind::MessageReleased => "message.released",
            Kind::ConversationStarted => "conversation.started",
            Kind::ConversationUpdated => "conversation.updated",
            Kind::ConversationClosed => "conversation.closed",
            Kind::ConversationRemoved => "conversation.removed",
            Kind::Unread => "unread",
            Kind::Scope => "scope",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Kind::EVENTS
            .iter()
            .chain(&[Kind::MessageReleased, Kind::Scope])
            .copied()
            .find(|kind| kind.name() == name)
    }

    /// An event of this name that a client may ask for.
    pub fn event(name: &str) -> Option<Self> {
        Kind::EVENTS.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One row of the feed.
#[derive(Clone, Debug)]
pub struct Update {
    pub seq: i64,
    pub tenant: String,
    pub kind: Kind,
    /// The conversation's identity.
    pub identity_seq: Option<i64>,
    message_seq: Option<i64>,
    /// The only one whom it concerns.
    pub person: Option<String>,
    was_team: Option<String>,
    was_assignee: Option<String>,
}

const COLUMNS: &str = "u.seq, u.tenant_id, u.kind, u.identity_seq, u.message_seq, u.person_id, u.was_team_id, u.was_assignee_id";

impl FromRow for Update {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let (seq, tenant) = (row.take()?, row.take()?);
        let kind: String = row.take()?;
        Ok(Update {
            seq,
            tenant,
            kind: Kind::parse(&kind).ok_or_else(|| DbError::Other(format!("no kind of update: {kind}")))?,
            identity_seq: row.take()?,
            message_seq: row.take()?,
            person: row.take()?,
            was_team: row.take()?,
            was_assignee: row.take()?,
        })
    }
}

/// The newest row's number; 0 while nothing ever happened.
pub fn newest(db: &Db<'_>) -> Result<i64> {
    let found = db.row::<(i64,)>("SELECT seq FROM updates ORDER BY seq DESC LIMIT 1", &[])?;
    Ok(found.map_or(0, |(seq,)| seq))
}

/// Notes that a scheduled message of live chat went out. Its customer did not see it before, and hears of it now.
pub fn released(db: &Db<'_>, tenant: &str, identity_seq: i64, message_seq: i64) -> Result<()> {
    Ok(db.run(
        "INSERT INTO updates (tenant_id, kind, identity_seq, message_seq) VALUES (?, ?, ?, ?)",
        params![tenant, Kind::MessageReleased.name(), identity_seq, message_seq],
    )?)
}

/// Whether nothing is missing between this number and now.
pub fn reaches_back_to(db: &Db<'_>, seq: i64) -> Result<bool> {
    let found = db.row::<(Option<i64>, Option<i64>)>(
        "SELECT (SELECT seq FROM updates ORDER BY seq LIMIT 1), (SELECT seq FROM updates ORDER BY seq DESC LIMIT 1)",
        &[],
    )?;
    let (oldest, newest) = match found {
        Some((Some(oldest), Some(newest))) => (oldest, newest),
        _ => (1, 0),
    };
    Ok(seq >= oldest.saturating_sub(1) && seq <= newest)
}

/// A piece of the feed.
#[derive(Debug)]
pub struct Piece {
    pub updates: Vec<Update>,
    /// Everything up to here has been read.
    pub upto: i64,
    /// Whether that was all there is.
    pub complete: bool,
}

/// What happened to these tenants after a number: at most `limit` rows, and a bounded piece of the feed at a time.
pub fn read(db: &Db<'_>, tenants: &BTreeSet<&str>, after: i64, limit: u32) -> Result<Piece> {
    let newest = newest(db)?;
    if newest <= after {
        return Ok(Piece { updates: Vec::new(), upto: after, complete: true });
    }
    let end = newest.min(after.saturating_add(WINDOW));
    let tenants = json(&tenants)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM updates u
          WHERE u.seq > ?1 AND u.seq <= ?2 AND u.tenant_id IN (SELECT value FROM json_each(?3))
          ORDER BY u.seq LIMIT ?4"
    );
    let updates = db.rows::<Update>(&sql, params![after, end, tenants, limit])?;
    let is_full = updates.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let upto = if is_full { updates.last().map_or(end, |last| last.seq) } else { end };
    Ok(Piece { updates, upto, complete: upto == newest })
}

/// An event, ready to be told.
#[derive(Clone, Debug)]
pub struct Event {
    pub seq: i64,
    pub kind: Kind,
    pub tenant: String,
    /// The conversation's identity.
    pub identity_seq: Option<i64>,
    pub person: Option<String>,
    /// One line of JSON.
    pub data: Arc<str>,
    was: Option<Was>,
}

/// How a conversation was assigned before.
#[derive(Clone, Debug)]
struct Was {
    team: Option<String>,
    assignee: Option<String>,
    /// `data` of the removal.
    removal: Arc<str>,
}

#[derive(Serialize)]
struct MessageData<'a> {
    message: &'a Message,
    conversation: &'a Conversation,
}

#[derive(Serialize)]
struct ConversationData<'a> {
    conversation: &'a Conversation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemovalData<'a> {
    conversation_id: &'a str,
}

/// Makes events of a tenant's rows, in their order. What is gone by now, as a deleted contact's conversation is,
/// is not told of.
pub fn events(db: &Db<'_>, tenant: &str, updates: &[&Update]) -> Result<Vec<Event>> {
    let identities: BTreeSet<i64> = updates.iter().filter_map(|update| update.identity_seq).collect();
    let messages: BTreeSet<i64> = updates.iter().filter_map(|update| update.message_seq).collect();
    let conversations = conversations::by_seqs(db, tenant, &identities)?;
    let messages = messages::by_seqs(db, tenant, &messages)?;
    let mut rendered: BTreeMap<i64, Arc<str>> = BTreeMap::new();
    let mut events = Vec::with_capacity(updates.len());
    for update in updates {
        let mut was = None;
        let data = match (update.kind, update.identity_seq.and_then(|seq| conversations.get(&seq))) {
            (Kind::MessageCreated | Kind::MessageUpdated, Some(conversation)) => {
                let Some(message) = update.message_seq.and_then(|seq| messages.get(&seq)) else { continue };
                match rendered.get(&message.seq) {
                    Some(data) => data.clone(),
                    None => {
                        let data = line(&MessageData { message, conversation })?;
                        rendered.insert(message.seq, data.clone());
                        data
                    }
                }
            }
            (Kind::MessageReleased, _) => continue,
            (Kind::Unread | Kind::Scope, _) => Arc::from("{}"),
            (_, Some(conversation)) => {
                if update.kind == Kind::ConversationUpdated {
                    was = Some(Was {
                        team: update.was_team.clone(),
                        assignee: update.was_assignee.clone(),
                        removal: line(&RemovalData { conversation_id: &conversation.id })?,
                    });
                }
                line(&ConversationData { conversation })?
            }
            (_, None) => continue,
        };
        events.push(Event {
            seq: update.seq,
            kind: update.kind,
            tenant: tenant.to_string(),
            identity_seq: update.identity_seq,
            person: update.person.clone(),
            data,
            was,
        });
    }
    Ok(events)
}

/// The identity's `seq` of a conversation that a caller may see.
pub fn conversation(db: &Db<'_>, tenant: &str, viewer: Option<&str>, id: &str) -> Result<i64> {
    let sql = format!(
        "SELECT i.seq FROM identities i
          WHERE i.id = ?1 AND i.tenant_id = ?2 AND i.started_at IS NOT NULL AND {}
            AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL",
        visibility::visible(3)
    );
    let found = db.row::<(i64,)>(&sql, params![conversations::identity_id(id)?, tenant, viewer])?;
    found.map(|(seq,)| seq).ok_or_else(|| Problem::not_found("conversation", id))
}

/// What an agent may see of the events of a batch, as things are now.
#[derive(Debug, Default)]
pub struct Sight {
    identities: BTreeSet<i64>,
    teams: BTreeSet<String>,
}

/// Asks the rule of [`visibility`] about all conversations of these events at once.
pub fn sight(db: &Db<'_>, tenant: &str, viewer: &str, events: &[Event]) -> Result<Sight> {
    let own = |event: &&Event| event.tenant == tenant;
    let asked: BTreeSet<i64> = events.iter().filter(own).filter_map(|event| event.identity_seq).collect();
    if asked.is_empty() {
        return Ok(Sight::default());
    }
    let sql = format!(
        "SELECT i.seq FROM identities i
          WHERE i.seq IN (SELECT value FROM json_each(?1)) AND i.tenant_id = ?2 AND {}",
        visibility::visible(3)
    );
    let seen = db.rows::<(i64,)>(&sql, params![json(&asked)?, tenant, viewer])?;
    let mut teams = BTreeSet::new();
    if events.iter().filter(own).any(|event| event.was.is_some()) {
        let own =
            db.rows::<(String,)>("SELECT team_id FROM team_members WHERE user_id = ?", params![viewer])?;
        teams = own.into_iter().map(|(team,)| team).collect();
    }
    Ok(Sight { identities: seen.into_iter().map(|(seq,)| seq).collect(), teams })
}

impl Event {
    /// What somebody with this sight, or an administrator without one, is told: a kind and its data.
    pub fn told_to<'a>(&'a self, viewer: Option<(&str, &Sight)>) -> Option<(Kind, &'a Arc<str>)> {
        let (Some((viewer, sight)), Some(identity)) = (viewer, self.identity_seq) else {
            return Some((self.kind, &self.data));
        };
        if sight.identities.contains(&identity) {
            return Some((self.kind, &self.data));
        }
        let was = self.was.as_ref()?;
        let saw_it = was.assignee.as_deref() == Some(viewer)
            || was.team.as_ref().is_none_or(|team| sight.teams.contains(team));
        saw_it.then_some((Kind::ConversationRemoved, &was.removal))
    }
}

/// The feed is in the order of time: only its beginning is looked at. Public for its test, which needs no server.
#[doc(hidden)]
pub const FORGET: &str = "
    DELETE FROM updates
     WHERE seq IN (SELECT seq FROM updates ORDER BY seq LIMIT ?2) AND at < ?1
       AND seq < (SELECT seq FROM updates ORDER BY seq DESC LIMIT 1)
    RETURNING 1";

/// Deletes rows that are older than `before`, at most so many. The newest row stays: the next one's number counts on it.
pub fn forget(db: &Db<'_>, before: Timestamp, limit: u32) -> Result<usize> {
    Ok(db.rows::<(i64,)>(FORGET, params![before, limit])?.len())
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Problem::internal(format!("update: {error}")))
}

/// JSON on one line. Content that was stored with line breaks between its members loses them; those inside its
/// texts are escaped.
fn line(value: &impl Serialize) -> Result<Arc<str>> {
    let text = json(value)?;
    Ok(if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ").into() } else { text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(was: Option<(Option<&str>, Option<&str>)>) -> Event {
        Event {
            seq: 1,
            kind: Kind::ConversationUpdated,
            tenant: "tn_1".into(),
            identity_seq: Some(7),
            person: None,
            data: "{}".into(),
            was: was.map(|(team, assignee)| Was {
                team: team.map(Into::into),
                assignee: assignee.map(Into::into),
                removal: "{}".into(),
            }),
        }
    }

    fn told(event: &Event, sees: bool) -> Option<Kind> {
        let sight = Sight {
            identities: if sees { BTreeSet::from([7]) } else { BTreeSet::new() },
            teams: BTreeSet::from(["team_1".to_string()]),
        };
        event.told_to(Some(("usr_1", &sight))).map(|(kind, _)| kind)
    }

    #[test]
    fn who_loses_sight_hears_of_a_removal_and_who_never_saw_it_of_nothing() {
        let (updated, removed) = (Some(Kind::ConversationUpdated), Some(Kind::ConversationRemoved));
        assert_eq!(told(&event(Some((None, None))), true), updated);
        assert_eq!(told(&event(Some((None, None))), false), removed);
        assert_eq!(told(&event(Some((Some("team_1"), None))), false), removed);
        assert_eq!(told(&event(Some((Some("team_2"), Some("usr_1")))), false), removed);
        assert_eq!(told(&event(Some((Some("team_2"), Some("usr_2")))), false), None);
        assert_eq!(told(&event(None), false), None);
        assert_eq!(event(None).told_to(None).map(|(kind, _)| kind), updated);
    }

    #[test]
    fn event_names_are_those_that_a_client_may_ask_for() {
        for kind in Kind::EVENTS {
            assert_eq!(Kind::event(kind.name()), Some(*kind));
        }
        assert_eq!((Kind::event("scope"), Kind::event("message.released")), (None, None));
        assert_eq!(Kind::parse("scope"), Some(Kind::Scope));
    }

    #[test]
    fn data_stays_on_one_line() {
        let raw = serde_json::value::RawValue::from_string("{\"a\":\n \"b\\nc\"}".into()).unwrap();
        assert_eq!(&*line(&raw).unwrap(), "{\"a\":  \"b\\nc\"}");
    }
}
