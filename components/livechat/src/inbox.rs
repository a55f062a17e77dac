//! `/public/api/v1/inboxes/{inbox_identifier}`

use crate::path::{INBOX, OfInbox};
use axum::Json as Answer;
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::livechat;
use serde::Serialize;
use utoipa::ToSchema;

pub fn add(routes: Routes) -> Routes {
    routes.add(
        Operation::get("/public/api/v1/inboxes/{inbox_identifier}", "get-details-of-a-inbox")
            .summary("Inbox details")
            .describe(
                "What a chat window needs to know of its inbox. Working hours, greetings and surveys are not kept yet: \
                 they are answered as switched off.",
            )
            .path_param("inbox_identifier", INBOX)
            .answers::<ClientInbox>(200, "The inbox.", EXAMPLE)
            .problem(404, "inbox_not_found", "There is no such live chat.")
            .example_elsewhere("e2e livechat::people"),
        read,
    )
}

const EXAMPLE: &str = r#"{
  "identifier": "3f1c2b7a9d8e4f60a1b2c3d4", "identity_validation_enabled": false, "name": "Website chat", "timezone": "UTC",
  "working_hours": [], "working_hours_enabled": false, "csat_survey_enabled": false, "greeting_enabled": false
}"#;

/// An inbox as the Client API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientInbox {
    identifier: String,
    /// Whether customers must prove who they are.
    identity_validation_enabled: bool,
    name: String,
    timezone: &'static str,
    working_hours: Vec<WorkingHours>,
    working_hours_enabled: bool,
    csat_survey_enabled: bool,
    greeting_enabled: bool,
}

/// One day of the week, from Sunday (0).
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkingHours {
    day_of_week: u8,
    closed_all_day: bool,
    open_all_day: bool,
    open_hour: Option<u8>,
    open_minutes: Option<u8>,
    close_hour: Option<u8>,
    close_minutes: Option<u8>,
}

/// Open all day, every day: nothing else is kept.
fn always(day_of_week: u8) -> WorkingHours {
    WorkingHours {
        day_of_week,
        closed_all_day: false,
        open_all_day: true,
        open_hour: None,
        open_minutes: None,
        close_hour: None,
        close_minutes: None,
    }
}

async fn read(OfInbox(identifier): OfInbox) -> Result<Answer<ClientInbox>> {
    let chat = db::read(|db| livechat::inbox(db, &identifier)).await?;
    Ok(Answer(ClientInbox {
        identifier,
        identity_validation_enabled: chat.connection.config.hmac_mandatory,
        name: chat.name,
        timezone: "UTC",
        working_hours: (0..7).map(always).collect(),
        working_hours_enabled: false,
        csat_survey_enabled: false,
        greeting_enabled: false,
    }))
}
