//! The read side: templates and phone numbers of a business account (channels section 2.7).

use super::{envelope, templates};
use crate::credentials::{self, parameter};
use crate::files;
use crate::graph::{Error, check_version};
use crate::paging;
use crate::provider::Provider::Whatsapp;
use crate::store::accounts;
use axum::Json as Answer;
use axum::extract::Path;
use common::{Result, db};
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

pub const TEMPLATES_DESCRIPTION: &str = "\
The templates of a business account, paged as the provider does: three a page where `limit` does not say otherwise, \
follow `paging.next` until it is missing. `fields` and the filters `name`, `status`, `category` and `language` are \
honoured, and so is `summary`. Every account has the same: `order_ready` (`en`, no values), `delivery_update` (`en`, \
two values), `parcel_update_v2` (`en_GB`, image header, three values, buttons), `visit_reminder` (`de`, named values), \
`sign_in_code` (`en`, copy-code button), and two that cannot be sent: `summer_sale` (`en`, paused) and `autumn_offer` \
(`en_GB`, pending). `POST /sandbox/whatsapp/templates` adds others and changes reviews.";

pub const NUMBERS_DESCRIPTION: &str = "\
The phone numbers of a business account, paged as the provider does: seven in all, three a page where `limit` does not \
say otherwise. `fields` is honoured. Sending works with any phone number id, not only with these.";

/// How many numbers each business account has.
const NUMBERS: u32 = 7;
/// How many templates an account may have, as `summary` tells.
const LIMIT: u32 = 6000;
const STANDARD: &[&str] = &[
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
    "webhook_configuration",
    "last_onboarded_time",
    "id",
];
const TEMPLATE_STANDARD: &[&str] =
    &["name", "parameter_format", "components", "language", "status", "category", "id"];

async fn checked(
    version: &str,
    id: &str,
    rest: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<String, Error> {
    check_version(version, &format!("/{version}/{id}/{rest}"))?;
    credentials::meta(Whatsapp, headers, uri.query().unwrap_or_default()).await?;
    Ok(format!("{}/sandbox/whatsapp/{version}/{id}/{rest}", files::origin_of(headers)))
}

/// Lists templates.
pub async fn list_templates(
    Path((version, account)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    let own = checked(&version, &account, "message_templates", &uri, &headers).await?;
    let query = uri.query().unwrap_or_default();
    let all = db::read(|db| templates::all(db, envelope::ACCOUNT_ID)).await?;
    let all_count = all.len();
    let filters: Vec<(&str, String)> = ["name", "status", "category", "language"]
        .into_iter()
        .filter_map(|name| Some((name, parameter(query, name)?)))
        .collect();
    let matching: Vec<Value> = all
        .into_iter()
        .filter(|template| {
            filters.iter().all(|(name, wanted)| match *name {
                "name" => templates::text(template, name).contains(wanted.as_str()),
                "language" => templates::text(template, name) == wanted,
                _ => templates::text(template, name).eq_ignore_ascii_case(wanted),
            })
        })
        .collect();
    let mut page = paging::page(&own, query, &matching, TEMPLATE_STANDARD)?;
    if let (Some(asked), Some(members)) = (parameter(query, "summary"), page.as_object_mut()) {
        let summary = json!({
            "total_count": matching.len(), "message_template_count": all_count, "message_template_limit": LIMIT,
            "are_translations_complete": true,
        });
        members.insert("summary".into(), paging::fields(&summary, Some(&asked), &[]));
    }
    Ok(Answer(page))
}

/// Lists phone numbers.
pub async fn list_numbers(
    Path((version, account)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    let own = checked(&version, &account, "phone_numbers", &uri, &headers).await?;
    // The account of the callbacks has the numbers of the examples.
    let prefix = if account == envelope::ACCOUNT_ID { "3109876543210" } else { account.as_str() };
    let mut items = Vec::new();
    for n in 1..=NUMBERS {
        let id = format!("{prefix}{n:02}");
        let settings = db::read(|db| accounts::settings(db, Whatsapp, &id)).await?;
        items.push(number(&id, n, settings.number_status.as_deref()));
    }
    paging::page(&own, uri.query().unwrap_or_default(), &items, STANDARD).map(Answer)
}

/// One phone number; any id is one.
pub async fn one(id: &str, query: &str) -> Result<Answer<Value>, Error> {
    if id.is_empty() || id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::unknown_object(id));
    }
    let settings = db::read(|db| accounts::settings(db, Whatsapp, id)).await?;
    let item = number(id, 1, settings.number_status.as_deref());
    Ok(Answer(paging::fields(&item, parameter(query, "fields").as_deref(), STANDARD)))
}

fn number(id: &str, n: u32, status: Option<&str>) -> Value {
    let status = status.unwrap_or("CONNECTED");
    let available = if status == "CONNECTED" { "AVAILABLE" } else { "BLOCKED" };
    json!({
        "verified_name": "Example Shop", "code_verification_status": "VERIFIED",
        "display_phone_number": format!("+1 202-555-{:04}", n.saturating_add(99)), "quality_rating": "GREEN",
        "platform_type": "CLOUD_API", "throughput": {"level": "STANDARD"},
        "webhook_configuration": {"application": "https://hooks.example.test/wa"},
        "last_onboarded_time": "2026-01-05T09:00:00+0000", "id": id,
        "status": status, "name_status": "APPROVED", "account_mode": "SANDBOX", "messaging_limit_tier": "TIER_1K",
        "health_status": {"can_send_message": available},
    })
}

/// Subscribes the app to the account's webhooks: always so here.
pub async fn subscribe(
    Path((version, account)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    checked(&version, &account, "subscribed_apps", &uri, &headers).await?;
    Ok(Answer(json!({"success": true})))
}

/// The apps that are subscribed.
pub async fn subscriptions(
    Path((version, account)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Answer<Value>, Error> {
    checked(&version, &account, "subscribed_apps", &uri, &headers).await?;
    let app =
        json!({"id": "445566778899001", "name": "Sandbox", "link": "https://apps.example.test/sandbox"});
    Ok(Answer(json!({"data": [{"whatsapp_business_api_data": app}]})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_members_of_the_fixture() {
        let fixture: Value = serde_json::from_str(include_str!(
            "../../../../crates/providers/tests/fixtures/whatsapp/res-phone-numbers.json"
        ))
        .unwrap();
        let shown = paging::fields(&number("310987654321001", 1, None), None, STANDARD);
        for (name, value) in fixture["data"][0].as_object().unwrap() {
            assert_eq!(shown[name], *value, "{name}");
        }
        assert!(shown.get("status").is_none());
        let asked = paging::fields(&number("1", 1, Some("BANNED")), Some("status"), STANDARD);
        assert_eq!(asked, json!({"id": "1", "status": "BANNED"}));
    }
}
