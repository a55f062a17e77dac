//! The handshake with which Meta registers a callback URL (channels section 1.3).

use crate::ids;
use crate::provider::Provider;
use crate::target;
use axum::Json as Answer;
use axum::extract::Path;
use common::outbound::{self, Deadlines};
use common::{Problem, Result, settings};
use serde::Serialize;
use std::time::Duration;

pub const DESCRIPTION: &str = "\
Does what Meta does when a callback URL is registered: asks it with a random challenge and the verify token of the \
variables, and says whether the challenge came back unchanged with 200. Local only.";

const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(1),
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(5),
};

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxHandshake)]
pub struct Handshake {
    /// The challenge came back unchanged with 200: the provider would deliver.
    pub registered: bool,
    pub status: Option<u16>,
}

/// Asks the callback URL.
pub async fn handshake(Path(provider): Path<String>) -> Result<Answer<Handshake>> {
    let provider = Provider::of_path(&provider)?;
    let target = match provider {
        Provider::Whatsapp | Provider::Messenger | Provider::Instagram => target::meta(provider, "").await?,
        _ => return Err(Problem::route_not_found()),
    };
    let Some(target) = target else { return Ok(Answer(Handshake { registered: false, status: None })) };
    let token = match provider {
        Provider::Whatsapp => settings::get("whatsapp_verify_token").await,
        _ => None,
    };
    let token = match token {
        Some(token) => token,
        None => settings::get("meta_verify_token").await.unwrap_or_default(),
    };
    let challenge = ids::digits();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.verify_token", &token)
        .append_pair("hub.challenge", &challenge)
        .finish();
    let request = http::Request::get(format!("{}?{query}", target.url))
        .body(Vec::new())
        .map_err(|error| Problem::internal(error.to_string()))?;
    let answer = outbound::send(request, DEADLINES).await;
    Ok(Answer(match answer {
        Ok(answer) => Handshake {
            registered: answer.status().as_u16() == 200 && answer.body().as_slice() == challenge.as_bytes(),
            status: Some(answer.status().as_u16()),
        },
        Err(_) => Handshake { registered: false, status: None },
    }))
}
