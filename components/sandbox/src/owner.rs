//! Whose a call is: the account in its path or, where that names something wider, in its body.

use crate::provider::Provider;
use crate::{gateway, messenger};
use http::HeaderMap;

/// The accounts that a call is of, the narrowest first: a Meta channel's number, Page or account; at Twilio the sender or
/// service, then the account SID; at the gateway the sender.
pub fn of(provider: Provider, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    let segment = |n: usize| path.split('/').nth(n).map(str::to_string).filter(|text| !text.is_empty());
    match provider {
        Provider::Whatsapp => segment(4).into_iter().collect(),
        Provider::Messenger | Provider::Instagram => {
            let named = segment(4).and_then(|node| messenger::send::account(&node, headers, query).ok());
            named.into_iter().collect()
        }
        Provider::Twilio => {
            let field = |wanted: &str| {
                let mut fields = form_urlencoded::parse(body);
                fields.find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value)
            };
            let sender = field("MessagingServiceSid").or_else(|| field("From"));
            let sid = segment(5).map(|sid| sid.trim_end_matches(".json").to_string());
            sender.map(String::from).into_iter().chain(sid).collect()
        }
        Provider::Gateway => gateway::send::fields(body, query).remove("from").into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_of_whom_they_name() {
        let of = |provider, path: &str, query: &str, body: &str| {
            super::of(provider, path, query, &HeaderMap::new(), body.as_bytes()).join(" ")
        };
        assert_eq!(of(Provider::Whatsapp, "/sandbox/whatsapp/v25.0/31/messages", "", "{}"), "31");
        assert_eq!(of(Provider::Whatsapp, "/sandbox/whatsapp/v25.0", "", ""), "");
        assert_eq!(of(Provider::Messenger, "/sandbox/messenger/v25.0/10/messages", "", "{}"), "10");
        let me = "access_token=sandbox-108";
        assert_eq!(of(Provider::Instagram, "/sandbox/instagram/v25.0/me/messages", me, "{}"), "108");
        let messages = "/sandbox/twilio/2010-04-01/Accounts/AC1/Messages.json";
        assert_eq!(of(Provider::Twilio, messages, "", "To=%2B1&From=%2B2"), "+2 AC1");
        assert_eq!(of(Provider::Twilio, messages, "", "From=%2B2&MessagingServiceSid=MG1"), "MG1 AC1");
        assert_eq!(of(Provider::Twilio, "/sandbox/twilio/2010-04-01/Accounts/AC1.json", "", ""), "AC1");
        assert_eq!(of(Provider::Gateway, "/sandbox/sms-gateway/send", "", r#"{"from": "SHOP"}"#), "SHOP");
        assert_eq!(of(Provider::Gateway, "/sandbox/sms-gateway/send", "from=SHOP", ""), "SHOP");
    }
}
