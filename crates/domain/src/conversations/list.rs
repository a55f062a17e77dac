//! The list of conversations: which, in what order, and in whose sight.
//!
//! Each order has an index per state (open, closed), so a page reads as many rows as it shows, from both states at
//! most twice that. The index is named in the statement: SQLite keeps no statistics here and would guess.

use super::details::{self, ConversationState, ConversationStatus};
use crate::{unread, visibility};
use common::auth::Principal;
use common::db::{Db, ToValue, Value};
use common::page::{Binding, Key, Page, Position};
use common::{Result, params};
use serde::Deserialize;
use utoipa::ToSchema;

/// Callers with fewer conversations of their own are listed from these; others by time.
const FEW: i64 = 1000;

/// In what order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    #[default]
    Newest,
    Oldest,
}

/// Whose conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignee {
    /// Nobody's.
    Nobody,
    User(String),
}

/// Which conversations a list shows. Everything given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Empty: both.
    pub status: Vec<ConversationStatus>,
    pub sort: Sort,
    /// Only those in which the caller has sent a message.
    pub interacted: bool,
    /// Only those with something unread for the caller.
    pub unread: bool,
    /// Any of these; empty: all.
    pub channels: Vec<String>,
    pub inbox: Option<String>,
    pub assignee: Option<Assignee>,
    pub team: Option<String>,
    pub contact: Option<String>,
}

impl Filter {
    /// Ties page tokens to the caller and to everything that changes the rows or their order.
    pub fn binding(&self, caller: &Principal) -> Binding {
        Binding::new(&["listConversations", &caller.tenant, caller.actor.id(), &format!("{self:?}")])
    }

    fn has(&self, status: ConversationStatus) -> bool {
        self.status.is_empty() || self.status.contains(&status)
    }
}

/// A page of the conversations in the caller's sight, and the token of the next.
pub fn list(
    db: &Db<'_>,
    caller: &Principal,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<ConversationState>, Option<String>)> {
    let few = filter.interacted && has_few(db, caller)?;
    let (sql, values) = statement(caller, filter, page, few);
    let mut conversations = db.rows::<ConversationState>(&sql, &values)?;
    let next = page.cut(&mut conversations, |last| Position {
        key: Key::Number(last.conversation.last_message_at.millis()),
        seq: last.seq,
    });
    Ok((conversations, next))
}

/// Whether the caller has sent into few conversations: then these are looked at, and otherwise a page is full soon.
fn has_few(db: &Db<'_>, caller: &Principal) -> Result<bool> {
    let found = db.row::<(i64,)>(
        "SELECT count(*) FROM (SELECT 1 FROM interactions WHERE actor_id = ? LIMIT ?)",
        params![caller.actor.id(), FEW],
    )?;
    Ok(found.is_none_or(|(count,)| count < FEW))
}

/// ?1 tenant, ?2 caller, ?3 viewer, ?4 rows; the filters' values follow.
fn statement(caller: &Principal, filter: &Filter, page: &Page, few: bool) -> (String, Vec<Value>) {
    let mut values = vec![
        caller.tenant.to_value(),
        caller.actor.id().to_value(),
        visibility::viewer(caller).to_value(),
        page.limit().to_value(),
    ];
    let conditions = conditions(filter, page, few, &mut values);
    let (way, _) = direction(filter.sort);
    let index = index(filter, few);
    let branch = |open: u8| {
        format!(
            "SELECT * FROM (SELECT i.seq, i.last_message_at AS at FROM identities i {index}
              WHERE i.tenant_id = ?1 AND i.is_open = {open} AND i.started_at IS NOT NULL{conditions}
                AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL
              ORDER BY i.last_message_at {way}, i.seq {way} LIMIT ?4)"
        )
    };
    let mut branches = Vec::with_capacity(2);
    if filter.has(ConversationStatus::Open) {
        branches.push(branch(1));
    }
    // What is closed has nothing unread.
    if filter.has(ConversationStatus::Closed) && !(filter.unread && branches.len() == 1) {
        branches.push(branch(0));
    }
    let sql = format!(
        "SELECT {} FROM identities i
          WHERE i.seq IN (SELECT seq FROM ({}) ORDER BY at {way}, seq {way} LIMIT ?4)
          ORDER BY i.last_message_at {way}, i.seq {way}",
        details::columns(2),
        branches.join(" UNION ALL ")
    );
    (sql, values)
}

fn direction(sort: Sort) -> (&'static str, &'static str) {
    match sort {
        Sort::Newest => ("DESC", "<"),
        Sort::Oldest => ("ASC", ">"),
    }
}

/// The index that a page is read from: the narrowest that the filters allow.
fn index(filter: &Filter, few: bool) -> &'static str {
    match filter {
        Filter { contact: Some(_), .. } => "INDEXED BY identities_by_contact",
        Filter { assignee: Some(Assignee::User(_)), .. } => "INDEXED BY conversations_by_assignee",
        // By their row numbers, which are in `interactions`.
        _ if few => "NOT INDEXED",
        Filter { team: Some(_), .. } => "INDEXED BY conversations_by_team",
        _ => "INDEXED BY conversations_by_state",
    }
}

