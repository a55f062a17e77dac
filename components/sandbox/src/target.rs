//! Where callbacks go, and how they are signed.

use crate::provider::Provider;
use crate::store::accounts::Signature;
use crate::store::callbacks::Planned;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::time::Timestamp;
use common::{Problem, Result, crypto, settings};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use std::collections::BTreeMap;

/// Meta goes on for days; here some quarter of an hour.
const META_TRIES: i64 = 20;
/// Twilio and gateways try once.
const ONE_TRY: i64 = 1;

/// A receiver of callbacks.
#[derive(Clone, Debug)]
pub struct Target {
    pub provider: Provider,
    pub account: String,
    /// Where the bytes are posted to.
    pub url: String,
    pub sign: Sign,
}

/// How a callback is signed.
#[derive(Clone, Debug)]
pub enum Sign {
    /// `X-Hub-Signature-256` with an app secret (channels section 1.4).
    Meta { secret: String },
    /// `X-Twilio-Signature` over the URL as the business gave it and the form (channels section 6.4).
    Twilio { token: String, url: String },
    /// The generic gateway: as its account is set up.
    Gateway(Option<Signature>),
}

/// The app secret of a Meta channel.
pub async fn app_secret(provider: Provider) -> Result<String> {
    let own = match provider {
        Provider::Whatsapp => settings::get("whatsapp_app_secret").await,
        Provider::Instagram => settings::get("instagram_app_secret").await,
        _ => None,
    };
    let secret = match own {
        Some(secret) => Some(secret),
        None => settings::get("meta_app_secret").await,
    };
    secret.ok_or_else(|| {
        let detail = "The variable meta_app_secret is not set, so nothing can be signed for this provider. Set it and start again.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_configured", detail)
    })
}

/// The receiver of a Meta channel's callbacks: `…/channels/{provider}` beside WhatsApp's. `None`: nothing is
/// called back.
pub async fn meta(provider: Provider, account: &str) -> Result<Option<Target>> {
    let Some(whatsapp) = settings::get("sandbox_callback_url").await else { return Ok(None) };
    let url = match (provider, whatsapp.rsplit_once('/')) {
        (Provider::Whatsapp, _) | (_, None) => whatsapp,
        (_, Some((base, _))) => format!("{base}/{}", provider.as_str()),
    };
    let secret = app_secret(provider).await?;
    Ok(Some(Target { provider, account: account.to_string(), url, sign: Sign::Meta { secret } }))
}

/// A URL that the business gave, as it is reached from here: what begins with `public_url` goes where
/// `sandbox_callback_url` points to.
pub async fn reachable(url: &str) -> String {
    let (public, callbacks) =
        (settings::get("public_url").await, settings::get("sandbox_callback_url").await);
    match (public, callbacks) {
        (Some(public), Some(callbacks)) => rebase(url, &public, &callbacks),
        _ => url.to_string(),
    }
}

fn rebase(url: &str, public: &str, callbacks: &str) -> String {
    let rest = url.strip_prefix(public.trim_end_matches('/')).filter(|rest| rest.starts_with('/'));
    let origin = callbacks.match_indices('/').nth(2).and_then(|(at, _)| callbacks.get(..at));
    match (rest, origin) {
        (Some(rest), Some(origin)) => format!("{origin}{rest}"),
        _ => url.to_string(),
    }
}

impl Target {
    /// Signs a body and plans it.
    pub fn planned(&self, body: String, due_at: Timestamp) -> Planned {
        Planned {
            due_at: due_at.millis(),
            provider: self.provider,
            account: self.account.clone(),
            url: self.url.clone(),
            headers: self.headers(&body),
            body,
            tries: if matches!(self.sign, Sign::Meta { .. }) { META_TRIES } else { ONE_TRY },
            message: None,
            state: None,
        }
    }

