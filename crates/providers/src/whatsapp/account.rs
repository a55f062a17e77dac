//! The read side of a business account: templates and phone numbers (channels section 2.7).

use super::errors;
use crate::graph::Sender;
use crate::graph::answer::{self, Page};
use crate::json::{id, text};
use crate::{BuildError, Failure};
use http::{HeaderMap, Request};
use serde_json::Value;

/// Most items of a page that we ask for.
const PAGE: &str = "100";
const TEMPLATE_FIELDS: &str = "id,name,language,status,category,parameter_format,components";
const NUMBER_FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,code_verification_status,platform_type,throughput,status,name_status,account_mode,messaging_limit_tier";

/// A template of a business account.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub id: String,
    pub name: String,
    /// `en_GB`.
    pub language: String,
    /// `APPROVED` and so on; only that one can be sent.
    pub status: String,
    /// `MARKETING`, `UTILITY`, `AUTHENTICATION`.
    pub category: String,
    /// Whether variables are named (`{{first_name}}`), not counted (`{{1}}`).
    pub named: bool,
    /// `HEADER`, `BODY`, `FOOTER`, `BUTTONS`, as WhatsApp writes them.
    pub components: Vec<Value>,
}

/// A phone number of a business account.
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneNumber {
    pub id: String,
    /// As WhatsApp shows it: `+1 202-555-0100`.
    pub display: String,
    pub verified_name: Option<String>,
    /// `GREEN`, `YELLOW`, `RED`, `UNKNOWN`.
    pub quality: Option<String>,
    /// `CONNECTED` can send.
    pub status: Option<String>,
    /// `VERIFIED` and so on.
    pub code_verification_status: Option<String>,
    pub name_status: Option<String>,
    /// `CLOUD_API` and so on.
    pub platform: Option<String>,
    /// `STANDARD`, `HIGH`.
    pub throughput: Option<String>,
    pub messaging_limit_tier: Option<String>,
}

/// Asks for a page of an account's templates; `after` is the cursor of the page before.
///
/// # Errors
/// A setting of the sender, or the account's id, cannot stand in a URL.
pub fn templates_page(
    sender: &Sender,
    account: &str,
    after: Option<&str>,
) -> Result<Request<Vec<u8>>, BuildError> {
    list(sender, account, "message_templates", TEMPLATE_FIELDS, after)
}

/// Asks for a page of an account's phone numbers; `after` is the cursor of the page before.
///
/// # Errors
/// A setting of the sender, or the account's id, cannot stand in a URL.
pub fn phone_numbers_page(
    sender: &Sender,
    account: &str,
    after: Option<&str>,
) -> Result<Request<Vec<u8>>, BuildError> {
    list(sender, account, "phone_numbers", NUMBER_FIELDS, after)
}

fn list(
    sender: &Sender,
    account: &str,
    edge: &str,
    fields: &str,
    after: Option<&str>,
) -> Result<Request<Vec<u8>>, BuildError> {
    let mut query = vec![("fields", fields), ("limit", PAGE)];
    query.extend(after.map(|after| ("after", after)));
    sender.get(sender.url(account, edge, &query)?)
}

/// Reads the answer to [`templates_page`].
///
/// # Errors
/// Why there is none.
pub fn read_templates_page(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Page<Template>, Failure> {
    answer::read_as(errors::TABLE, (status, headers, body), |json| answer::page(json, template))
}

/// Reads the answer to [`phone_numbers_page`].
///
/// # Errors
/// Why there is none.
pub fn read_phone_numbers_page(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Page<PhoneNumber>, Failure> {
    answer::read_as(errors::TABLE, (status, headers, body), |json| answer::page(json, phone_number))
}

fn template(json: &Value) -> Option<Template> {
    Some(Template {
        id: id(json, "id")?,
        name: text(json, "name")?,
        // Callbacks write a hyphen where lists have an underscore.
        language: text(json, "language")?.replace('-', "_"),
        status: text(json, "status")?,
        category: text(json, "category").unwrap_or_default(),
        named: text(json, "parameter_format").as_deref() == Some("NAMED"),
        components: crate::json::list(json, "components").to_vec(),
    })
}

fn phone_number(json: &Value) -> Option<PhoneNumber> {
    Some(PhoneNumber {
        id: id(json, "id")?,
        display: text(json, "display_phone_number").unwrap_or_default(),
        verified_name: text(json, "verified_name"),
        quality: text(json, "quality_rating"),
        status: text(json, "status"),
        code_verification_status: text(json, "code_verification_status"),
        name_status: text(json, "name_status"),
        platform: text(json, "platform_type"),
        throughput: json.get("throughput").and_then(|throughput| text(throughput, "level")),
        messaging_limit_tier: text(json, "messaging_limit_tier"),
    })
}
