//! The app under test.

use crate::client::Client;
use crate::process::Process;
use std::sync::OnceLock;

/// Secrets of the servers that tests start.
const PLATFORM_TOKEN: &str = "platform-token-of-the-tests";
const TICK_TOKEN: &str = "tick-token-of-the-tests";
const JWT_SECRET: &str = "jwt-secret-of-the-tests-with-more-than-32-bytes";
const WHATSAPP_APP_SECRET: &str = "whatsapp-app-secret-of-the-tests";
const WHATSAPP_VERIFY_TOKEN: &str = "whatsapp-verify-token-of-the-tests";
const META_APP_SECRET: &str = "meta-app-secret-of-the-tests";
const META_APP_SECRET_PREVIOUS: &str = "previous-meta-app-secret-of-the-tests";
const INSTAGRAM_APP_SECRET: &str = "instagram-app-secret-of-the-tests";
const META_VERIFY_TOKEN: &str = "meta-verify-token-of-the-tests";
/// Where providers are told that the server is: the default of `spin.toml`.
const PUBLIC_URL: &str = "http://127.0.0.1:3000";
/// Base64 of 32 bytes.
pub const ENCRYPTION_KEY: &str = "dGVzdHMgZW5jcnlwdGlvbiBrZXksIDMyIGJ5dGVzISE=";

/// A server and what the tests know of its secrets.
pub struct App {
    /// Without a trailing slash.
    pub base: String,
    pub platform_token: String,
    pub tick_token: Option<String>,
    pub jwt_secret: Option<String>,
    pub whatsapp_app_secret: Option<String>,
    pub whatsapp_verify_token: Option<String>,
    pub meta_app_secret: Option<String>,
    pub meta_app_secret_previous: Option<String>,
    pub instagram_app_secret: Option<String>,
    pub meta_verify_token: Option<String>,
    /// Where providers are told that it is: part of Twilio's signature.
    pub public_url: String,
    /// Set when the tests started the server.
    pub process: Option<Process>,
}

