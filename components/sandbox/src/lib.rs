//! `/sandbox`: a stand-in for the channel providers that speaks their own wire formats (channels
//! section 9). The adapters cannot tell it from the real thing but by its URL.
//!
//! It exists only where the variable `sandbox` is `on`: elsewhere every path below `/sandbox` is the
//! 404 of an unknown path. Its control operations ask for no credential, so it must stay off in production.
//!
//! | file | what |
//! |---|---|
//! | [`provider`] | the send endpoint: credentials, effect, answer |
//! | [`message`], [`templates`] | the rules that a message must keep |
//! | [`recipients`] | numbers with a behaviour of their own |
//! | [`callbacks`], [`delivery`] | what is called back and when; signed, sent, sent again |
//! | [`control`], [`raw`] | playing the customer, listing sends, modes; any bytes as a callback |
//! | [`store`] | SQL |

mod callbacks;
mod control;
mod delivery;
mod graph;
mod message;
mod provider;
mod raw;
mod recipients;
mod store;
mod templates;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use common::routes::{Operation, Routes};
use common::{Problem, settings};

common::serve!(crate::guarded);

/// What a raw callback may hold, in bytes: more than the 3 MB that WhatsApp itself sends.
const RAW_CALLBACK_BYTES: usize = 4 * 1024 * 1024;

const MESSAGES: &str = "/sandbox/whatsapp/{version}/{phone_number_id}/messages";

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Sandbox")
        .add(
            Operation::post(MESSAGES, "sandboxWhatsappSend")
                .summary("Send a message through the WhatsApp sandbox")
                .describe(provider::DESCRIPTION)
                .path_param("version", "As the provider's: `v25.0`.")
                .path_param("phone_number_id", "The business's number; any is accepted.")
                .header("Authorization", "`Bearer` and the variable `whatsapp_access_token`.")
                .body::<provider::Message>(provider::MESSAGE)
                .answers::<provider::Accepted>(200, "Accepted; the states follow as callbacks.", provider::ACCEPTED)
                .example_path("version", "v25.0")
                .example_path("phone_number_id", "310987654321001")
                .example_elsewhere("path: it needs the provider's access token, which every send there presents"),
            provider::send,
        )
        .add(
            Operation::post("/sandbox/whatsapp/{phone_number_id}/customer-messages", "sandboxWhatsappCustomerMessage")
                .summary("Write as a customer")
                .describe(control::CUSTOMER_MESSAGE_DESCRIPTION)
                .path_param("phone_number_id", "The business's number that the customer writes to.")
                .body::<control::CustomerMessage>(control::CUSTOMER_MESSAGE)
                .answers::<control::Played>(200, "What was delivered, try by try.", control::PLAYED)
                .example_path("phone_number_id", "310987654321001"),
            control::customer_message,
        )
        .add(
            Operation::get("/sandbox/whatsapp/{phone_number_id}/sends", "sandboxWhatsappSends")
                .summary("List what the WhatsApp sandbox accepted")
                .describe("Newest first. Accepted messages are kept for a day; refused ones are not listed. Local only.")
                .path_param("phone_number_id", "The business's number that sent.")
                .query::<control::SendsQuery>()
                .answers::<control::Sends>(200, "The messages accepted.", control::SENDS)
                .example_path("phone_number_id", "310987654321001"),
            control::sends,
        )
        .add(
            Operation::post("/sandbox/whatsapp/{phone_number_id}/modes", "sandboxWhatsappModes")
                .summary("Choose how callbacks of a number behave")
                .describe("Replaces all modes of the number; absent ones are switched off. Local only.")
                .path_param("phone_number_id", "The business's number.")
                .body::<control::Modes>(r#"{"duplicate": true, "shuffle": false, "callbackBeforeResponse": false}"#)
                .answers::<control::Modes>(
                    200,
                    "The modes that hold now.",
                    r#"{"duplicate": true, "shuffle": false, "callbackBeforeResponse": false}"#,
                )
                .example_path("phone_number_id", "310987654321009"),
            control::modes,
        )
        .add(
            Operation::post("/sandbox/whatsapp/raw-callbacks", "sandboxWhatsappRawCallback")
                .summary("Deliver any bytes as a callback")
                .describe(raw::DESCRIPTION)
                .body_limit(RAW_CALLBACK_BYTES)
                .body::<raw::RawCallback>(raw::EXAMPLE)
                .answers::<raw::Delivered>(200, "How it was answered.", r#"{"deliveries": [{"status": 401}]}"#),
            raw::raw_callback,
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
            .route(
                MESSAGES,
                axum::routing::get(graph::not_found).put(graph::not_found).delete(graph::not_found),
            )
            .fallback(unknown_path)
            .layer(from_fn(only_when_on))
    }
}

/// Below the provider's base URL the provider answers, elsewhere we do.
async fn unknown_path(request: Request) -> Response {
    if request.uri().path().starts_with("/sandbox/whatsapp/") {
        graph::not_found(request).await.into_response()
    } else {
        Problem::route_not_found().into_response()
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
            for answer in &operation.docs.answers {
                assert!(
                    answer.example.as_ref().is_some_and(|example| example.is_object()),
                    "{}",
                    operation.id
                );
            }
            if let Some(body) = &operation.docs.body {
                assert!(body.example.is_object(), "{}", operation.id);
            }
        }
        let document = common::openapi::document("0", "", &[routes]);
        assert_eq!(document["paths"].as_object().map(serde_json::Map::len), Some(6));
        // Overlapping paths would panic here.
        let _ = guarded().into_router();
    }
}
