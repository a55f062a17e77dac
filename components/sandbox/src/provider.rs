//! The providers that the sandbox stands in for.

use common::{Problem, Result};

/// A provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(as = SandboxProvider)]
pub enum Provider {
    #[serde(rename = "whatsapp")]
    Whatsapp,
    #[serde(rename = "messenger")]
    Messenger,
    #[serde(rename = "instagram")]
    Instagram,
    #[serde(rename = "twilio")]
    Twilio,
    #[serde(rename = "sms-gateway")]
    Gateway,
}

pub const ALL: [Provider; 5] =
    [Provider::Whatsapp, Provider::Messenger, Provider::Instagram, Provider::Twilio, Provider::Gateway];

impl Provider {
    pub const fn as_str(self) -> &'static str {
        match self {
            Provider::Whatsapp => "whatsapp",
            Provider::Messenger => "messenger",
            Provider::Instagram => "instagram",
            Provider::Twilio => "twilio",
            Provider::Gateway => "sms-gateway",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        ALL.into_iter().find(|provider| provider.as_str() == text)
    }

    /// The provider that a path parameter names.
    ///
    /// # Errors
    /// 404 where it is none.
    pub fn of_path(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(Problem::route_not_found)
    }
}

/// The provider whose own paths this one is among. What lies beside them is control.
pub fn of_call(path: &str) -> Option<Provider> {
    let (provider, rest) = path.strip_prefix("/sandbox/")?.split_once('/')?;
    let provider = Provider::parse(provider)?;
    let own = match provider {
        Provider::Twilio => rest.starts_with("2010-04-01/"),
        Provider::Gateway => rest == "send",
        _ => {
            let version = rest.split('/').next().unwrap_or_default();
            version.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        }
    };
    own.then_some(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_paths_are_told_from_controls() {
        assert_eq!(of_call("/sandbox/whatsapp/v25.0/1/messages"), Some(Provider::Whatsapp));
        assert_eq!(of_call("/sandbox/instagram/v25.0/me/messages"), Some(Provider::Instagram));
        assert_eq!(of_call("/sandbox/twilio/2010-04-01/Accounts/AC1/Messages.json"), Some(Provider::Twilio));
        assert_eq!(of_call("/sandbox/sms-gateway/send"), Some(Provider::Gateway));
        for path in
            ["/sandbox/whatsapp/inbound", "/sandbox/clock", "/sandbox/x/v1.0/a", "/sandbox/whatsapp/1/sends"]
        {
            assert_eq!(of_call(path), None, "{path}");
        }
    }
}
