//! `GET /v1/webhooks/events`: what a receiver that was away missed.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::Query;
use common::routes::{Operation, Routes};
use common::time::Timestamp;
use common::{Result, db};
use domain::contacts::Contact;
use domain::conversations::Conversation;
use domain::messages::Message;
use domain::webhooks::history;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::get("/v1/webhooks/events", "listWebhookEvents")
            .tenant(&["webhook:read"], Role::ADMINS)
            .summary("Read events again")
            .describe(
                "The events of the last seven days in their order, oldest first, each as it is delivered: a receiver \
                 that was away reads on after the last `webhook-id` it knows. Kept are events of the types that at \
                 least one endpoint listed when they happened, whether it was enabled or not. A page holds at most \
                 2 MB. An addition to the published API.",
            )
            .query::<EventParameters>()
            .answers::<EventPage>(200, "The events. With `more`, go on after the last one.", PAGE)
            .problem(404, "webhook_event_not_found", "There is no such event, or it is older than seven days."),
        list,
    )
}

const PAGE: &str = r#"{"events": [{
  "id": "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9", "type": "contact.updated", "timestamp": "2026-04-30T09:45:00.000Z",
  "data": {"contact": {
    "id": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "name": "Anna Kowalska",
    "createdAt": "2026-04-30T09:20:00.000Z", "updatedAt": "2026-04-30T09:45:00.000Z",
    "identities": [], "tagIds": [], "customFields": {}, "archivedAt": null
  }}
}], "more": false}"#;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct EventParameters {
    /// The id of the last event you have; absent: from the oldest.
    #[param(example = "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    after: Option<String>,
    /// Events on a page: 1 to 500, larger values count as 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

/// Events in their order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEventPage)]
pub struct EventPage {
    /// As they are delivered.
    #[schema(value_type = Vec<WebhookEvent>)]
    events: Vec<Box<RawValue>>,
    /// Whether there are more after these.
    more: bool,
}

/// The body of a delivery.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "a schema: the stored bodies are passed on as they are")]
struct WebhookEvent {
    /// The `webhook-id`: your key against duplicates.
    #[schema(example = "evt_01HV8ZE2G9W4P6Q8T1A3C5E7G9")]
    id: String,
    #[schema(rename = "type", example = "contact.updated")]
    kind: String,
    /// When it happened; never earlier than that of the event before.
    timestamp: Timestamp,
    data: WebhookEventData,
}

/// `contact` for the events of contacts, `conversation` for those of conversations, `message` and `conversation` for
/// those of messages.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "a schema")]
struct WebhookEventData {
    contact: Option<Contact>,
    message: Option<Message>,
    conversation: Option<Conversation>,
}

async fn list(caller: Principal, Query(query): Query<EventParameters>) -> Result<Answer<EventPage>> {
    let page = db::read(|db| history::after(db, &caller.tenant, query.after.as_deref(), query.limit)).await?;
    Ok(Answer(EventPage { events: page.events, more: page.more }))
}
