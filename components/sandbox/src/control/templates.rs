//! The review of WhatsApp templates.

use super::Delivery;
use crate::delivery;
use crate::json::node;
use crate::provider::Provider::Whatsapp;
use crate::target;
use crate::whatsapp::{envelope, templates};
use axum::Json as Answer;
use common::input::Json;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, db, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub const DESCRIPTION: &str = "\
Ends, or changes, the review of a template: from then on it is listed with that status, only `APPROVED` can be sent, and \
the callback `message_template_status_update` is delivered before the answer. A name that is not known becomes a new \
template with `components`. It holds for all business accounts of the sandbox. Local only.";

pub const EXAMPLE: &str =
    r#"{"name": "autumn_offer_2", "language": "en_GB", "status": "REJECTED", "reason": "INVALID_FORMAT"}"#;

const STATUSES: &[&str] = &[
    "APPROVED",
    "REJECTED",
    "PENDING",
    "PAUSED",
    "DISABLED",
    "IN_APPEAL",
    "PENDING_DELETION",
    "LIMIT_EXCEEDED",
    "ARCHIVED",
];

/// A template's new status.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SandboxReview)]
pub struct Review {
    pub name: String,
    pub language: String,
    /// `APPROVED`, `REJECTED`, `PENDING`, `PAUSED`, `DISABLED`, `IN_APPEAL`, `PENDING_DELETION`, `LIMIT_EXCEEDED` or
    /// `ARCHIVED`.
    pub status: String,
    /// Such as `INVALID_FORMAT`; `NONE` where absent.
    pub reason: Option<String>,
    /// `MARKETING`, `UTILITY` or `AUTHENTICATION`; `UTILITY` where absent and the template is new.
    pub category: Option<String>,
    /// As the list shows them; of a new template, or instead of the old ones.
    pub components: Option<Vec<crate::json::Node>>,
    /// `NAMED` or `POSITIONAL`.
    pub parameter_format: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxReviewed)]
pub struct Reviewed {
    pub deliveries: Vec<Delivery>,
}

/// Changes a review.
pub async fn review(Json(body): Json<Review>) -> Result<Answer<Reviewed>> {
    let mut violations = Violations::new();
    violations.text("name", &body.name, 512);
    violations.text("language", &body.language, 16);
    violations.check(STATUSES.contains(&body.status.as_str()), "status", "is none that a template can have");
    violations.finish()?;
    let components = body.components.as_ref().map(serde_json::to_value).transpose();
    let components = components.map_err(|error| Problem::internal(error.to_string()))?;
    let template = db::write(|db| {
        let known = templates::all(db, envelope::ACCOUNT_ID)?.into_iter().find(|known| {
            templates::text(known, "name") == body.name && templates::text(known, "language") == body.language
        });
        let id = Timestamp::now().millis().saturating_add(880_000_000_000_000).to_string();
        let mut template = known.unwrap_or_else(|| {
            json!({"name": body.name, "parameter_format": "POSITIONAL", "components": [{"type": "BODY", "text": "Hello."}],
                   "language": body.language, "category": "UTILITY", "id": id})
        });
        if let Some(members) = template.as_object_mut() {
            let mut set = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    members.insert(name.to_string(), value);
                }
            };
            set("status", Some(body.status.clone().into()));
            set("category", body.category.clone().map(Value::from));
            set("components", components);
            set("parameter_format", body.parameter_format.clone().map(Value::from));
        }
        db.run(
            "INSERT OR REPLACE INTO sandbox_templates (account, name, language, definition) VALUES (?, ?, ?, ?)",
            params![envelope::ACCOUNT_ID, body.name, body.language, template.to_string()],
        )?;
        Ok(template)
    })
    .await?;
    let Some(target) = target::meta(Whatsapp, envelope::ACCOUNT_ID).await? else {
        return Ok(Answer(Reviewed { deliveries: Vec::new() }));
    };
    let now = Timestamp::now();
    let value = node!({
        "event": &body.status,
        "message_template_id": templates::text(&template, "id").parse::<i64>().unwrap_or_default(),
        "message_template_name": &body.name, "message_template_language": &body.language,
        "reason": body.reason.as_deref().unwrap_or("NONE"),
        "message_template_category": templates::text(&template, "category"),
    });
    let callback = envelope::body(vec![("message_template_status_update", value)], Some(now.seconds()));
    let answers = delivery::send_now(&[target.planned(callback, now)]).await?;
    Ok(Answer(Reviewed { deliveries: answers.into_iter().map(Delivery::from).collect() }))
}
