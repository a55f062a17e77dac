//! The bodies of Messenger's and Instagram's callbacks (channels sections 4.3 and 5.2).

use crate::json::{Node, node};
use crate::provider::Provider;
use common::time::Timestamp;

/// The app that sends through the API.
pub const APP_ID: i64 = 445_566_778_899_001;

/// The whole body: events of one Page or account.
pub fn body(provider: Provider, account: &str, standby: bool, events: Vec<Node>, time: Timestamp) -> String {
    let object = if provider == Provider::Instagram { "instagram" } else { "page" };
    let mut entry = node!({"id": account, "time": time.millis()});
    entry.push(if standby { "standby" } else { "messaging" }, events);
    node!({"object": object, "entry": node!([entry])}).meta()
}

/// One event.
pub fn event(from: &str, to: &str, at: Timestamp, name: &str, content: Node) -> Node {
    let mut event = node!({
        "sender": node!({"id": from}), "recipient": node!({"id": to}), "timestamp": at.millis(),
    });
    event.push(name, content);
    event
}

/// A message of the business's own, as its callback tells of it.
#[derive(Clone, Debug, Default)]
pub struct Echoed {
    pub mid: String,
    pub text: Option<String>,
    pub attachments: Option<Node>,
    /// Absent where it came from the provider's own inbox; Instagram gives none.
    pub app_id: Option<i64>,
    pub metadata: Option<String>,
}

/// The member `message` of an echo.
pub fn echo(provider: Provider, echoed: &Echoed) -> Node {
    let messenger = provider == Provider::Messenger;
    node!({
        "mid": &echoed.mid, "is_echo": true, "app_id": echoed.app_id.filter(|_| messenger),
        "metadata": echoed.metadata.as_ref().filter(|_| messenger), "text": echoed.text.as_ref(),
        "attachments": echoed.attachments.as_ref(),
    })
}
