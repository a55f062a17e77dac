//! Messenger and Instagram: one Send API and one form of webhooks, with differences (channels sections 4, 5, 9.3).
//!
//! | file | what |
//! |---|---|
//! | [`send`], [`message`] | the send call and its rules |
//! | [`events`] | what is called back |
//! | [`inbound`] | what people do |

pub mod events;
pub mod inbound;
pub mod message;
pub mod send;

use crate::json::Node as Object;
use crate::provider::Provider;
use axum::extract::Path;
use common::Problem;
use common::input::Raw;
use common::routes::{Operation, Routes};
use http::{HeaderMap, Uri};

const TOKEN: &str = "`Bearer` and the variable `messenger_access_token` or `instagram_access_token`, or any token that \
begins with `sandbox-`.";

/// The paths of one of the two.
struct Paths {
    provider: Provider,
    messages: (&'static str, &'static str),
    attachments: (&'static str, &'static str),
    node: (&'static str, &'static str),
    subscribed: (&'static str, &'static str),
    person: &'static str,
}

const MESSENGER: Paths = Paths {
    provider: Provider::Messenger,
    messages: ("/sandbox/messenger/{version}/{account}/messages", "sandboxMessengerSend"),
    attachments: ("/sandbox/messenger/{version}/{account}/message_attachments", "sandboxMessengerAttachment"),
    node: ("/sandbox/messenger/{version}/{account}", "sandboxMessengerNode"),
    subscribed: ("/sandbox/messenger/{version}/{account}/subscribed_apps", "sandboxMessengerSubscribe"),
    person: "Messenger",
};

const INSTAGRAM: Paths = Paths {
    provider: Provider::Instagram,
    messages: ("/sandbox/instagram/{version}/{account}/messages", "sandboxInstagramSend"),
    attachments: ("/sandbox/instagram/{version}/{account}/message_attachments", "sandboxInstagramAttachment"),
    node: ("/sandbox/instagram/{version}/{account}", "sandboxInstagramNode"),
    subscribed: ("/sandbox/instagram/{version}/{account}/subscribed_apps", "sandboxInstagramSubscribe"),
    person: "Instagram",
};

/// The providers' own paths.
pub fn add(routes: Routes) -> Routes {
    add_one(add_one(routes, MESSENGER), INSTAGRAM)
}

fn add_one(routes: Routes, paths: Paths) -> Routes {
    let provider = paths.provider;
    let own = |operation: Operation| {
        operation
            .path_param("version", "As the provider's: `v25.0`.")
            .path_param("account", "The Page or Instagram account, or `me`.")
            .header("Authorization", TOKEN)
            .example_path("version", "v25.0")
            .example_path("account", "108800551234567")
            .example_elsewhere("sandbox: it needs a token of the provider's")
    };
    let messenger = paths.person == "Messenger";
    let of = |a: &'static str, b: &'static str| if messenger { a } else { b };
    routes
        .add(
            own(Operation::post(paths.messages.0, paths.messages.1))
                .summary(of("Send a message through the Messenger sandbox", "Send a message through the Instagram sandbox"))
                .describe(send::DESCRIPTION)
                .body::<Object>(send::MESSAGE)
                .answers::<Object>(200, "Accepted; echo and receipts follow as callbacks.", send::ACCEPTED),
            move |Path(path): Path<(String, String)>, uri: Uri, headers: HeaderMap, body: Result<Raw, Problem>| {
                send::send(provider, path, uri, headers, body)
            },
        )
        .add(
            own(Operation::post(paths.attachments.0, paths.attachments.1))
                .summary(of("Upload an attachment ahead (Messenger)", "Upload an attachment ahead (Instagram)"))
                .describe("As the provider's: the URL is not fetched; the id is known for 90 days.")
                .body::<Object>(r#"{"message": {"attachment": {"type": "image", "payload": {"url": "https://cdn.example.test/p/blue.jpg", "is_reusable": true}}}}"#)
                .answers::<Object>(200, "The attachment's id.", r#"{"attachment_id": "740022110099887"}"#),
            move |Path(path): Path<(String, String)>, uri: Uri, headers: HeaderMap, body: Result<Raw, Problem>| {
                send::attachment(provider, path, uri, headers, body)
            },
        )
        .add(
            own(Operation::get(paths.node.0, paths.node.1))
                .summary(of("Read a profile (Messenger)", "Read a profile (Instagram)"))
                .describe("The Graph API's read of a person who has written, or of the Page or account. `fields` is honoured.")
                .answers::<Object>(200, "The profile.", r#"{"id": "7301550100421234", "name": "Mira Okafor"}"#),
            move |Path(path): Path<(String, String)>, uri: Uri, headers: HeaderMap| {
                send::node(provider, path, uri, headers)
            },
        )
        .add(
            own(Operation::post(paths.subscribed.0, paths.subscribed.1))
                .summary(of("Subscribe the app to a Page", "Subscribe the app to an Instagram account"))
                .describe("As the provider's. The sandbox calls back whether or not anybody subscribed.")
                .answers::<Object>(200, "Subscribed.", r#"{"success": true}"#),
            move |Path(path): Path<(String, String)>, uri: Uri, headers: HeaderMap| {
                send::subscribe(provider, path, uri, headers)
            },
        )
}
