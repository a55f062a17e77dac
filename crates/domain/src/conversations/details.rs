//! One conversation as its caller sees it: state, unread messages, and whether one may write.

use super::{COLUMNS, Conversation, sendability};
use crate::{unread, visibility};
use common::auth::Principal;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::problem::Window;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether a conversation waits for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConversationStatus {
    Open,
    Closed,
}

/// A conversation with the state of its latest session. The fields beyond Conversation are an addition to the
/// published contract.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationState {
    #[serde(flatten)]
    pub conversation: Conversation,
    /// `open` while its latest session is.
    pub status: ConversationStatus,
    /// The latest session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ses_01HV8Z1K2M3N4P5Q6R7S8T9V0W")]
    pub session_id: Option<String>,
    /// Who takes care of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S")]
    pub assigned_user_id: Option<String>,
    /// The team it is routed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "team_01HV8Y6W0W4T5A8S9V7Q2P1M3K")]
    pub team_id: Option<String>,
    /// Customers' messages of the open session that the caller has not read; absent in events, which have no caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub unread_count: Option<i64>,
    #[serde(skip)]
    pub(crate) seq: i64,
}

/// A conversation with its context.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationDetails {
    #[serde(flatten)]
    pub state: ConversationState,
    /// Whether an agent, or software in the name of one, may write freely now.
    pub messaging_window: Window,
    /// The windows of agents and of bots.
    pub messaging_windows: [Window; 2],
}

/// Columns of a [`ConversationState`], from `identities i`; `?{reader}` is to be bound to the caller's id, or NULL.
pub(super) fn columns(reader: u32) -> String {
    let unread = unread::unread(reader);
    format!(
        "{COLUMNS}, i.seq, i.is_open,
         (SELECT s.id FROM sessions s WHERE s.identity_seq = i.seq ORDER BY s.seq DESC LIMIT 1) AS session,
         i.assignee_id, (SELECT t.id FROM teams t WHERE t.id = i.team_id) AS team,
         CASE WHEN ?{reader} IS NULL THEN NULL ELSE {unread} END AS unread"
    )
}

impl FromRow for ConversationState {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(ConversationState {
            conversation: Conversation::from_row(row)?,
            seq: row.take()?,
            status: if row.take()? { ConversationStatus::Open } else { ConversationStatus::Closed },
            session_id: row.take()?,
            assigned_user_id: row.take()?,
            team_id: row.take()?,
            unread_count: row.take()?,
        })
    }
}

/// A row of [`find`]: the state, whether an inbox can send, and when the customer wrote to it last.
struct Found {
    state: ConversationState,
    has_sender: bool,
    last_inbound_at: Option<Timestamp>,
}

impl FromRow for Found {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Found {
            state: ConversationState::from_row(row)?,
            has_sender: row.take()?,
            last_inbound_at: row.take()?,
        })
    }
}

/// The inbox that a send without `inboxId` would use, from `identities i`: that of the open session, else the
/// latest one, else the only one of the channel; NULL when there is none (see [`crate::recipients`]).
const SENDER: &str = "coalesce(
    (SELECT b.seq FROM inboxes b WHERE b.deleted_at IS NULL AND b.seq = (
       SELECT s.inbox_seq FROM sessions s WHERE s.identity_seq = i.seq AND s.closed_at IS NULL)),
    (SELECT b.seq FROM inboxes b WHERE b.deleted_at IS NULL AND b.seq = i.last_inbox_seq),
    (SELECT CASE count(*) WHEN 1 THEN max(b.seq) END FROM inboxes b
      WHERE b.tenant_id = i.tenant_id AND b.channel = i.channel AND b.deleted_at IS NULL))";

/// One conversation in the caller's sight.
pub fn find(db: &Db<'_>, caller: &Principal, id: &str) -> Result<ConversationDetails> {
    let sql = format!(
        "SELECT {}, i.sender IS NOT NULL,
                (SELECT ci.last_inbound_at FROM contact_inboxes ci
                  WHERE ci.identity_seq = i.seq AND ci.inbox_seq = i.sender)
           FROM (SELECT i.*, {SENDER} AS sender FROM identities i
                  WHERE i.id = ?1 AND i.tenant_id = ?2 AND i.started_at IS NOT NULL
                    AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = i.contact_seq) IS NULL
                    AND {}) i",
        columns(3),
        visibility::visible(4)
    );
    let values =
        params![super::identity_id(id)?, caller.tenant, caller.actor.id(), visibility::viewer(caller)];
    let found: Found = db.row(&sql, values)?.ok_or_else(|| Problem::not_found("conversation", id))?;
    let now = Timestamp::now();
    let windows = [sendability::Actor::Agent, sendability::Actor::Bot].map(|actor| found.window(actor, now));
    Ok(ConversationDetails {
        messaging_window: windows[0].clone(),
        messaging_windows: windows,
        state: found.state,
    })
}

impl Found {
    fn window(&self, actor: sendability::Actor, now: Timestamp) -> Window {
        if !self.has_sender {
            return Window {
                state: "CLOSED",
                for_actor: actor.as_str(),
                expires_at: None,
                failure_code: Some("inboxRequired"),
            };
        }
        let is_open = self.state.status == ConversationStatus::Open;
        sendability::window(&self.state.conversation.channel, actor, self.last_inbound_at, is_open, now)
    }
}

/// The state of a conversation for its reader; without one, for events.
pub(super) fn state(db: &Db<'_>, tenant: &str, seq: i64, reader: Option<&str>) -> Result<ConversationState> {
    let sql = format!("SELECT {} FROM identities i WHERE i.seq = ?1 AND i.tenant_id = ?2", columns(3));
    db.row(&sql, params![seq, tenant, reader])?
        .ok_or_else(|| Problem::internal("a conversation vanished in its transaction"))
}
