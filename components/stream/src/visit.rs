//! A live-chat customer's stream: who they are, and what they are told.

use crate::options::BATCH;
use axum::extract::{FromRequestParts, Path};
use common::crypto::Signer;
use common::{Problem, Result, db};
use domain::livechat::feed::{self, Piece};
use domain::livechat::texts::Files;
use domain::livechat::{self, LiveChat, PUBSUB, Visitor};
use http::request::Parts;

/// What opens the stream: the inbox and the customer of the path, and the customer's `pubsub_token`.
#[derive(Debug)]
pub struct Ticket {
    pub inbox: String,
    pub contact: String,
    pub token: String,
}

/// A customer on one inbox.
#[derive(Debug)]
pub struct Visit {
    chat: LiveChat,
    visitor: Visitor,
}

/// `/inboxes/{inbox_identifier}/contacts/{contact_identifier}`
#[derive(Debug)]
pub struct OfContact(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for OfContact {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let found = Path::<(String, String)>::from_request_parts(parts, state).await;
        // What cannot be read names nothing.
        let Ok(Path((inbox, contact))) = found else {
            return Err(Problem::not_found("resource", parts.uri.path()));
        };
        Ok(OfContact(inbox, contact))
    }
}

impl Ticket {
    /// Whose it is now; 404 when anything of it is wrong.
    pub async fn check(&self) -> Result<Visit> {
        let signer = Signer::from_settings(PUBSUB).await?;
        db::read(|db| livechat::subscriber(db, &signer, &self.inbox, &self.contact, &self.token))
            .await
            .map(|(chat, visitor)| Visit { chat, visitor })
    }
}

impl Visit {
    pub fn tenant(&self) -> &str {
        self.chat.tenant()
    }

    /// The customer's thread.
    pub fn identity_seq(&self) -> i64 {
        self.visitor.identity_seq
    }

    /// What happened to their conversation after a row of the feed.
    pub async fn after(&self, position: i64) -> Result<Piece> {
        let files = Files::from_settings().await?;
        db::read(|db| feed::after(db, &self.chat, &self.visitor, &files, position, BATCH)).await
    }
}