    /// Content type and signature of a body.
    pub fn headers(&self, body: &str) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        let mut set = |name: &str, value: String| headers.insert(name.to_ascii_lowercase(), value);
        match &self.sign {
            Sign::Meta { secret } => {
                set("content-type", "application/json".into());
                set("user-agent", "facebookexternalua".into());
                set("x-hub-signature-256", meta_signature(secret, body.as_bytes()));
            }
            Sign::Twilio { token, url } => {
                set("content-type", "application/x-www-form-urlencoded; charset=UTF-8".into());
                set("user-agent", "TwilioProxy/1.1".into());
                set("x-twilio-signature", twilio_signature(token, url, body));
            }
            Sign::Gateway(signature) => {
                set("content-type", "application/json".into());
                if let Some(signature) = signature {
                    set(&signature.header, gateway_signature(signature, body.as_bytes()));
                }
            }
        }
        headers
    }

    /// The name of the header with the signature.
    pub fn signature_header(&self) -> Option<String> {
        match &self.sign {
            Sign::Meta { .. } => Some("x-hub-signature-256".into()),
            Sign::Twilio { .. } => Some("x-twilio-signature".into()),
            Sign::Gateway(signature) => signature.as_ref().map(|one| one.header.to_ascii_lowercase()),
        }
    }

    /// The same receiver, with callbacks that another secret signs.
    #[must_use]
    pub fn with_secret(mut self, other: &str) -> Self {
        match &mut self.sign {
            Sign::Meta { secret } | Sign::Twilio { token: secret, .. } => *secret = other.to_string(),
            Sign::Gateway(Some(signature)) => signature.secret = other.to_string(),
            Sign::Gateway(None) => {}
        }
        self
    }
}

fn meta_signature(app_secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(crypto::hmac_sha256(app_secret.as_bytes(), &[body])))
}

fn hmac_sha1(key: &[u8], data: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<sha1::Sha1>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// The URL and the form's fields by name, each with its values, nothing between (channels section 6.4).
fn twilio_signature(token: &str, url: &str, form: &str) -> String {
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    fields.sort();
    fields.dedup();
    let mut text = url.to_string();
    for (name, value) in fields {
        text.push_str(&name);
        text.push_str(&value);
    }
    STANDARD.encode(hmac_sha1(token.as_bytes(), text.as_bytes()))
}

fn gateway_signature(signature: &Signature, body: &[u8]) -> String {
    let key = signature.secret.as_bytes();
    let mac = match signature.algorithm.as_deref() {
        Some("token") => return signature.secret.clone(),
        Some("hmac-sha1") => hmac_sha1(key, body),
        _ => crypto::hmac_sha256(key, &[body]).to_vec(),
    };
    if signature.encoding.as_deref() == Some("base64") { STANDARD.encode(mac) } else { hex::encode(mac) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_signed_as_the_vectors_of_the_contract() {
        assert_eq!(
            meta_signature("fixture-app-secret", br#"{"t":"caf\u00e9 \ud83d\ude00 a\/b"}"#),
            "sha256=47bb83ed5f97d68e7de70aebf7ed12474c09f02476a6caec85c8217b39c80096"
        );
        let form: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("MessageSid", "SM00000000000000000000000000000042"),
                ("From", "+12025550147"),
                ("To", "+12025550100"),
                ("Body", "Hi & bye é"),
                ("NumMedia", "0"),
                ("FromZip", ""),
            ])
            .finish();
        let sign = |url: &str| twilio_signature("fixture-auth-token", url, &form);
        assert_eq!(sign("https://hooks.example.test/sms/in?acct=7"), "7ZbPP1fMgpPU/3kDnxRhQiTBrlM=");
        assert_eq!(sign("https://hooks.example.test:443/sms/in?acct=7"), "WBeMWFYHYIvHOxZ0a7RXQk3mrpY=");
    }

    #[test]
    fn our_own_addresses_are_reached_inside() {
        let to =
            |url: &str| rebase(url, "https://a.example/", "http://channels.spin.internal/channels/whatsapp");
        assert_eq!(
            to("https://a.example/channels/twilio/ibx_1/status?message=msg_1"),
            "http://channels.spin.internal/channels/twilio/ibx_1/status?message=msg_1"
        );
        assert_eq!(to("https://a.example.org/x"), "https://a.example.org/x");
        assert_eq!(to("https://b.example/x"), "https://b.example/x");
    }
}