fn conditions(filter: &Filter, page: &Page, few: bool, values: &mut Vec<Value>) -> String {
    let mut sql = format!(" AND {}", visibility::visible(3));
    // `$n` stands for the n-th of the values that come with a condition.
    let mut and = |condition: &str, bound: &[&dyn ToValue]| {
        let mut condition = condition.to_string();
        for (at, value) in bound.iter().enumerate() {
            values.push(value.to_value());
            condition = condition.replace(&format!("${at}"), &format!("?{}", values.len()));
        }
        sql.push_str(" AND ");
        sql.push_str(&condition);
    };
    if let Some(after) = &page.after {
        let (_, beyond) = direction(filter.sort);
        and(&format!("(i.last_message_at, i.seq) {beyond} ($0, $1)"), &[&after.key, &after.seq]);
    }
    if !filter.channels.is_empty() {
        let channels = serde_json::to_string(&filter.channels).unwrap_or_default();
        and("i.channel IN (SELECT value FROM json_each($0))", &[&channels]);
    }
    if let Some(inbox) = &filter.inbox {
        // One value in parentheses: asked once, not for each row.
        and(
            "i.last_inbox_seq = (SELECT b.seq FROM inboxes b WHERE b.id = $0 AND b.tenant_id = ?1)",
            &[inbox],
        );
    }
    match &filter.assignee {
        Some(Assignee::Nobody) => and("i.assignee_id IS NULL", &[]),
        Some(Assignee::User(user)) => and("i.assignee_id = $0", &[user]),
        None => {}
    }
    if let Some(team) = &filter.team {
        and("i.team_id = $0", &[team]);
    }
    if let Some(contact) = &filter.contact {
        and(
            "i.contact_seq = (SELECT c.seq FROM contacts c WHERE c.id = $0 AND c.tenant_id = ?1)",
            &[contact],
        );
    }
    if filter.unread {
        and(&format!("i.inbound_count > i.inbound_before AND {} > 0", unread::unread(2)), &[]);
    }
    if filter.interacted && few {
        and("i.seq IN (SELECT x.identity_seq FROM interactions x WHERE x.actor_id = ?2)", &[]);
    } else if filter.interacted {
        and("(SELECT 1 FROM interactions x WHERE x.actor_id = ?2 AND x.identity_seq = i.seq) = 1", &[]);
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::auth::{Actor, Role};

    fn caller(role: Role) -> Principal {
        Principal { tenant: "tn_1".into(), actor: Actor::User("usr_1".into()), role, scopes: None }
    }

    /// The steps of a page's statement that touch conversations before the page is cut, as SQLite plans them on
    /// the real schema.
    fn plan(role: Role, filter: &Filter, few: bool) -> Vec<String> {
        let db = crate::tests::schema();
        let page = Page::new(None, None, filter.binding(&caller(role))).unwrap();
        let (sql, values) = statement(&caller(role), filter, &page, few);
        let values = rusqlite::params_from_iter(values.iter().map(|value| match value {
            Value::Null => rusqlite::types::Value::Null,
            Value::Integer(number) => (*number).into(),
            Value::Text(text) => text.clone().into(),
            other => panic!("{other:?}"),
        }));
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).filter(|step| step.contains(" i ")).collect()
    }

    /// Measured with 100,000 conversations: a page 0.3 to 0.8 ms, a filter that nothing fits 30 ms at most, since
    /// the index alone is read then.
    #[test]
    fn every_list_is_read_from_its_index() {
        let by = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter
        };
        let state = "conversations_by_state (tenant_id=? AND is_open=?)";
        let assignee = "conversations_by_assignee (tenant_id=? AND assignee_id=? AND is_open=?)";
        let cases = [
            (by(|_| {}), state),
            (by(|filter| filter.sort = Sort::Oldest), state),
            (by(|filter| filter.unread = true), state),
            (by(|filter| filter.interacted = true), state),
            (by(|filter| filter.inbox = Some("ibx_1".into())), state),
            (by(|filter| filter.channels = vec!["sms".into()]), state),
            (by(|filter| filter.assignee = Some(Assignee::Nobody)), state),
            (by(|filter| filter.assignee = Some(Assignee::User("usr_1".into()))), assignee),
            (
                by(|filter| filter.team = Some("team_1".into())),
                "conversations_by_team (tenant_id=? AND team_id=? AND is_open=?)",
            ),
            (by(|filter| filter.contact = Some("con_1".into())), "identities_by_contact (contact_seq=?)"),
        ];
        for role in [Role::Owner, Role::Agent] {
            for (filter, index) in &cases {
                let steps = plan(role, filter, false);
                // One branch a state, and the rows of the page by their numbers. What is closed has nothing unread.
                let states = if filter.unread { 1 } else { 2 };
                assert_eq!(steps.len(), states + 1, "{filter:?}: {steps:?}");
                let branches = steps.iter().filter(|step| step.contains(index)).count();
                assert_eq!(branches, states, "{filter:?} is not read from {index}: {steps:?}");
            }
        }
        let few = plan(Role::Agent, &by(|filter| filter.interacted = true), true);
        assert!(few.iter().all(|step| step.contains("INTEGER PRIMARY KEY")), "{few:?}");
    }

    #[test]
    fn one_state_is_one_branch() {
        let mut filter = Filter { status: vec![ConversationStatus::Open], ..Filter::default() };
        assert_eq!(plan(Role::Owner, &filter, false).len(), 2);
        filter.status.push(ConversationStatus::Closed);
        assert_eq!(plan(Role::Owner, &filter, false).len(), 3);
    }
}
