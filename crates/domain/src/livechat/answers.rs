//! Customers' answers to our questions.

use super::texts::{self, ClientMessage, Files};
use super::threads::Session;
use super::{LiveChat, writing};
use crate::content::{MessageContent, ReplyContent};
use common::crypto;
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Most choices of one answer.
const CHOICES_MAX: usize = 10;

/// A customer's answer to a question.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AnswerRequest {
    /// What was chosen; one alone may also come without the list.
    #[schema(value_type = Vec<SubmittedValue>)]
    pub submitted_values: Value,
}

/// One thing that was chosen.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SubmittedValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Morning")]
    pub title: Option<String>,
    #[schema(example = "slot:am")]
    pub value: String,
}

/// Takes a customer's answer to a question in: it stands with the question, and comes in as a message that quotes
/// it, once for each choice.
pub fn answer(
    db: &Db<'_>,
    chat: &LiveChat,
    session: &Session,
    message: i64,
    request: &AnswerRequest,
    files: &Files,
) -> Result<ClientMessage> {
    let values = submitted(&request.submitted_values)?;
    let (tenant, now) = (chat.tenant(), Timestamp::now());
    let missing = || Problem::not_found("message", &message.to_string());
    let question = texts::of_other_side(db, chat, session, message)?.ok_or_else(missing)?;
    let MessageContent::Interactive { interactive } = question else {
        return Err(Problem::invalid("submitted_values", "cannot be given: the message asks for no choice"));
    };
    let inbox = writing::inbox_of(db, chat, session)?;
    let address = writing::address_of(db, tenant, session)?;
    let mut chosen = Vec::with_capacity(values.len());
    for value in &values {
        let choice = texts::choices(&interactive).find(|choice| choice.id == value.value);
        let choice =
            choice.ok_or_else(|| Problem::invalid("submitted_values", "names no choice of the message"))?;
        chosen.push(choice);
    }
    let json = serde_json::to_string(&values).map_err(|error| Problem::internal(error.to_string()))?;
    db.run(
        "INSERT OR REPLACE INTO livechat_answers (message_seq, tenant_id, submitted_values) VALUES (?, ?, ?)",
        params![message, tenant, json],
    )?;
    writing::reopen(db, chat, session, now)?;
    for choice in chosen {
        let hash = crypto::sha256(choice.id.as_bytes());
        let id = format!("lc:a{message}:{}", hex::encode(hash.get(..8).unwrap_or_default()));
        let reply = ReplyContent {
            id: choice.id.clone(),
            title: choice.title.clone(),
            description: choice.description.clone(),
        };
        writing::take_in(db, &inbox, &address, &id, MessageContent::Reply { reply }, Some(message), now)?;
    }
    texts::one(db, chat, session, message, files)?.ok_or_else(missing)
}

fn submitted(value: &Value) -> Result<Vec<SubmittedValue>> {
    let wrong = || Problem::invalid("submitted_values", "must be a list of {name, title, value}");
    if value.get("csat_survey_response").is_some() {
        return Err(Problem::invalid("submitted_values", "cannot be given: no survey was asked"));
    }
    let values: Vec<SubmittedValue> = match value {
        Value::Array(_) => serde_json::from_value(value.clone()).map_err(|_| wrong())?,
        Value::Object(_) => vec![serde_json::from_value(value.clone()).map_err(|_| wrong())?],
        _ => return Err(wrong()),
    };
    if values.is_empty() || values.len() > CHOICES_MAX { Err(wrong()) } else { Ok(values) }
}
