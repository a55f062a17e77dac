//! `/v1/stream` and its like for live-chat customers: live updates as Server-Sent Events.
//!
//! | module | what |
//! |---|---|
//! | [`live`] | the life of one stream |
//! | [`slot`] | what waits for its client, and what concerns it |
//! | [`hub`] | the instance's one look at the feed |
//! | [`sse`] | the wire format and event ids |
//! | [`visit`] | a live-chat customer's stream |
//! | [`options`] | variables and limits |

mod hub;
mod live;
mod options;
mod slot;
mod sse;
mod visit;

use axum::response::{IntoResponse, Response};
use common::auth::{Credential, Principal, Role};
use common::entry::{Stall, Streamed};
use common::input::Query;
use common::routes::{Operation, Routes};
use common::time::Timestamp;
use common::{Problem, Result, db};
use domain::updates::{self, Kind};
use domain::{streams, visibility};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use hub::Member;
use live::Access;
use options::{LEASE, Options};
use serde::Deserialize;
use slot::{Filter, RESET_EXPIRED, Slot, Who, visitors_of};
use sse::Ids;
use std::collections::BTreeSet;
use std::time::Duration;
use utoipa::IntoParams;
use visit::{OfContact, Ticket};

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Live updates").add(
        Operation::get("/v1/stream", "streamUpdates")
            .tenant(&["conversation:list", "conversation:read"], Role::ALL)
            .summary("Listen to live updates")
            .describe(
                "Server-Sent Events (`text/event-stream`) about what the caller may see, within 300 ms. \
                 `message.created` and `message.updated` carry `{message, conversation}`, `conversation.started`, \
                 `conversation.updated` and `conversation.closed` carry `{conversation}`, as reading them would show \
                 them now. `conversation.removed` with `{conversationId}` says that a conversation has left an \
                 agent's sight: it was reassigned. `unread` carries `{unreadCount, version}` of the person, first \
                 as it is and then when it changes, within two seconds; API keys have none. \
                 \n\nThe first event is `ready`. Every event has an `id`; send the last one as `Last-Event-ID` (browsers \
                 do so by themselves) or `lastEventId` when you connect again, and nothing is missed: what happened \
                 meanwhile follows `ready`, each event once, in order. `reset` says that this is not possible, \
                 `{\"reason\": \"expired\"}` since the id is older than a day or not one of this workspace, or \
                 `{\"reason\": \"scope\"}` since what an agent may see has changed as a whole: read your lists anew and \
                 go on listening. A comment breaks the silence every 15 seconds. The stream ends when the credential \
                 does, when the client takes nothing for 30 seconds, and when the server stops: connect again.",
            )
            .query::<Parameters>()
            .header("Last-Event-ID", "The `id` of the last event that was received; wins over `lastEventId`.")
            .answers_raw(200, "text/event-stream", "Events, until the client leaves.")
            .problem(404, "conversation_not_found", "There is no such conversation, or the caller may not see it.")
            .problem(429, "stream_limit_reached", "The person or the workspace has as many open streams as allowed."),
        open,
    )
    .add(
        Operation::get(VISITOR_STREAM, "streamClientUpdates")
            .summary("Listen to a customer's own conversation")
            .describe(
                "The live-chat customer's live updates, an addition to Chatwoot's Client API: Server-Sent Events as \
                 `/v1/stream` has them. `message.created` and `message.updated` carry a message as the list of \
                 messages shows it, `conversation.started` and `conversation.closed` carry `{id, status}`. A scheduled \
                 message comes when it goes out. The \
                 customer is known by the `source_id` in the path and their `pubsub_token`, which the Client API \
                 shows with the contact; anything wrong with them is a 404. Pages of any origin may listen.",
            )
            .path_param("inbox_identifier", "The inbox's public identifier: `externalId` of an inbox of the channel `text`.")
            .path_param("contact_identifier", "The customer's `source_id`.")
            .query::<VisitorParameters>()
            .header("Last-Event-ID", "The `id` of the last event that was received; wins over `lastEventId`.")
            .answers_raw(200, "text/event-stream", "Events, until the client leaves.")
            .problem(403, "auth_identity_not_proven", "The inbox asks for proof, and the customer never gave it.")
            .problem(404, "contact_not_found", "There is no such inbox or customer, or the token is not theirs.")
            .problem(429, "stream_limit_reached", "The customer has as many open streams as allowed.")
            .example_elsewhere("e2e stream::visitor"),
        open_visitor,
    )
}

const VISITOR_STREAM: &str = "/public/api/v1/inboxes/{inbox_identifier}/contacts/{contact_identifier}/stream";

/// What to hear of and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct Parameters {
    /// Only events of this conversation, `cnv_…`.
    conversation_id: Option<String>,
    /// Only events of these types, separated by commas. `ready` and `reset` always come.
    #[param(example = "message.created,conversation.removed")]
    types: Option<String>,
    /// For clients that cannot set `Last-Event-ID`.
    last_event_id: Option<String>,
    /// Ends the stream after so many seconds; 0 ends it as soon as everything up to now was told, to catch up and go.
    #[param(minimum = 0, maximum = 86400)]
    max_seconds: Option<u32>,
}

