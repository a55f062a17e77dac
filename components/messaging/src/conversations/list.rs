//! `GET /v1/conversations`: filter, sort and page.

use axum::Json as Answer;
use axum::extract::RawQuery;
use common::auth::{Actor, Principal, Role};
use common::input;
use common::page::Page;
use common::routes::Operation;
use common::{Problem, Result, db};
use domain::conversations::details::{ConversationState, ConversationStatus};
use domain::conversations::list::{self, Assignee, Filter, Sort};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// Most values of one array parameter.
const VALUES_MAX: usize = 50;

const CHANNELS: &[&str] = &["whatsapp", "messenger", "instagram", "text", "sms"];

pub fn operation() -> Operation {
    Operation::get("/v1/conversations", "listConversations")
        .tenant(&["conversation:list"], Role::ALL)
        .summary("Page through the conversations in the caller's sight")
        .describe(
            "Owners and admins see all; agents see those of their teams, those assigned to them and those without a \
             team; an API key sees what its role sees, and with the role agent has no teams. By `lastMessageAt`, newest \
             first unless sorted otherwise. Filters combine with AND, the values inside an array with OR. A conversation \
             that moves while a caller pages, since a message came, may be met again; poll from the first page, or \
             listen for events. `interacted`, `unread` and the filters by channel, inbox, assignee, team and contact may \
             be `false` or absent to mean all. Ids that nothing has give an empty list.",
        )
        .query::<Parameters>()
        .answers::<ConversationPage>(
            200,
            "A page of conversations. `nextPageToken` is absent on the last page.",
            r#"{"conversations": [{
                "id": "cnv_01HV8Y7YF5J4Y7M9M7T3H3X2A1", "channel": "whatsapp", "externalId": "48123456789",
                "inboxId": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4", "name": "Anna Kowalska",
                "contactId": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "contactName": "Anna Kowalska",
                "lastMessageAt": "2026-04-30T10:35:00.000Z", "lastMessagePreview": "Thanks, I will check it now.",
                "lastMessageSender": "customer", "status": "open", "sessionId": "ses_01HV8Z1K2M3N4P5Q6R7S8T9V0W",
                "assignedUserId": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "teamId": "team_01HV8Y6W0W4T5A8S9V7Q2P1M3K",
                "unreadCount": 1}]}"#,
        )
}

