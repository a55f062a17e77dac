//! `/sandbox`: a stand-in for the channel providers that speaks their own wire formats (channels
//! section 9). The adapters cannot tell it from the real thing but by its URL.
//!
//! It exists only where the variable `sandbox` is `on`: elsewhere every path below `/sandbox` is the
//! 404 of an unknown path. Its control operations ask for no credential, so it must stay off in production.
//!
//! | file | what |
//! |---|---|
//! | [`whatsapp`] and its siblings | the providers' own paths |
//! | [`inbound`] | playing the customer, one form for all |
//! | [`control`] | what came in, was sent and called back; modes, faults, any bytes as a callback |
//! | [`record`], [`owner`] | notes every call to a provider's path, and lets some go wrong; whose it is |
//! | [`seed`] | random choices that can be repeated |
//! | [`clock`] | a tenant's movable clock |
//! | [`recipients`], [`steps`] | recipients with a behaviour of their own; the states a message passes |
//! | [`target`], [`delivery`] | where callbacks go; signed, sent, sent again |
//! | [`credentials`], [`graph`], [`paging`], [`files`], [`ids`], [`json`] | what the providers' paths share |
//! | [`store`] | SQL |

mod clock;
mod control;
mod credentials;
mod delivery;
mod files;
mod gateway;
mod graph;
mod ids;
mod inbound;
mod json;
mod messenger;
mod owner;
mod paging;
mod provider;
mod recipients;
mod record;
mod samples;
mod seed;
mod steps;
mod store;
mod target;
mod twilio;
mod whatsapp;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use common::routes::{Operation, Routes};
use common::{Problem, settings};

common::serve!(crate::guarded);

/// What a raw callback may hold, in bytes: more than the 3 MB that WhatsApp itself sends.
const RAW_CALLBACK_BYTES: usize = 4 * 1024 * 1024;

const PROVIDER: &str = "`whatsapp`, `messenger`, `instagram`, `twilio` or `sms-gateway`.";

/// The operations of this component.
pub fn routes() -> Routes {
    let own = whatsapp::add(Routes::new("Sandbox"));
    controls(gateway::add(twilio::add(messenger::add(own))))
}

