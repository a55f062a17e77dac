//! From an inbox to what a provider's module takes: where the provider is, who we are, and the secrets, of the inbox
//! where it has its own, else of the deployment.
//!
//! While the sandbox is on and no other address is set, the sandbox is meant.

use common::crypto::Sealer;
use common::{Result, settings};
use domain::inboxes::{Connection, Credentials, InstagramLogin};
use providers::{gateway, graph, twilio};

const SANDBOX: &str = "http://sandbox.spin.internal/sandbox";
const GRAPH: &str = "https://graph.facebook.com";

async fn credentials(connection: &Connection) -> Result<Credentials> {
    connection.credentials(&Sealer::from_settings().await?)
}

/// The address of a provider.
async fn base_url(variable: &'static str, sandbox: &str, real: &str) -> String {
    match settings::get(variable).await {
        Some(url) => url,
        None if settings::sandbox().await => format!("{SANDBOX}/{sandbox}"),
        None => real.to_string(),
    }
}

/// A deployment's app secret; one app may serve several channels.
async fn app_secret(own: &'static str) -> Option<String> {
    match settings::get(own).await {
        Some(secret) => Some(secret),
        None => settings::get("meta_app_secret").await,
    }
}

/// WhatsApp, Messenger and Instagram; `None` when there is no access token.
pub async fn graph(connection: &Connection) -> Result<Option<graph::Sender>> {
    let own = credentials(connection).await?;
    let (address, config) = (&connection.address, &connection.config);
    let by_instagram = config.login == Some(InstagramLogin::Instagram);
    let (base_url, token, secret, node) = match address.channel.as_str() {
        "whatsapp" => (
            base_url("whatsapp_base_url", "whatsapp", GRAPH).await,
            settings::get("whatsapp_access_token").await,
            app_secret("whatsapp_app_secret").await,
            address.external_id.clone(),
        ),
        "messenger" => (
            base_url("messenger_base_url", "messenger", GRAPH).await,
            settings::get("messenger_access_token").await,
            app_secret("meta_app_secret").await,
            address.external_id.clone(),
        ),
        "instagram" => {
            let real = if by_instagram { "https://graph.instagram.com" } else { GRAPH };
            // Through a Page its id stands in the URL; a Page's token also knows its Page as `me`.
            let page = || config.page_id.clone().unwrap_or_else(|| "me".into());
            (
                base_url("instagram_base_url", "instagram", real).await,
                settings::get("instagram_access_token").await,
                app_secret("instagram_app_secret").await,
                if by_instagram { address.external_id.clone() } else { page() },
            )
        }
        _ => return Ok(None),
    };
    let Some(access_token) = own.access_token().map(str::to_string).or(token) else { return Ok(None) };
    Ok(Some(graph::Sender {
        base_url,
        api_version: settings::get("whatsapp_api_version").await.unwrap_or_else(|| "v25.0".into()),
        node,
        access_token,
        app_secret: own.app_secret().map(str::to_string).or(secret),
    }))
}

/// Reads of a business account that no inbox stands for yet: with the deployment's token.
pub async fn whatsapp_of_deployment() -> Result<Option<graph::Sender>> {
    let Some(access_token) = settings::get("whatsapp_access_token").await else { return Ok(None) };
    Ok(Some(graph::Sender {
        base_url: base_url("whatsapp_base_url", "whatsapp", GRAPH).await,
        api_version: settings::get("whatsapp_api_version").await.unwrap_or_else(|| "v25.0".into()),
        node: "me".into(),
        access_token,
        app_secret: app_secret("whatsapp_app_secret").await,
    }))
}

/// Whether the sandbox stands in for WhatsApp.
pub async fn whatsapp_is_sandbox() -> bool {
    base_url("whatsapp_base_url", "whatsapp", GRAPH).await.starts_with(SANDBOX)
}

/// Twilio; `message` is the id that its status callbacks are to carry.
pub async fn twilio(connection: &Connection, message: &str) -> Result<Option<twilio::Sender>> {
    let Credentials::Twilio { account_sid, auth_token, api_key_sid, api_key_secret } =
        credentials(connection).await?
    else {
        return Ok(None);
    };
    let (user, secret) = match (api_key_sid, api_key_secret) {
        (Some(sid), Some(secret)) => (sid, secret),
        _ => (account_sid.clone(), auth_token),
    };
    let callback = format!("{}/channels/twilio/{}/status", public_url().await, connection.address.id);
    Ok(Some(twilio::Sender {
        base_url: base_url("twilio_base_url", "twilio", "https://api.twilio.com").await,
        account_sid,
        user,
        secret,
        from: twilio::From::parse(&connection.address.external_id),
        status_callback: Some(format!("{callback}?message={message}")),
    }))
}

/// A generic SMS gateway.
pub async fn gateway(connection: &Connection) -> Result<Option<gateway::Sender>> {
    let Credentials::Gateway { settings, callback_secret } = credentials(connection).await? else {
        return Ok(None);
    };
    // serde's words could quote a secret.
    let Ok(settings) = serde_json::from_value(settings) else { return Ok(None) };
    let path = format!("/channels/sms/{}/{callback_secret}/report", connection.address.id);
    Ok(Some(gateway::Sender {
        settings,
        from: connection.address.external_id.clone(),
        callback_url: Some(format!("{}{path}", public_url().await)),
    }))
}

async fn public_url() -> String {
    settings::get("public_url").await.unwrap_or_default().trim_end_matches('/').to_string()
}