/// The parameters, for the documentation; [`read`] takes them from the query.
#[derive(Debug, IntoParams)]
#[into_params(names(
    "pageSize",
    "pageToken",
    "status",
    "sort",
    "interacted",
    "unread",
    "channel",
    "inboxId",
    "assignedUserId",
    "teamId",
    "contactId"
))]
#[allow(dead_code, reason = "read by the documentation only")]
struct Parameters(
    /// Conversations on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    Option<u32>,
    /// The `nextPageToken` of the page before, with the same filters and order.
    Option<String>,
    /// Those in any of these states. Repeat the parameter or separate by commas.
    #[param(inline)]
    Option<Vec<ConversationStatus>>,
    /// By `lastMessageAt`: `newest` (default) or `oldest` first.
    #[param(inline)]
    Option<Sort>,
    /// `true`: only those in which the caller has sent a message.
    Option<bool>,
    /// `true`: only those with something unread for the caller.
    Option<bool>,
    /// Those on any of these channels: `whatsapp`, `messenger`, `instagram`, `text`, `sms`.
    Option<Vec<String>>,
    /// Those whose latest message went through this inbox.
    Option<String>,
    /// Those assigned to this user; `me` is the caller, `none` is nobody.
    Option<String>,
    /// Those routed to this team.
    Option<String>,
    /// Those of this contact.
    Option<String>,
);

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationPage {
    conversations: Vec<ConversationState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

pub async fn list(caller: Principal, RawQuery(query): RawQuery) -> Result<Answer<ConversationPage>> {
    let (filter, size, token) = read(query.as_deref().unwrap_or_default(), &caller.actor)?;
    let page = Page::new(size, token.as_deref(), filter.binding(&caller))?;
    let (conversations, next_page_token) = db::read(|db| list::list(db, &caller, &filter, &page)).await?;
    Ok(Answer(ConversationPage { conversations, next_page_token }))
}

/// Reads the query by hand: arrays come repeated or with commas (contract section 4). Unknown parameters are
/// ignored, unknown values refused.
fn read(query: &str, caller: &Actor) -> Result<(Filter, Option<u32>, Option<String>)> {
    let (mut filter, mut size, mut token) = (Filter::default(), None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let given = || Some(value.to_string()).filter(|value| !value.is_empty());
        match &*name {
            "pageSize" => {
                let number = value.parse();
                size = Some(number.map_err(|_| Problem::parameter(&name, "must be a whole number"))?);
            }
            "pageToken" => token = given(),
            "status" | "status[]" => {
                for value in input::values(&value) {
                    filter.status.push(status(value)?);
                }
                bounded("status", filter.status.len())?;
            }
            "sort" => {
                filter.sort = match &*value {
                    "newest" => Sort::Newest,
                    "oldest" => Sort::Oldest,
                    _ => return Err(Problem::parameter("sort", "must be newest or oldest")),
                }
            }
            "interacted" => filter.interacted = input::boolean("interacted", &value)?,
            "unread" => filter.unread = input::boolean("unread", &value)?,
            "channel" | "channel[]" => {
                for value in input::values(&value) {
                    filter.channels.push(channel(value)?);
                }
                bounded("channel", filter.channels.len())?;
            }
            "inboxId" => filter.inbox = given(),
            "assignedUserId" => {
                filter.assignee = given().map(|value| match value.as_str() {
                    "none" => Assignee::Nobody,
                    "me" => Assignee::User(caller.id().to_string()),
                    _ => Assignee::User(value),
                });
            }
            "teamId" => filter.team = given(),
            "contactId" => filter.contact = given(),
            _ => {}
        }
    }
    Ok((filter, size, token))
}

fn bounded(name: &str, count: usize) -> Result<()> {
    if count > VALUES_MAX {
        return Err(Problem::parameter(name, format!("must have at most {VALUES_MAX} values")));
    }
    Ok(())
}

fn status(text: &str) -> Result<ConversationStatus> {
    match text {
        "open" => Ok(ConversationStatus::Open),
        "closed" => Ok(ConversationStatus::Closed),
        _ => Err(Problem::parameter("status", "must be open or closed")),
    }
}

fn channel(text: &str) -> Result<String> {
    if CHANNELS.contains(&text) {
        return Ok(text.to_string());
    }
    Err(Problem::parameter("channel", format!("must be one of {}", CHANNELS.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Actor {
        Actor::User("usr_1".into())
    }

    #[test]
    fn reads_arrays_in_both_notations() {
        let query = "pageSize=10&status=open&status=closed&channel=sms,text&sort=oldest&interacted=true&assignedUserId=me";
        let (filter, size, token) = read(query, &caller()).unwrap();
        assert_eq!(filter.status, [ConversationStatus::Open, ConversationStatus::Closed]);
        assert_eq!(filter.channels, ["sms", "text"]);
        assert_eq!((filter.sort, filter.interacted, filter.unread), (Sort::Oldest, true, false));
        assert_eq!(filter.assignee, Some(Assignee::User("usr_1".into())));
        assert_eq!((size, token), (Some(10), None));
        assert_eq!(read("assignedUserId=none", &caller()).unwrap().0.assignee, Some(Assignee::Nobody));
        assert_eq!(read("assignedUserId=&other=1", &caller()).unwrap().0.assignee, None);
    }

    #[test]
    fn refuses_values_it_does_not_know() {
        for wrong in [
            "pageSize=x",
            "status=pending",
            "sort=up",
            "interacted=1",
            "unread=yes",
            "channel=fax",
            "status=open,x",
        ] {
            let problem = read(wrong, &caller()).unwrap_err();
            assert_eq!(problem.status, 400);
            assert_eq!(problem.errors[0].field, wrong.split('=').next().unwrap());
        }
    }
}