/// What is not a provider's own.
fn controls(routes: Routes) -> Routes {
    let of_provider = |operation: Operation| {
        operation.path_param("provider", PROVIDER).example_path("provider", "whatsapp")
    };
    let of_account = |operation: Operation| {
        of_provider(operation)
            .path_param("account", "The business's side.")
            .example_path("account", "310987654321009")
    };
    routes
        .add(
            of_provider(Operation::post("/sandbox/{provider}/inbound", "sandboxInbound"))
                .summary("Play the customer")
                .describe(inbound::DESCRIPTION)
                .body_limit(inbound::BODY_BYTES)
                .body::<inbound::Inbound>(inbound::EXAMPLE)
                .answers::<inbound::Played>(200, "What was delivered, try by try.", inbound::PLAYED),
            inbound::inbound,
        )
        .add(
            Operation::get("/sandbox/files/{provider}/{key}", "sandboxFile")
                .summary("Download a file from the sandbox")
                .describe(files::DESCRIPTION)
                .path_param("provider", PROVIDER)
                .path_param("key", "The last part of the URL that the provider gave.")
                .problem(400, "provider_storage", "Twilio: a credential came along, in the form of the provider's storage.")
                .problem(401, "provider_token", "WhatsApp: the token is missing or wrong, in the provider's own form.")
                .problem(404, "route_not_found", "The URL is none, or has expired.")
                .answers_raw(200, "application/octet-stream", "The bytes, with their own content type.")
                .example_elsewhere("sandbox: a URL is given by the provider's answers only"),
            files::serve,
        )
        .add(
            Operation::post("/sandbox/whatsapp/{phone_number_id}/customer-messages", "sandboxWhatsappCustomerMessage")
                .summary("Write as a WhatsApp customer")
                .describe(control::customer_messages::DESCRIPTION)
                .path_param("phone_number_id", "The business's number that the customer writes to.")
                .body::<control::customer_messages::CustomerMessage>(control::customer_messages::EXAMPLE)
                .answers::<control::customer_messages::Played>(
                    200,
                    "What was delivered, try by try.",
                    control::customer_messages::PLAYED,
                )
                .example_path("phone_number_id", "310987654321001"),
            control::customer_messages::play,
        )
        .add(
            Operation::get("/sandbox/whatsapp/{phone_number_id}/sends", "sandboxWhatsappSends")
                .summary("List what the WhatsApp sandbox accepted")
                .describe("Newest first. Accepted messages are kept for a day; refused ones are not listed. Local only.")
                .path_param("phone_number_id", "The business's number that sent.")
                .query::<control::accounts::LimitQuery>()
                .answers::<control::accounts::Sends>(200, "The messages accepted.", control::accounts::SENDS)
                .example_path("phone_number_id", "310987654321001"),
            control::accounts::whatsapp_sends,
        )
        .add(
            of_account(Operation::get("/sandbox/controls/{provider}/{account}/sends", "sandboxSends"))
                .summary("List what the sandbox accepted from an account")
                .describe("Newest first. Accepted messages are kept for a day; refused ones are not listed. Local only.")
                .query::<control::accounts::LimitQuery>()
                .answers::<control::accounts::Sends>(200, "The messages accepted.", control::accounts::SENDS),
            control::accounts::sends,
        )
        .add(
            of_account(Operation::post("/sandbox/controls/{provider}/{account}/modes", "sandboxModes"))
                .summary("Choose how an account's sends and callbacks behave")
                .describe(control::accounts::MODES_DESCRIPTION)
                .body::<store::accounts::Settings>(control::accounts::MODES)
                .answers::<store::accounts::Settings>(200, "The modes that hold now.", control::accounts::MODES),
            control::accounts::modes,
        )
        .add(
            of_provider(Operation::post("/sandbox/controls/{provider}/raw-callbacks", "sandboxRawCallback"))
                .summary("Deliver any bytes as a callback")
                .describe(control::raw::DESCRIPTION)
                .body_limit(RAW_CALLBACK_BYTES)
                .body::<control::raw::RawCallback>(control::raw::EXAMPLE)
                .answers::<control::raw::Delivered>(200, "How it was answered.", r#"{"deliveries": [{"status": 401}]}"#),
            control::raw::raw_callback,
        )
        .add(
            of_provider(Operation::post("/sandbox/controls/{provider}/faults", "sandboxFaults"))
                .summary("Make calls to come go wrong")
                .describe(control::log::FAULTS_DESCRIPTION)
                .body::<control::log::Faults>(control::log::FAULT)
                .answers::<control::log::Faults>(200, "They will.", control::log::FAULT),
            control::log::faults,
        )
        .add(
            of_provider(Operation::get("/sandbox/controls/{provider}/calls", "sandboxCalls"))
                .summary("List calls to a provider's paths")
                .describe(control::log::CALLS_DESCRIPTION)
                .query::<control::log::CallsQuery>()
                .answers::<control::log::Calls>(200, "The calls.", control::log::CALLS),
            control::log::calls,
        )
        .add(
            of_account(Operation::get("/sandbox/controls/{provider}/{account}/attempts", "sandboxAttempts"))
                .summary("List tries to deliver callbacks")
                .describe(control::log::ATTEMPTS_DESCRIPTION)
                .query::<control::accounts::LimitQuery>()
                .answers::<control::log::Attempts>(200, "The tries.", control::log::ATTEMPTS),
            control::log::attempts,
        )
        .add(
            of_provider(Operation::post("/sandbox/controls/{provider}/reset", "sandboxReset"))
                .summary("Forget an account, or everything of a provider")
                .describe(control::log::RESET_DESCRIPTION)
                .body::<control::log::Reset>(r#"{"account": "310987654321009", "seed": 7}"#)
                .answers::<control::log::Reset>(200, "It is forgotten.", r#"{"account": "310987654321009", "seed": 7}"#),
            control::log::reset,
        )
        .add(
            of_provider(Operation::post("/sandbox/controls/{provider}/handshake", "sandboxHandshake"))
                .summary("Register the callback URL as Meta does")
                .describe(control::handshake::DESCRIPTION)
                .answers::<control::handshake::Handshake>(200, "How it went.", r#"{"registered": true, "status": 200}"#),
            control::handshake::handshake,
        )
        .add(
            Operation::post("/sandbox/controls/whatsapp/templates", "sandboxWhatsappReview")
                .summary("End a template's review")
                .describe(control::templates::DESCRIPTION)
                .body::<control::templates::Review>(control::templates::EXAMPLE)
                .answers::<control::templates::Reviewed>(200, "It is listed so.", r#"{"deliveries": [{"status": 200}]}"#),
            control::templates::review,
        )
        .add(
            Operation::post("/sandbox/clock", "sandboxClock")
                .summary("Move a tenant's clock forward")
                .describe(clock::DESCRIPTION)
                .body::<clock::Clock>(clock::EXAMPLE)
                .answers::<clock::Moved>(200, "It moved.", clock::MOVED)
                .problem(404, "tenant_not_found", "There is no such tenant."),
            clock::advance,
        )
        .add(
            Operation::post("/sandbox/tick", "sandboxTick")
                .internal()
                .summary("Deliver the callbacks that are due")
                .describe(
                    "Sends what is due, up to a limit; the scheduler calls it on its tick. Callbacks are normally sent \
                     without it, right after the message that caused them: the tick brings back those of a killed \
                     process and those that were not answered with 200.",
                )
                .answers::<control::Ticked>(200, "What was done.", r#"{"delivered": 2, "postponed": 0}"#),
            control::tick,
        )
}

/// The table with what is beside it: the provider's own 404, and the switch.
#[derive(Debug)]
pub struct Guarded(Routes);

/// What the component serves.
pub fn guarded() -> Guarded {
    Guarded(routes())
}

impl Guarded {
    /// The router of the table, behind the switch.
    pub fn into_router(self) -> Router {
        self.0
            .into_router()
            .method_not_allowed_fallback(unknown_path)
            .fallback(unknown_path)
            .layer(from_fn(record::call))
            .layer(from_fn(only_when_on))
    }
}

/// Below a provider's base URL the provider answers, elsewhere we do.
async fn unknown_path(request: Request) -> Response {
    match provider::of_call(request.uri().path()) {
        Some(provider::Provider::Twilio) => {
            let path = request.uri().path();
            twilio::error::Error::not_found(path.strip_prefix("/sandbox/twilio").unwrap_or(path))
                .into_response()
        }
        Some(_) => graph::not_found(request).await.into_response(),
        None => Problem::route_not_found().into_response(),
    }
}

async fn only_when_on(request: Request, next: Next) -> Response {
    if settings::sandbox().await {
        next.run(request).await
    } else {
        Problem::route_not_found().into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_its_router_can_be_built() {
        let routes = routes();
        for operation in routes.table() {
            assert!(
                !operation.docs.summary.is_empty() && !operation.docs.description.is_empty(),
                "{}",
                operation.id
            );
            // What is empty or redirects has nothing to show.
            for answer in operation.docs.answers.iter().filter(|answer| answer.schema.is_some()) {
                assert!(
                    answer.media_type.is_some()
                        || answer.example.as_ref().is_some_and(|example| example.is_object()),
                    "{}",
                    operation.id
                );
            }
            if let Some(body) = &operation.docs.body {
                assert!(body.example.is_object(), "{}", operation.id);
            }
        }
        // Overlapping paths would panic here.
        let _ = guarded().into_router();
    }
}
