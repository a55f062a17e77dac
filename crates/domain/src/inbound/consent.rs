//! Whether a person wants to be written to: what they wrote, what the channel told, or what a caller says. Nothing is
//! sent to somebody who opted out, neither accepted nor, when it was accepted before, handed to the provider.
//!
//! WhatsApp's own preference is about marketing alone: it stops templates, and answers within the window still go.

use crate::contacts::{self, ConsentState, Contact};
use crate::content::MessageContent;
use crate::events;
use common::auth::Principal;
use common::db::Db;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde::Deserialize;
use utoipa::ToSchema;

/// The source of what a person wrote.
pub const KEYWORD: &str = "keyword";
/// Longest source that a caller may name, in characters.
const SOURCE_CHARS: usize = 100;
/// Words that stop messages when they are the whole of one, on any channel with phone numbers.
const STOP: &[&str] = &["STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "OPTOUT", "OPT OUT", "OPT-OUT"];
/// More of them, which carriers ask for on SMS and which mean something else in a chat.
const STOP_SMS: &[&str] = &["CANCEL", "END", "QUIT", "REVOKE"];
const START: &[&str] = &["START", "UNSTOP", "SUBSCRIBE", "OPTIN", "OPT IN", "OPT-IN"];
const START_SMS: &[&str] = &["YES"];

/// Whether a customer's text stops messages (`false`) or wants them again (`true`).
pub(super) fn wish(channel: &str, text: &str) -> Option<bool> {
    let word = text.trim().trim_end_matches(['.', '!']).to_uppercase();
    let is_in = |words: &[&str], sms: &[&str]| {
        words.contains(&word.as_str()) || (channel == "sms" && sms.contains(&word.as_str()))
    };
    match channel {
        "whatsapp" | "sms" if is_in(STOP, STOP_SMS) => Some(false),
        "whatsapp" | "sms" if is_in(START, START_SMS) => Some(true),
        _ => None,
    }
}

/// What is known of a recipient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub state: Option<String>,
    pub source: Option<String>,
}

/// Whether nothing at all may be sent to them, reactions included.
pub(crate) fn forbids_all(known: &Known) -> bool {
    let marketing_only = known.source.as_deref().is_some_and(|source| source.starts_with("whatsapp"));
    known.state.as_deref() == Some("opted_out") && !marketing_only
}

/// Whether this may not be sent to them.
pub(crate) fn forbids(known: &Known, content: &MessageContent) -> bool {
    let is_template = matches!(content, MessageContent::Template { .. });
    forbids_all(known) || is_template && known.state.as_deref() == Some("opted_out")
}

/// Refuses what may not be sent to them.
pub(crate) fn check(known: &Known, content: &MessageContent) -> Result<()> {
    if forbids(known, content) { Err(unwanted()) } else { Ok(()) }
}

pub(crate) fn unwanted() -> Problem {
    Problem::conflict(
        "recipient_opted_out",
        "The recipient does not want messages on this channel. They can write START to get them again; where they \
         agreed in another way, set the consent of their identity.",
    )
}

/// What a caller says of an identity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetConsentRequest {
    pub state: ConsentState,
    /// How it was given, in the caller's words; `api` when absent.
    #[serde(default)]
    #[schema(max_length = 100, example = "web form")]
    pub source: Option<String>,
}