/// Of a customer's stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct VisitorParameters {
    /// The customer's own, from the Client API.
    #[serde(rename = "pubsub_token", default)]
    #[param(rename = "pubsub_token")]
    token: String,
    /// For clients that cannot set `Last-Event-ID`.
    last_event_id: Option<String>,
    /// As of `/v1/stream`.
    #[param(minimum = 0, maximum = 86400)]
    max_seconds: Option<u32>,
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const MAX_SECONDS: u32 = 86_400;

async fn open(
    caller: Principal,
    credential: Credential,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response> {
    let now = Timestamp::now();
    let kinds = parameters.types.as_deref().map(kinds).transpose()?;
    let viewer = visibility::viewer(&caller);
    let conversation = match parameters.conversation_id.as_deref() {
        Some(id) => Some(db::read(|db| updates::conversation(db, &caller.tenant, viewer, id)).await?),
        None => None,
    };
    let wish = Wish {
        filter: Filter { conversation, kinds },
        last_event_id: last_event_id(&headers, parameters.last_event_id),
        ends_at: parameters.max_seconds.map(|seconds| ends_at(seconds, now)).transpose()?,
        places: caller.tenant.clone(),
        holder: caller.actor.id().to_string(),
    };
    let ids = Ids::of(&caller.tenant);
    start(Who::Caller(caller), Access::Credential(credential), ids, wish, now).await
}

async fn open_visitor(
    OfContact(inbox, contact): OfContact,
    headers: HeaderMap,
    Query(parameters): Query<VisitorParameters>,
) -> Result<Response> {
    let now = Timestamp::now();
    let ticket = Ticket { inbox, contact, token: parameters.token };
    let visit = ticket.check().await?;
    let wish = Wish {
        filter: Filter::default(),
        last_event_id: last_event_id(&headers, parameters.last_event_id),
        ends_at: parameters.max_seconds.map(|seconds| ends_at(seconds, now)).transpose()?,
        places: visitors_of(visit.tenant()),
        holder: visit.identity_seq().to_string(),
    };
    let ids = Ids::of(visit.tenant());
    let mut response = start(Who::Visitor(Box::new(visit)), Access::Ticket(ticket), ids, wish, now).await?;
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    Ok(response)
}

fn last_event_id(headers: &HeaderMap, parameter: Option<String>) -> Option<String> {
    let given = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(str::to_string);
    given.filter(|id| !id.is_empty()).or(parameter.filter(|id| !id.is_empty()))
}

/// What a client wants, whoever it is.
struct Wish {
    filter: Filter,
    last_event_id: Option<String>,
    ends_at: Option<Timestamp>,
    /// Whose limit of open streams counts, and who holds the place.
    places: String,
    holder: String,
}

async fn start(who: Who, access: Access, ids: Ids, wish: Wish, now: Timestamp) -> Result<Response> {
    let options = Options::read().await;
    let asked = wish.last_event_id.as_deref().map(|id| ids.decode(id));
    let (position, reaches) = db::read(|db| {
        let reaches = match asked.flatten() {
            Some(seq) => updates::reaches_back_to(db, seq)?.then_some(seq),
            None => None,
        };
        Ok((updates::newest(db)?, reaches))
    })
    .await?;
    let (places, holder) = (wish.places.as_str(), wish.holder.as_str());
    let place =
        db::write(|db| streams::open(db, places, holder, options.limits, now, now.after(LEASE))).await?;
    let slot = Slot::new(who, place, wish.filter, options, reaches.unwrap_or(position), wish.ends_at, now);
    let member = Member::join(slot.clone());
    slot.greet(reaches.is_some());
    if asked.is_some() && reaches.is_none() {
        slot.say("reset", RESET_EXPIRED);
    }
    let mut response = live::body(member, access).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of a common kind would hold events back otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.extensions_mut().insert(Streamed);
    response.extensions_mut().insert(Stall(options.stall));
    Ok(response)
}

/// The types that a client asks for.
fn kinds(text: &str) -> Result<BTreeSet<Kind>> {
    let unknown = |name: &str| {
        let known: Vec<&str> = Kind::EVENTS.iter().map(|kind| kind.name()).collect();
        Problem::parameter("types", format!("knows {} and not {name:?}", known.join(", ")))
    };
    text.split(',').map(str::trim).map(|name| Kind::event(name).ok_or_else(|| unknown(name))).collect()
}

fn ends_at(seconds: u32, now: Timestamp) -> Result<Timestamp> {
    if seconds > MAX_SECONDS {
        return Err(Problem::parameter("maxSeconds", format!("must be 0 to {MAX_SECONDS}")));
    }
    Ok(now.after(Duration::from_secs(seconds.into())))
}
