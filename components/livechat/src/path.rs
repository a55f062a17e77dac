//! What the paths name. Whatever cannot be read names nothing: 404, as the Client API has it.

use axum::extract::{FromRequestParts, Path};
use common::{Problem, Result};
use http::request::Parts;

pub const INBOX: &str = "The inbox's public identifier: `externalId` of a v1 inbox of the channel `text`.";
pub const CONTACT: &str = "The customer's `source_id`.";
pub const CONVERSATION: &str = "The number of the conversation.";
pub const MESSAGE: &str = "The number of the message.";

/// `/inboxes/{inbox_identifier}`
#[derive(Debug)]
pub struct OfInbox(pub String);

/// `…/contacts/{contact_identifier}`
#[derive(Debug)]
pub struct OfContact {
    pub inbox: String,
    pub contact: String,
}

/// `…/conversations/{conversation_id}`
#[derive(Debug)]
pub struct OfConversation {
    pub inbox: String,
    pub contact: String,
    pub conversation: i64,
}

/// `…/messages/{message_id}`
#[derive(Debug)]
pub struct OfMessage {
    pub inbox: String,
    pub contact: String,
    pub conversation: i64,
    pub message: i64,
}

async fn read<T, S>(parts: &mut Parts, state: &S) -> Result<T>
where
    T: serde::de::DeserializeOwned + Send,
    S: Send + Sync,
{
    let found = Path::<T>::from_request_parts(parts, state).await;
    found.map(|Path(names)| names).map_err(|_| Problem::not_found("resource", parts.uri.path()))
}

impl<S: Send + Sync> FromRequestParts<S> for OfInbox {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        read(parts, state).await.map(OfInbox)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfContact {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        read(parts, state).await.map(|(inbox, contact)| OfContact { inbox, contact })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfConversation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let (inbox, contact, conversation) = read(parts, state).await?;
        Ok(OfConversation { inbox, contact, conversation })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfMessage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let (inbox, contact, conversation, message) = read(parts, state).await?;
        Ok(OfMessage { inbox, contact, conversation, message })
    }
}
