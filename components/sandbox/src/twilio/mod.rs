//! SMS through Twilio Programmable Messaging (channels sections 6 and 9.3).
//!
//! | file | what |
//! |---|---|
//! | [`send`], [`error`] | the Messages resource: rules, answers, errors |
//! | [`resource`], [`segments`] | a message as the API shows it; its parts |
//! | [`callback`], [`inbound`] | the forms of status callbacks and of messages |
//! | [`media`] | the files of messages that came in |

pub mod callback;
pub mod error;
pub mod inbound;
pub mod media;
pub mod resource;
pub mod segments;
pub mod send;

use crate::json::Node as Object;
use common::routes::{Operation, Routes};

const BASIC: &str = "HTTP Basic: the account SID or an API key, and a password that begins with `sandbox-`.";

fn own(operation: Operation) -> Operation {
    operation
        .path_param("account_sid", "The account, `AC…`.")
        .header("Authorization", BASIC)
        .example_path("account_sid", "AC00000000000000000000000000000001")
        .example_elsewhere("sandbox: it needs HTTP Basic credentials and a form")
}

/// The provider's own paths.
pub fn add(routes: Routes) -> Routes {
    const MESSAGES: &str = "/sandbox/twilio/2010-04-01/Accounts/{account_sid}/Messages.json";
    const MEDIA: &str = "/sandbox/twilio/2010-04-01/Accounts/{account_sid}/Messages/{message}/Media/{media}";
    const MESSAGE: &str = "/sandbox/twilio/2010-04-01/Accounts/{account_sid}/Messages/{message}";
    let one = |operation: Operation| {
        own(operation)
            .path_param("message", "The message's SID and `.json`.")
            .example_path("message", "SM00000000000000000000000000000042.json")
    };
    routes
        .add(
            own(Operation::post(MESSAGES, "sandboxTwilioSend"))
                .summary("Send an SMS through the Twilio sandbox")
                .describe(send::DESCRIPTION)
                .answers::<Object>(201, "The message; its states follow as callbacks.", send::CREATED),
            send::send,
        )
        .add(
            own(Operation::get(MESSAGES, "sandboxTwilioMessages"))
                .summary("List the messages of the Twilio sandbox")
                .describe("Newest first; `To`, `From`, `PageSize`; follow `next_page_uri`.")
                .answers::<Object>(
                    200,
                    "A page.",
                    r#"{"messages": [], "page": 0, "page_size": 50, "next_page_uri": null}"#,
                ),
            send::list,
        )
        .add(
            one(Operation::get(MESSAGE, "sandboxTwilioMessage"))
                .summary("Read a message of the Twilio sandbox")
                .describe("As it is now: its status moves on with each callback.")
                .answers::<Object>(200, "The message.", send::CREATED),
            send::one,
        )
        .add(
            one(Operation::post(MESSAGE, "sandboxTwilioCancel"))
                .summary("Cancel a scheduled message of the Twilio sandbox")
                .describe("`Status=canceled`; only while it is `scheduled`.")
                .answers::<Object>(200, "The message.", send::CREATED),
            send::change,
        )
        .add(
            own(Operation::get(MEDIA, "sandboxTwilioMedia"))
                .path_param("message", "The message's SID.")
                .example_path("message", "MM00000000000000000000000000000051")
                .path_param("media", "The file's SID, `ME…`.")
                .example_path("media", "ME00000000000000000000000000000061")
                .summary("Find a file of the Twilio sandbox")
                .describe(media::DESCRIPTION)
                .answers_empty(307, "To where the bytes are: the header `Location`."),
            media::redirect,
        )
        .add(
            own(Operation::get("/sandbox/twilio/2010-04-01/Accounts/{account_sid}", "sandboxTwilioAccount"))
                .summary("Read an account of the Twilio sandbox")
                .describe("`{account_sid}.json`: a connection test.")
                .answers::<Object>(
                    200,
                    "The account.",
                    r#"{"sid": "AC00000000000000000000000000000001", "status": "active"}"#,
                ),
            send::account,
        )
}
