//! `POST /v1/messages` to an address on a channel: the message and its job in one transaction.

use crate::database;
use crate::server::{Caller, Failure, now, rfc3339};
use axum::Json;
use axum::http::StatusCode;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateMessage {
    inbox_id: String,
    recipient: Recipient,
    content: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    channel: String,
    external_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    message: Message,
    conversation: Conversation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    created_at: String,
    updated_at: String,
    tenant_id: String,
    conversation_id: String,
    session_id: String,
    sender_type: &'static str,
    sender_id: String,
    content: Value,
    delivery_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conversation {
    id: String,
    channel: String,
    external_id: String,
    inbox_id: String,
    name: Option<String>,
    contact_id: String,
    last_message_at: String,
    last_message_preview: String,
    last_message_sender: &'static str,
}

/// The address' contact, the inbox and the open session in one statement.
const FIND: &str = "
    SELECT i.seq AS identity, i.id AS identity_id, c.seq AS contact, c.id AS contact_id, c.name,
           b.seq AS inbox, s.seq AS session, s.id AS session_id
      FROM inboxes b
      LEFT JOIN identities i ON i.tenant_id = b.tenant_id AND i.channel = b.channel AND i.address = ?3
      LEFT JOIN contacts c ON c.seq = i.contact_seq AND c.deleted_at IS NULL
      LEFT JOIN sessions s ON s.identity_seq = i.seq AND s.closed_at IS NULL
     WHERE b.id = ?2 AND b.tenant_id = ?1 AND b.deleted_at IS NULL AND b.channel = ?4";

const NUMBER: &str = "UPDATE tenants SET last_session = last_session + 1 WHERE id = ? RETURNING last_session";
const INSERT_SESSION: &str = "
    INSERT INTO sessions (id, tenant_id, number, identity_seq, inbox_seq, opened_at) VALUES (?, ?, ?, ?, ?, ?)
    RETURNING seq";
const INSERT_MESSAGE: &str = "
    INSERT INTO messages (id, tenant_id, identity_seq, session_seq, inbox_seq, direction, sender_type, sender_id,
                          content, status, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, 'out', 'user', ?6, ?7, 0, ?8, ?8)";
const TOUCH_IDENTITY: &str = "
    UPDATE identities SET started_at = coalesce(started_at, ?2), last_message_at = ?2, last_message_text = ?3,
                          last_message_sender = 'user', last_inbox_seq = ?4
     WHERE seq = ?1";
/// Behind another job of its lane a job has no `due_at`.
const INSERT_JOB: &str = "
    INSERT INTO jobs (tenant_id, kind, lane, subject, due_at, created_at)
    VALUES (?1, 'send_message', ?2, ?3, CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE lane = ?2) THEN NULL ELSE ?4 END, ?4)";

struct Route {
    identity: i64,
    identity_id: String,
    contact_id: String,
    name: Option<String>,
    inbox: i64,
    session: Option<(i64, String)>,
}

fn find(db: &rusqlite::Connection, tenant: &str, body: &CreateMessage) -> rusqlite::Result<Option<Route>> {
    let address = body.recipient.external_id.trim_start_matches('+');
    db.prepare_cached(FIND)?
        .query_row(params![tenant, body.inbox_id, address, body.recipient.channel], |row| {
            let session: Option<i64> = row.get("session")?;
            Ok(Route {
                identity: row.get("identity")?,
                identity_id: row.get("identity_id")?,
                contact_id: row.get("contact_id")?,
                name: row.get("name")?,
                inbox: row.get("inbox")?,
                session: session
                    .map(|seq| Ok::<_, rusqlite::Error>((seq, row.get("session_id")?)))
                    .transpose()?,
            })
        })
        .optional()
}

/// Only addresses that are contacts already: the bench's are.
pub async fn create(
    caller: Caller,
    Json(body): Json<CreateMessage>,
) -> Result<(StatusCode, Json<Created>), Failure> {
    let at = now();
    let id = format!("msg_{}", Ulid::generate());
    let content = body.content.to_string();
    let preview = match (&body.content["text"]["body"], &body.content["template"]["name"]) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        _ => {
            return Err(Failure(
                StatusCode::UNPROCESSABLE_ENTITY,
                "content must be a text or a template".into(),
            ));
        }
    };
    let stored = database::write(|db| {
        let Some(route) = find(db, &caller.tenant, &body)? else { return Ok(None) };
        let (session, session_id) = match &route.session {
            Some(open) => open.clone(),
            None => {
                let number: i64 = db.prepare_cached(NUMBER)?.query_row([&caller.tenant], |row| row.get(0))?;
                let id = format!("ses_{}", Ulid::generate());
                let seq: i64 = db.prepare_cached(INSERT_SESSION)?.query_row(
                    params![id, caller.tenant, number, route.identity, route.inbox, at],
                    |row| row.get(0),
                )?;
                (seq, id)
            }
        };
        db.prepare_cached(INSERT_MESSAGE)?.execute(params![
            id,
            caller.tenant,
            route.identity,
            session,
            route.inbox,
            caller.account,
            content,
            at
        ])?;
        db.prepare_cached(TOUCH_IDENTITY)?.execute(params![route.identity, at, preview, route.inbox])?;
        let lane = format!("{}:{}", route.inbox, route.identity);
        db.prepare_cached(INSERT_JOB)?.execute(params![caller.tenant, lane, id, at])?;
        Ok(Some((route, session_id)))
    })?;
    let Some((route, session_id)) = stored else {
        return Err(Failure(StatusCode::NOT_FOUND, format!("there is no inbox {}", body.inbox_id)));
    };
    let time = rfc3339(at);
    let conversation_id = route.identity_id.replacen("idn_", "cnv_", 1);
    let message = Message {
        id,
        created_at: time.clone(),
        updated_at: time.clone(),
        tenant_id: caller.tenant,
        conversation_id: conversation_id.clone(),
        session_id,
        sender_type: "user",
        sender_id: caller.account,
        content: body.content,
        delivery_status: "pending",
    };
    let conversation = Conversation {
        id: conversation_id,
        channel: body.recipient.channel,
        external_id: body.recipient.external_id.trim_start_matches('+').to_string(),
        inbox_id: body.inbox_id,
        name: route.name,
        contact_id: route.contact_id,
        last_message_at: time,
        last_message_preview: preview,
        last_message_sender: "user",
    };
    Ok((StatusCode::ACCEPTED, Json(Created { message, conversation })))
}
