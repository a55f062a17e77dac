//! One face for all providers: from an inbox to a sender, from an envelope to a request, from an answer to what
//! it means.

use crate::connections;
use common::Result;
use domain::inboxes::Connection;
use http::{HeaderMap, Request, Response};
use providers::{
    BuildError, Envelope, Failure, SendResult, gateway, graph, instagram, messenger, twilio, whatsapp,
};

/// A provider, as one inbox talks to it.
#[allow(clippy::large_enum_variant, reason = "one a send, and never kept")]
pub enum Provider {
    WhatsApp(graph::Sender),
    Messenger(graph::Sender),
    Instagram(graph::Sender),
    Twilio(twilio::Sender),
    Gateway(gateway::Sender),
}

/// What became of a reaction.
pub enum ActionResult {
    Done,
    Refused(Failure),
    /// Nobody knows; it can be done twice.
    Unclear,
}

impl Provider {
    /// `None`: the inbox has no credentials, nor has the deployment. `message` is what status callbacks are to
    /// name.
    pub async fn of(inbox: &Connection, message: &str) -> Result<Option<Self>> {
        let graph = connections::graph;
        Ok(match inbox.address.channel.as_str() {
            "whatsapp" => graph(inbox).await?.map(Provider::WhatsApp),
            "messenger" => graph(inbox).await?.map(Provider::Messenger),
            "instagram" => graph(inbox).await?.map(Provider::Instagram),
            "sms" => match connections::twilio(inbox, message).await? {
                Some(sender) => Some(Provider::Twilio(sender)),
                None => connections::gateway(inbox).await?.map(Provider::Gateway),
            },
            _ => None,
        })
    }

    pub fn send_request(&self, envelope: &Envelope<'_>) -> Result<Request<Vec<u8>>, BuildError> {
        match self {
            Provider::WhatsApp(sender) => whatsapp::send_request(sender, envelope),
            Provider::Messenger(sender) => messenger::send_request(sender, envelope),
            Provider::Instagram(sender) => instagram::send_request(sender, envelope),
            Provider::Twilio(sender) => twilio::send_request(sender, envelope),
            Provider::Gateway(sender) => gateway::send_request(sender, envelope),
        }
    }

    pub fn read_answer(&self, answer: &Response<Vec<u8>>) -> SendResult {
        let (status, headers, body) = parts(answer);
        match self {
            Provider::WhatsApp(_) => whatsapp::read_answer(status, headers, body),
            Provider::Messenger(_) => messenger::read_answer(status, headers, body),
            Provider::Instagram(_) => instagram::read_answer(status, headers, body),
            Provider::Twilio(_) => twilio::read_answer(status, headers, body),
            Provider::Gateway(sender) => gateway::read_answer(sender, status, headers, body),
        }
    }

    /// The answer to a reaction: WhatsApp's is a message, Messenger's and Instagram's an action.
    pub fn read_action_answer(&self, answer: &Response<Vec<u8>>) -> ActionResult {
        let (status, headers, body) = parts(answer);
        let done = match self {
            Provider::Messenger(_) => messenger::read_action_answer(status, headers, body),
            Provider::Instagram(_) => instagram::read_action_answer(status, headers, body),
            _ => match self.read_answer(answer) {
                SendResult::Accepted { .. } => Ok(()),
                SendResult::Refused(failure) => Err(failure),
                SendResult::Unclear { .. } => return ActionResult::Unclear,
            },
        };
        done.map_or_else(ActionResult::Refused, |()| ActionResult::Done)
    }
}

fn parts(answer: &Response<Vec<u8>>) -> (u16, &HeaderMap, &[u8]) {
    (answer.status().as_u16(), answer.headers(), answer.body())
}
