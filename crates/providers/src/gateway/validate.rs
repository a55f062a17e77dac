//! What is wrong with settings.

use super::path;
use super::settings::{Auth, CallbackAuth, Encoding, Method, Settings};
use http::HeaderName;
use url::Url;

/// Most entries of a map.
const ENTRIES: usize = 100;
/// Headers that belong to the transport.
const TRANSPORT: &[&str] = &[
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
];

impl Settings {
    /// What is wrong with the settings: the field and what it must be. The address itself is checked where every
    /// address of a tenant is.
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, field: &str, must: &str| {
            if !ok {
                faults.push((field.to_string(), must.to_string()));
            }
        };
        let url = Url::parse(&self.url).ok();
        check(
            url.as_ref().is_some_and(|url| {
                matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty()
            }) && self.url.len() <= 2000,
            "url",
            "must be an http or https URL without user and password",
        );
        // Whoever gives the value of a placeholder would choose the host, which has been checked without it.
        let is_open = url.as_ref().and_then(Url::host_str).is_some_and(|host| host.contains(['{', '}']));
        check(!is_open, "url", "must not hold a placeholder in its host");
        check(
            self.method != Method::Get || self.encoding == Encoding::Query,
            "encoding",
            "must be query with the method GET",
        );
        let names = &self.fields;
        check(
            !names.to.is_empty() || self.url.contains("{to}"),
            "fields.to",
            "must be set, or {to} be in the URL",
        );
        check(!names.text.is_empty(), "fields.text", "must be set");
        for (name, field) in [
            (&names.client_ref, "fields.clientRef"),
            (&names.to, "fields.to"),
            (&names.from, "fields.from"),
            (&names.text, "fields.text"),
            (&names.encoding, "fields.encoding"),
            (&names.validity_seconds, "fields.validitySeconds"),
            (&names.callback_url, "fields.callbackUrl"),
        ] {
            let nested = path::is_nested(name);
            check(
                !nested || self.encoding == Encoding::Json,
                field,
                "can be a path with the encoding json only",
            );
            check(
                name.len() <= 100 && (!nested || path::is_valid(name)),
                field,
                "must be a name or a JSON pointer",
            );
        }
        let keys = self.constants.keys();
        check(
            self.constants.len() <= ENTRIES
                && keys
                    .into_iter()
                    .all(|name| !name.is_empty() && (!path::is_nested(name) || path::is_valid(name))),
            "constants",
            "must be at most 100 fields with names or JSON pointers",
        );
        check((1..=604_800).contains(&self.validity_seconds), "validitySeconds", "must be 1 to 604800");
        check(self.tps.is_none_or(|tps| (1..=10_000).contains(&tps)), "tps", "must be 1 to 10000");
        check(self.states.len() <= ENTRIES, "states", "must be at most 100 entries");
        check(self.errors.len() <= ENTRIES, "errors", "must be at most 100 entries");

        let answer = &self.answer;
        check(
            (200..=599).contains(&answer.success.0) && (answer.success.0..=599).contains(&answer.success.1),
            "answer.success",
            "must be the first and the last HTTP status of a success",
        );
        check(
            answer.success_path.is_none() || !answer.success_values.is_empty(),
            "answer.successValues",
            "must be set with successPath",
        );
        let (report, inbound) = (&self.report, &self.inbound);
        let paths = [
            ("answer.id", Some(&answer.id)),
            ("answer.successPath", answer.success_path.as_ref()),
            ("answer.state", answer.state.as_ref()),
            ("answer.errorCode", answer.error_code.as_ref()),
            ("answer.errorText", answer.error_text.as_ref()),
            ("report.list", report.list.as_ref()),
            ("report.providerId", Some(&report.provider_id)),
            ("report.clientRef", Some(&report.client_ref)),
            ("report.state", Some(&report.state)),
            ("report.error", Some(&report.error)),
            ("report.doneAt", Some(&report.done_at)),
            ("inbound.list", inbound.list.as_ref()),
            ("inbound.providerId", Some(&inbound.provider_id)),
            ("inbound.from", Some(&inbound.from)),
            ("inbound.to", Some(&inbound.to)),
            ("inbound.text", Some(&inbound.text)),
            ("inbound.receivedAt", Some(&inbound.received_at)),
            ("inbound.media", Some(&inbound.media)),
        ];
        for (field, value) in paths {
            check(
                value.is_none_or(|value| path::is_valid(value)),
                field,
                "must be a path such as messages.0.id",
            );
        }
        self.check_secrets(&mut check);
        faults
    }

    fn check_secrets(&self, check: &mut impl FnMut(bool, &str, &str)) {
        let printable = |text: &str| {
            !text.is_empty() && text.len() <= 4000 && text.bytes().all(|b| (0x20..0x7f).contains(&b))
        };
        let is_header = |name: &str| {
            name.parse::<HeaderName>().is_ok() && !TRANSPORT.contains(&name.to_ascii_lowercase().as_str())
        };
        match &self.auth {
            Auth::None => {}
            Auth::Basic { user, .. } => check(!user.is_empty(), "auth.user", "must be set"),
            Auth::Bearer { token } => check(printable(token), "auth.token", "must be printable characters"),
            Auth::Header { name, value } => {
                check(is_header(name), "auth.name", "must be the name of a header");
                check(printable(value), "auth.value", "must be printable characters");
            }
            Auth::Query { name, value } => {
                check(printable(name), "auth.name", "must be set");
                check(!value.is_empty(), "auth.value", "must be set");
            }
        }
        match &self.callback_auth {
            CallbackAuth::Path => {}
            CallbackAuth::Header { name, value } => {
                check(is_header(name), "callbackAuth.name", "must be the name of a header");
                check(printable(value), "callbackAuth.value", "must be printable characters");
            }
            CallbackAuth::Hmac { name, secret, .. } => {
                check(is_header(name), "callbackAuth.name", "must be the name of a header");
                check(!secret.is_empty(), "callbackAuth.secret", "must be set");
            }
        }
    }
}
