//! The WhatsApp Cloud API (channels sections 2, 3 and 9.2).
//!
//! | file | what |
//! |---|---|
//! | [`send`], [`message`], [`content`], [`interactive`], [`templates`] | the send call and its rules |
//! | [`states`] | what is called back about a message |
//! | [`media`], [`numbers`] | uploads; templates and phone numbers, read |
//! | [`inbound`], [`person`], [`envelope`] | what customers do, and the shape around it |

pub mod content;
pub mod envelope;
pub mod inbound;
pub mod interactive;
pub mod media;
pub mod message;
pub mod numbers;
pub mod person;
pub mod send;
pub mod states;
pub mod templates;

use crate::json::Node as Object;
use common::routes::{Operation, Routes};

const TOKEN: &str =
    "`Bearer` and the variable `whatsapp_access_token`, or any token that begins with `sandbox-`.";
const ELSEWHERE: &str = "sandbox: it needs the provider's access token";
/// The Graph API takes no larger upload.
const UPLOAD_BYTES: usize = 110 * 1024 * 1024;

fn own(operation: Operation) -> Operation {
    operation
        .path_param("version", "As the provider's: `v25.0`.")
        .header("Authorization", TOKEN)
        .example_path("version", "v25.0")
        .example_elsewhere(ELSEWHERE)
}

/// The provider's own paths.
pub fn add(routes: Routes) -> Routes {
    let number = |operation: Operation| {
        own(operation)
            .path_param("phone_number_id", "The business's number; any is accepted.")
            .example_path("phone_number_id", "310987654321001")
    };
    let object = |operation: Operation, what: &'static str, example: &'static str| {
        own(operation).path_param("id", what).example_path("id", example)
    };
    let account = "The business account; any is accepted.";
    routes
        .add(
            number(Operation::post("/sandbox/whatsapp/{version}/{phone_number_id}/messages", "sandboxWhatsappSend"))
                .summary("Send a message through the WhatsApp sandbox")
                .describe(send::DESCRIPTION)
                .body::<send::Request>(send::MESSAGE)
                .answers::<send::Accepted>(200, "Accepted; the states follow as callbacks.", send::ACCEPTED),
            send::send,
        )
        .add(
            number(Operation::post("/sandbox/whatsapp/{version}/{phone_number_id}/media", "sandboxWhatsappUpload"))
                .summary("Upload a file to the WhatsApp sandbox")
                .describe(media::UPLOAD_DESCRIPTION)
                .body_limit(UPLOAD_BYTES)
                .answers::<Object>(200, "The file's id.", r#"{"id": "740022110099887"}"#),
            media::upload,
        )
        .add(
            object(
                Operation::get("/sandbox/whatsapp/{version}/{id}", "sandboxWhatsappNode"),
                "A media id or a phone number id.",
                "310987654321001",
            )
            .summary("Read a media info or a phone number of the WhatsApp sandbox")
            .describe(media::NODE_DESCRIPTION)
            .answers::<Object>(
                200,
                "The object.",
                r#"{"messaging_product": "whatsapp", "url": "http://127.0.0.1:3000/sandbox/files/whatsapp/x",
                    "mime_type": "image/jpeg", "sha256": "0001", "file_size": 48213, "id": "740022110099887"}"#,
            ),
            media::node,
        )
        .add(
            object(
                Operation::delete("/sandbox/whatsapp/{version}/{id}", "sandboxWhatsappDeleteMedia"),
                "A media id.",
                "740022110099887",
            )
            .summary("Delete a file of the WhatsApp sandbox")
            .describe("As the provider's: 100 with subcode 33 where there is no such file.")
            .answers::<Object>(200, "It is gone.", r#"{"success": true}"#),
            media::delete,
        )
        .add(
            object(
                Operation::get("/sandbox/whatsapp/{version}/{id}/message_templates", "sandboxWhatsappTemplates"),
                account,
                "290011223344556",
            )
            .summary("List the templates of the WhatsApp sandbox")
            .describe(numbers::TEMPLATES_DESCRIPTION)
            .answers::<Object>(
                200,
                "A page.",
                r#"{"data": [{"name": "order_ready", "language": "en", "status": "APPROVED", "id": "880011000000001"}],
                    "paging": {"cursors": {"before": "a", "after": "b"}}}"#,
            ),
            numbers::list_templates,
        )
        .add(
            object(
                Operation::get("/sandbox/whatsapp/{version}/{id}/phone_numbers", "sandboxWhatsappPhoneNumbers"),
                account,
                "290011223344556",
            )
            .summary("List the phone numbers of the WhatsApp sandbox")
            .describe(numbers::NUMBERS_DESCRIPTION)
            .answers::<Object>(
                200,
                "A page.",
                r#"{"data": [{"verified_name": "Example Shop", "id": "310987654321001"}],
                    "paging": {"cursors": {"before": "a", "after": "b"}}}"#,
            ),
            numbers::list_numbers,
        )
        .add(
            object(
                Operation::post("/sandbox/whatsapp/{version}/{id}/subscribed_apps", "sandboxWhatsappSubscribe"),
                account,
                "290011223344556",
            )
            .summary("Subscribe the app to a business account's webhooks")
            .describe("As the provider's. The sandbox calls back whether or not anybody subscribed.")
            .answers::<Object>(200, "Subscribed.", r#"{"success": true}"#),
            numbers::subscribe,
        )
        .add(
            object(
                Operation::get("/sandbox/whatsapp/{version}/{id}/subscribed_apps", "sandboxWhatsappSubscriptions"),
                account,
                "290011223344556",
            )
            .summary("List the apps that are subscribed")
            .describe("As the provider's: one, always.")
            .answers::<Object>(200, "The apps.", r#"{"data": []}"#),
            numbers::subscriptions,
        )
}