/// Sets the consent of a contact's identity, whatever was known; answers the contact.
pub fn set_by(
    db: &Db<'_>,
    caller: &Principal,
    contact_id: &str,
    identity_id: &str,
    request: &SetConsentRequest,
) -> Result<Contact> {
    let tenant = caller.tenant.as_str();
    let contact = contacts::find(db, tenant, contact_id)?;
    let mut violations = Violations::new();
    if let Some(source) = &request.source {
        violations.text("source", source, SOURCE_CHARS);
        violations.check(
            !source.starts_with("whatsapp"),
            "source",
            "must not begin with whatsapp: that is the channel's own",
        );
    }
    violations.finish()?;
    let found = db.row::<(i64,)>(
        "SELECT seq FROM identities WHERE id = ? AND contact_seq = ? AND tenant_id = ?",
        params![identity_id, contact.seq, tenant],
    )?;
    let (seq,) = found.ok_or_else(|| Problem::not_found("identity", identity_id))?;
    let now = Timestamp::now();
    // A provider's clock may be ahead of ours: what is said now is later all the same.
    db.run("UPDATE identities SET consent_at = NULL WHERE seq = ? AND tenant_id = ?", params![seq, tenant])?;
    let source = request.source.as_deref().unwrap_or("api");
    set(db, tenant, seq, request.state == ConsentState::OptedIn, source, now)?;
    db.run(
        "UPDATE contacts SET updated_at = ? WHERE seq = ? AND tenant_id = ?",
        params![now, contact.seq, tenant],
    )?;
    let contact = contacts::by_seq(db, tenant, contact.seq)?;
    events::emit(db, tenant, now, &[contacts::updated_event(&contact)?])?;
    Ok(contact)
}

/// Who told it: a channel, by the code of its refusal. Such as `whatsapp:131050`.
pub fn source(channel: &str, code: &str) -> String {
    format!("{channel}:{code}")
}

/// Notes what a person wants; a later word wins over an earlier one. `source` says who told it, such as
/// `sms` or [`source()`].
pub fn set(
    db: &Db<'_>,
    tenant: &str,
    identity_seq: i64,
    opted_in: bool,
    source: &str,
    at: Timestamp,
) -> Result<()> {
    let state = if opted_in { "opted_in" } else { "opted_out" };
    Ok(db.run(
        "UPDATE identities SET consent = ?, consent_source = ?, consent_at = ?3
          WHERE seq = ? AND tenant_id = ? AND coalesce(consent_at, 0) <= ?3",
        params![state, source, at, identity_seq, tenant],
    )?)
}

/// Notes the opt-out that a refused message of ours told of.
pub fn refused(db: &Db<'_>, tenant: &str, message: &str, source: &str, at: Timestamp) -> Result<()> {
    let found = db.row::<(i64,)>(
        "SELECT identity_seq FROM messages WHERE id = ? AND tenant_id = ?",
        params![message, tenant],
    )?;
    match found {
        Some((identity_seq,)) => set(db, tenant, identity_seq, false, source, at),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_as_a_whole_and_by_channel() {
        assert_eq!(wish("whatsapp", " stop. "), Some(false));
        assert_eq!(wish("whatsapp", "Start"), Some(true));
        assert_eq!(wish("sms", "QUIT"), Some(false));
        assert_eq!(wish("sms", "yes"), Some(true));
        for (channel, text) in [
            ("whatsapp", "cancel"),
            ("whatsapp", "yes"),
            ("whatsapp", "please stop"),
            ("messenger", "STOP"),
            ("sms", ""),
        ] {
            assert_eq!(wish(channel, text), None, "{text} on {channel}");
        }
    }

    #[test]
    fn a_marketing_preference_stops_templates_alone() {
        let text = MessageContent::Text { text: crate::content::TextContent { body: "x".into() } };
        let template: MessageContent = serde_json::from_value(
            serde_json::json!({"type": "template", "template": {"name": "a", "language": "en"}}),
        )
        .unwrap();
        let known =
            |state: &str, source: &str| Known { state: Some(state.into()), source: Some(source.into()) };
        assert!(forbids(&known("opted_out", "keyword"), &text));
        assert!(forbids(&known("opted_out", "whatsapp:131050"), &template));
        assert!(!forbids(&known("opted_out", "whatsapp"), &text));
        assert!(!forbids(&known("opted_in", "keyword"), &template));
        assert!(!forbids(&Known::default(), &text));
        // Reactions are nobody's marketing.
        assert!(forbids_all(&known("opted_out", "keyword")));
        assert!(!forbids_all(&known("opted_out", "whatsapp:131050")));
    }
}
