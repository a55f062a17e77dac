//! Requests to the Graph API (channels section 1.1).

use crate::BuildError;
use common::crypto;
use http::{HeaderValue, Request, header};
use serde::Serialize;

/// Who sends: an address of ours, and where its provider is.
#[derive(Clone)]
pub struct Sender {
    /// `https://graph.facebook.com`, `https://graph.instagram.com` or a sandbox; without the version.
    pub base_url: String,
    /// `v25.0`.
    pub api_version: String,
    /// WhatsApp: the phone number id. Messenger: the Page id. Instagram: the Page id (through a linked Page) or the
    /// account id (Instagram Login).
    pub node: String,
    pub access_token: String,
    /// With it every call carries `appsecret_proof`.
    pub app_secret: Option<String>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the secrets: this may reach a log.
        f.debug_struct("Sender")
            .field("base_url", &self.base_url)
            .field("api_version", &self.api_version)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// The URL of an edge of our own node: `messages`, `media`.
    pub(crate) fn edge(&self, edge: &str) -> Result<String, BuildError> {
        self.url(&self.node, edge, &[])
    }

    /// The URL of a node, or of an edge of it; `query` comes before the proof.
    pub(crate) fn url(&self, node: &str, edge: &str, query: &[(&str, &str)]) -> Result<String, BuildError> {
        if !is_plain(&self.api_version) {
            return Err(BuildError::Setting("API version"));
        }
        if !is_plain(node) {
            return Err(BuildError::Setting("id"));
        }
        let base = self.base_url.trim_end_matches('/');
        let mut url = format!("{base}/{}/{node}", self.api_version);
        if !edge.is_empty() {
            url.push('/');
            url.push_str(edge);
        }
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        if let Some(secret) = self.app_secret.as_deref().filter(|secret| !secret.is_empty()) {
            let proof = crypto::hmac_sha256(secret.as_bytes(), &[self.access_token.as_bytes()]);
            pairs.append_pair("appsecret_proof", &hex::encode(proof));
        }
        let query = pairs.finish();
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query);
        }
        Ok(url)
    }

    pub(crate) fn bearer(&self) -> Result<HeaderValue, BuildError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.access_token))
            .map_err(|_| BuildError::Setting("access token"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A GET without a body.
    pub(crate) fn get(&self, url: String) -> Result<Request<Vec<u8>>, BuildError> {
        Request::get(url)
            .header(header::AUTHORIZATION, self.bearer()?)
            .body(Vec::new())
            .map_err(|_| BuildError::Setting("base URL"))
    }

    /// A POST of JSON.
    pub(crate) fn post(&self, url: String, body: &impl Serialize) -> Result<Request<Vec<u8>>, BuildError> {
        let body = serde_json::to_vec(body).map_err(|_| BuildError::Setting("content"))?;
        Request::post(url)
            .header(header::AUTHORIZATION, self.bearer()?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|_| BuildError::Setting("base URL"))
    }
}

/// Whether a text can be a part of a path. These come from tenants and providers: they must not reach other paths
/// or hosts.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().any(|b| b != b'.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