impl App {
    /// The server that the tests of this binary share; started with the first use.
    pub fn shared() -> &'static App {
        static SHARED: OnceLock<App> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("FLOWNALLY_BASE_URL") {
            Ok(base) => App::elsewhere(&base),
            Err(_) => App::start(&[], &statements(), &[]),
        })
    }

    /// A server of the test's own, to kill or to configure by `variables` (names as in `spin.toml`).
    /// `None`, said on stderr, when the suite runs against a server elsewhere.
    pub fn own(variables: &[(&str, &str)]) -> Option<App> {
        App::own_with(variables, &statements(), &[])
    }

    /// Like [`App::own`], with the shipped runtime configuration, which blocks private networks.
    pub fn own_guarded(variables: &[(&str, &str)]) -> Option<App> {
        let file = crate::process::repository().join("runtime-config.toml");
        let arguments = ["--runtime-config-file".to_string(), file.to_str()?.to_string()];
        App::own_with(variables, &statements(), &arguments)
    }

    /// Like [`App::own`], with SQLite driven as Spin does it: nothing may rely on the host's queue.
    pub fn own_blocking() -> Option<App> {
        App::own_with(&[], "blocking", &[])
    }

    fn own_with(variables: &[(&str, &str)], statements: &str, arguments: &[String]) -> Option<App> {
        if std::env::var_os("FLOWNALLY_BASE_URL").is_some() {
            eprintln!("FLOWNALLY_BASE_URL is set: a test that wants a server of its own does without");
            return None;
        }
        Some(App::start(variables, statements, arguments))
    }

    fn elsewhere(base: &str) -> App {
        let secret = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        App {
            base: base.trim_end_matches('/').to_string(),
            platform_token: secret("FLOWNALLY_PLATFORM_TOKEN")
                .expect("FLOWNALLY_BASE_URL needs FLOWNALLY_PLATFORM_TOKEN beside it"),
            tick_token: secret("FLOWNALLY_TICK_TOKEN"),
            jwt_secret: secret("FLOWNALLY_JWT_SECRET"),
            whatsapp_app_secret: secret("FLOWNALLY_WHATSAPP_APP_SECRET"),
            whatsapp_verify_token: secret("FLOWNALLY_WHATSAPP_VERIFY_TOKEN"),
            meta_app_secret: secret("FLOWNALLY_META_APP_SECRET"),
            meta_app_secret_previous: secret("FLOWNALLY_META_APP_SECRET_PREVIOUS"),
            instagram_app_secret: secret("FLOWNALLY_INSTAGRAM_APP_SECRET"),
            meta_verify_token: secret("FLOWNALLY_META_VERIFY_TOKEN"),
            public_url: secret("FLOWNALLY_PUBLIC_URL").unwrap_or_else(|| PUBLIC_URL.into()),
            process: None,
        }
    }

    fn start(variables: &[(&str, &str)], statements: &str, arguments: &[String]) -> App {
        let defaults = [
            ("platform_token", PLATFORM_TOKEN),
            ("tick_token", TICK_TOKEN),
            ("jwt_secret", JWT_SECRET),
            ("encryption_key", ENCRYPTION_KEY),
            ("whatsapp_app_secret", WHATSAPP_APP_SECRET),
            ("whatsapp_verify_token", WHATSAPP_VERIFY_TOKEN),
            ("meta_app_secret", META_APP_SECRET),
            ("meta_app_secret_previous", META_APP_SECRET_PREVIOUS),
            ("instagram_app_secret", INSTAGRAM_APP_SECRET),
            ("meta_verify_token", META_VERIFY_TOKEN),
            ("whatsapp_access_token", "whatsapp-access-token-of-the-tests"),
            ("sandbox", "on"),
        ];
        let variables: Vec<(String, String)> = defaults
            .iter()
            .chain(variables)
            .map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), (*value).to_string()))
            .collect();
        let process = Process::start(&variables, statements, arguments);
        App {
            base: process.base.clone(),
            platform_token: PLATFORM_TOKEN.into(),
            tick_token: Some(TICK_TOKEN.into()),
            jwt_secret: Some(JWT_SECRET.into()),
            whatsapp_app_secret: Some(WHATSAPP_APP_SECRET.into()),
            whatsapp_verify_token: Some(WHATSAPP_VERIFY_TOKEN.into()),
            meta_app_secret: Some(META_APP_SECRET.into()),
            meta_app_secret_previous: Some(META_APP_SECRET_PREVIOUS.into()),
            instagram_app_secret: Some(INSTAGRAM_APP_SECRET.into()),
            meta_verify_token: Some(META_VERIFY_TOKEN.into()),
            public_url: PUBLIC_URL.into(),
            process: Some(process),
        }
    }

    /// A client without a credential.
    pub fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// A client with the platform token.
    pub fn platform(&self) -> Client {
        self.client().with("api_access_token", &self.platform_token)
    }

    /// A client with the tick token; `None`, said on stderr, where it is not known.
    pub fn internal(&self) -> Option<Client> {
        Some(self.client().bearer(known("FLOWNALLY_TICK_TOKEN", self.tick_token.as_ref())?))
    }

    /// The server process; panics when the tests did not start it.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs elsewhere")
    }
}

/// How the servers of a run drive SQLite: `FLOWNALLY_STATEMENTS`, else the host's default.
fn statements() -> String {
    std::env::var("FLOWNALLY_STATEMENTS").unwrap_or_else(|_| "queued".into())
}

/// A secret, or a note on stderr about which variable would have enabled the test.
pub fn known<'a>(variable: &str, secret: Option<&'a String>) -> Option<&'a str> {
    if secret.is_none() {
        eprintln!("skipped: {variable} is not set");
    }
    secret.map(String::as_str)
}
