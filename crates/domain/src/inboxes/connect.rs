//! Connecting senders: exactly one channel a request, one inbox for each sender named, all of them or none.

use super::credentials::check_secret;
use super::{
    COLUMNS, Credentials, INBOXES_MAX, Inbox, InboxConfig, InboxSecrets, InstagramLogin, SmsProvider,
};
use crate::audit::{self, Action};
use crate::phone;
use common::auth::Principal;
use common::crypto::Sealer;
use common::db::{Db, Error as DbError};
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, id, params};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Most senders connected by one request.
pub const SENDERS_MAX: usize = 50;
/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Characters of a live-chat identifier: 96 random bits.
const IDENTIFIER_CHARS: usize = 24;

/// Exactly one channel a request.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateInboxRequest {
    #[serde(default)]
    pub whatsapp: Option<ConnectWhatsApp>,
    #[serde(default)]
    pub messenger: Option<ConnectMessenger>,
    #[serde(default)]
    pub instagram: Option<ConnectInstagram>,
    #[serde(default)]
    pub text: Option<ConnectText>,
    #[serde(default)]
    pub sms: Option<ConnectSms>,
    /// What people call it; absent: the channel and the sender. With several senders the sender is added.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub name: Option<String>,
}

/// Numbers of a WhatsApp business account; each becomes an inbox.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectWhatsApp {
    /// The business account, one id.
    #[schema(min_items = 1, max_items = 1)]
    pub resource_ids: Vec<String>,
    /// The phone number ids, at most 50.
    #[schema(min_items = 1, max_items = 50)]
    pub phone_number_ids: Vec<String>,
    /// Of a system user; absent: that of the deployment. Kept sealed, never shown.
    #[serde(default)]
    pub access_token: Option<String>,
    /// Of the app that the token belongs to, where it is not the deployment's. Kept sealed, never shown.
    #[serde(default)]
    pub app_secret: Option<String>,
}

/// Facebook Pages; each becomes an inbox.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectMessenger {
    /// The Page ids, at most 50.
    #[schema(min_items = 1, max_items = 50)]
    pub resource_ids: Vec<String>,
    /// The Page's access token, with one Page only; absent: that of the deployment. Kept sealed, never shown.
    #[serde(default)]
    pub access_token: Option<String>,
    /// Of the app that the token belongs to, where it is not the deployment's. Kept sealed, never shown.
    #[serde(default)]
    pub app_secret: Option<String>,
}

/// Instagram professional accounts; each becomes an inbox.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectInstagram {
    /// The account ids, at most 50.
    #[schema(min_items = 1, max_items = 50)]
    pub resource_ids: Vec<String>,
    /// The Page that the account is linked to, with one account only.
    #[serde(default)]
    pub page_id: Option<String>,
    /// The account's access token, with one account only; absent: that of the deployment. Kept sealed, never shown.
    #[serde(default)]
    pub access_token: Option<String>,
    /// Of the app that the token belongs to, where it is not the deployment's. Kept sealed, never shown.
    #[serde(default)]
    pub app_secret: Option<String>,
    /// How the token was made; absent: `page`.
    #[serde(default)]
    pub login: Option<InstagramLogin>,
}

/// A live chat. Its identifier is made here; customers write through the Client API under `/public/api/v1`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectText {
    #[schema(min_length = 1, max_length = 200, example = "Website chat")]
    pub name: String,
    /// Whether customers must prove who they are by `identifier_hash`.
    #[serde(default)]
    pub hmac_mandatory: bool,
}

/// Senders of text messages; each becomes an inbox.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectSms {
    pub provider: SmsProvider,
    /// Numbers in E.164 with `+`, short codes or sender names, at most 50. Twilio: or `messagingServiceSid`.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub from: Vec<String>,
    /// Twilio: `MG` and 32 hexadecimal digits.
    #[serde(default)]
    pub messaging_service_sid: Option<String>,
    /// Twilio: `AC` and 32 hexadecimal digits. Kept sealed, never shown.
    #[serde(default)]
    pub account_sid: Option<String>,
    /// Twilio: also checks its callbacks. Kept sealed, never shown.
    #[serde(default)]
    pub auth_token: Option<String>,
    /// Twilio: signs requests instead of the auth token. Kept sealed, never shown.
    #[serde(default)]
    pub api_key_sid: Option<String>,
    /// Twilio: needed with `apiKeySid`. Kept sealed, never shown.
    #[serde(default)]
    pub api_key_secret: Option<String>,
    /// Gateway: how to talk to it. Kept sealed, never shown.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub gateway: Option<Value>,
}

/// One inbox to be made.
struct Sender<'a> {
    channel: &'static str,
    external_id: String,
    account_id: Option<&'a str>,
    config: InboxConfig,
    /// `None`: the deployment's variables say everything.
    credentials: Option<Credentials>,
    /// Live chat: shown once.
    secrets: Option<InboxSecrets>,
}

impl CreateInboxRequest {
    /// What is to be made, or all fields that break a rule.
    fn senders(&self) -> Result<Vec<Sender<'_>>> {
        let kinds = [
            self.whatsapp.is_some(),
            self.messenger.is_some(),
            self.instagram.is_some(),
            self.text.is_some(),
            self.sms.is_some(),
        ];
        if kinds.into_iter().filter(|given| *given).count() != 1 {
            let rule = "must name exactly one channel: whatsapp, messenger, instagram, text or sms";
            return Err(Problem::invalid("body", rule));
        }
        let mut violations = Violations::new();
        if let Some(name) = &self.name {
            violations.text("name", name, NAME_CHARS);
        }
        let mut senders = Vec::new();
        if let Some(whatsapp) = &self.whatsapp {
            senders = whatsapp.senders(&mut violations);
        }
        if let Some(messenger) = &self.messenger {
            senders = messenger.senders(&mut violations);
        }
        if let Some(instagram) = &self.instagram {
            senders = instagram.senders(&mut violations);
        }
        if let Some(text) = &self.text {
            violations.text("text.name", &text.name, NAME_CHARS);
            senders.push(text.sender());
        }
        if let Some(sms) = &self.sms {
            senders = sms.senders(&mut violations);
        }
        violations.finish()?;
        Ok(senders)
    }

    fn name(&self, sender: &Sender<'_>, is_only: bool) -> String {
        let given = self.name.as_deref().or(self.text.as_ref().map(|text| text.name.as_str())).map(str::trim);
        match given {
            Some(name) if is_only => name.to_string(),
            Some(name) => format!("{name} {}", sender.external_id),
            None => format!("{} {}", channel_name(sender.channel), sender.external_id),
        }
    }
}

fn channel_name(channel: &str) -> &'static str {
    match channel {
        "whatsapp" => "WhatsApp",
        "messenger" => "Messenger",
        "instagram" => "Instagram",
        "sms" => "SMS",
        _ => "Live chat",
    }
}

/// Graph ids are digits, as far as anybody has seen; what is none is a mix-up with a number or a name.
fn is_graph_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A list of ids without repetitions.
fn check_ids(violations: &mut Violations, field: &str, ids: &[String], what: &str) {
    violations.check(!ids.is_empty(), field, "must not be empty");
    violations.check(ids.len() <= SENDERS_MAX, field, "must hold at most 50 ids");
    for (at, id) in ids.iter().enumerate().take(SENDERS_MAX) {
        let field = format!("{field}[{at}]");
        violations.check(is_graph_id(id), &field, &format!("must be {what}: 1 to 32 digits"));
        let twice = ids.iter().take(at).any(|before| before == id);
        violations.check(!twice, &field, "must not be named twice");
    }
}

/// Token and app secret of a Meta channel, where given.
fn meta(
    violations: &mut Violations,
    channel: &str,
    access_token: Option<&String>,
    app_secret: Option<&String>,
) -> Option<Credentials> {
    for (name, secret) in [("accessToken", access_token), ("appSecret", app_secret)] {
        if let Some(secret) = secret {
            check_secret(violations, &format!("{channel}.{name}"), secret);
        }
    }
    (access_token.is_some() || app_secret.is_some())
        .then(|| Credentials::Meta { access_token: access_token.cloned(), app_secret: app_secret.cloned() })
}

impl ConnectWhatsApp {
    fn senders(&self, violations: &mut Violations) -> Vec<Sender<'_>> {
        check_ids(violations, "whatsapp.phoneNumberIds", &self.phone_number_ids, "a phone number id");
        let one = self.resource_ids.len() == 1;
        violations.check(one, "whatsapp.resourceIds", "must hold the id of one business account");
        for (at, account) in self.resource_ids.iter().enumerate().take(1) {
            let field = format!("whatsapp.resourceIds[{at}]");
            violations.check(is_graph_id(account), &field, "must be a business account id: 1 to 32 digits");
        }
        let credentials = meta(violations, "whatsapp", self.access_token.as_ref(), self.app_secret.as_ref());
        let sender = |number: &String| Sender {
            channel: "whatsapp",
            external_id: number.clone(),
            account_id: self.resource_ids.first().map(String::as_str),
            config: InboxConfig { phone_number_id: Some(number.clone()), ..InboxConfig::default() },
            credentials: credentials.clone(),
            secrets: None,
        };
        self.phone_number_ids.iter().map(sender).collect()
    }
}

impl ConnectMessenger {
    fn senders(&self, violations: &mut Violations) -> Vec<Sender<'_>> {
        check_ids(violations, "messenger.resourceIds", &self.resource_ids, "a Page id");
        let fits = self.access_token.is_none() || self.resource_ids.len() <= 1;
        violations.check(
            fits,
            "messenger.accessToken",
            "belongs to one Page: connect each Page with its own",
        );
        let credentials = meta(violations, "messenger", self.access_token.as_ref(), self.app_secret.as_ref());
        let sender = |page: &String| Sender {
            channel: "messenger",
            external_id: page.clone(),
            account_id: None,
            config: InboxConfig { page_id: Some(page.clone()), ..InboxConfig::default() },
            credentials: credentials.clone(),
            secrets: None,
        };
        self.resource_ids.iter().map(sender).collect()
    }
}

impl ConnectInstagram {
    fn senders(&self, violations: &mut Violations) -> Vec<Sender<'_>> {
        check_ids(violations, "instagram.resourceIds", &self.resource_ids, "an Instagram account id");
        let several = self.resource_ids.len() > 1;
        let rule = "belongs to one account: connect each account with its own";
        violations.check(self.access_token.is_none() || !several, "instagram.accessToken", rule);
        violations.check(self.page_id.is_none() || !several, "instagram.pageId", rule);
        let page_is_id = self.page_id.as_deref().is_none_or(is_graph_id);
        violations.check(page_is_id, "instagram.pageId", "must be a Page id: 1 to 32 digits");
        let credentials = meta(violations, "instagram", self.access_token.as_ref(), self.app_secret.as_ref());
        let sender = |account: &String| Sender {
            channel: "instagram",
            external_id: account.clone(),
            account_id: None,
            config: InboxConfig {
                account_id: Some(account.clone()),
                page_id: self.page_id.clone(),
                login: self.login,
                ..InboxConfig::default()
            },
            credentials: credentials.clone(),
            secrets: None,
        };
        self.resource_ids.iter().map(sender).collect()
    }
}

impl ConnectText {
    fn sender(&self) -> Sender<'_> {
        let hmac_token = id::secret();
        Sender {
            channel: "text",
            external_id: id::hex_secret().chars().take(IDENTIFIER_CHARS).collect(),
            account_id: None,
            config: InboxConfig { hmac_mandatory: self.hmac_mandatory, ..InboxConfig::default() },
            credentials: Some(Credentials::Text { hmac_token: hmac_token.clone() }),
            secrets: Some(InboxSecrets { hmac_token: Some(hmac_token), ..InboxSecrets::default() }),
        }
    }
}

impl ConnectSms {
    fn senders(&self, violations: &mut Violations) -> Vec<Sender<'_>> {
        let credentials = match self.provider {
            SmsProvider::Twilio => self.twilio(violations),
            SmsProvider::Gateway => self.gateway(violations),
        };
        violations.check(self.from.len() <= SENDERS_MAX, "sms.from", "must hold at most 50 senders");
        let mut senders = Vec::new();
        for (at, from) in self.from.iter().enumerate().take(SENDERS_MAX) {
            let Some(from) = sms_sender(from) else {
                let rule = "must be a number in E.164 with +, a short code, or a name of up to 11 letters and digits";
                violations.add(format!("sms.from[{at}]"), rule);
                continue;
            };
            let config = InboxConfig { from: Some(from.clone()), ..InboxConfig::default() };
            senders.push((from, config));
        }
        if let Some(sid) = &self.messaging_service_sid {
            let config = InboxConfig { messaging_service_sid: Some(sid.clone()), ..InboxConfig::default() };
            senders.push((sid.clone(), config));
        }
        for (at, (sender, _)) in senders.iter().enumerate() {
            let twice = senders.iter().take(at).any(|(before, _)| before == sender);
            violations.check(!twice, &format!("sms.from[{at}]"), "must not be named twice");
        }
        senders
            .into_iter()
            .map(|(external_id, config)| Sender {
                channel: "sms",
                external_id,
                account_id: None,
                config: InboxConfig { provider: Some(self.provider), ..config },
                credentials: credentials.clone(),
                secrets: None,
            })
            .collect()
    }

    fn twilio(&self, violations: &mut Violations) -> Option<Credentials> {
        let one_way = self.from.is_empty() == self.messaging_service_sid.is_some();
        violations.check(one_way, "sms.from", "must be given, or messagingServiceSid instead");
        violations.check(self.gateway.is_none(), "sms.gateway", "belongs to the provider gateway");
        let is_sid = |text: &Option<String>, prefix| text.as_deref().is_some_and(|text| is_sid(text, prefix));
        violations.check(
            is_sid(&self.account_sid, "AC"),
            "sms.accountSid",
            "must be AC and 32 hexadecimal digits",
        );
        if self.messaging_service_sid.is_some() {
            let fine = is_sid(&self.messaging_service_sid, "MG");
            violations.check(fine, "sms.messagingServiceSid", "must be MG and 32 hexadecimal digits");
        }
        match &self.auth_token {
            Some(token) => check_secret(violations, "sms.authToken", token),
            None => violations.add("sms.authToken", "must be given: it checks Twilio's callbacks"),
        }
        if self.api_key_sid.is_some() {
            let fine = is_sid(&self.api_key_sid, "SK");
            violations.check(fine, "sms.apiKeySid", "must be SK and 32 hexadecimal digits");
        }
        let pair = self.api_key_sid.is_some() == self.api_key_secret.is_some();
        violations.check(pair, "sms.apiKeySecret", "must be given with apiKeySid, and only with it");
        if let Some(secret) = &self.api_key_secret {
            check_secret(violations, "sms.apiKeySecret", secret);
        }
        Some(Credentials::Twilio {
            account_sid: self.account_sid.clone()?,
            auth_token: self.auth_token.clone()?,
            api_key_sid: self.api_key_sid.clone(),
            api_key_secret: self.api_key_secret.clone(),
        })
    }

    fn gateway(&self, violations: &mut Violations) -> Option<Credentials> {
        violations.check(!self.from.is_empty(), "sms.from", "must not be empty");
        let foreign = [
            ("sms.messagingServiceSid", &self.messaging_service_sid),
            ("sms.accountSid", &self.account_sid),
            ("sms.authToken", &self.auth_token),
            ("sms.apiKeySid", &self.api_key_sid),
            ("sms.apiKeySecret", &self.api_key_secret),
        ];
        for (field, value) in foreign {
            violations.check(value.is_none(), field, "belongs to the provider twilio");
        }
        check_gateway(violations, "sms.gateway", self.gateway.as_ref());
        Some(Credentials::Gateway { settings: self.gateway.clone()?, callback_secret: id::secret() })
    }
}

pub(super) fn check_gateway(violations: &mut Violations, field: &str, settings: Option<&Value>) {
    if !settings.is_some_and(Value::is_object) {
        violations.add(field, "must be given: how to talk to the gateway");
    }
}

pub(super) fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A sender as gateways know it: `+` and digits, a short code, or a name with a letter in it.
fn sms_sender(text: &str) -> Option<String> {
    let text = text.trim();
    if text.starts_with('+') {
        return phone::e164_digits(text).map(|digits| format!("+{digits}"));
    }
    let is_code = (3..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = (1..=11).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    (is_code || is_name).then(|| text.to_string())
}

/// Connects senders; all of them or none. A sender belongs to one tenant, since callbacks name only it.
pub fn create(
    db: &Db<'_>,
    caller: &Principal,
    sealer: &Sealer,
    request: &CreateInboxRequest,
) -> Result<Vec<Inbox>> {
    let senders = request.senders()?;
    let count = db.row::<(i64,)>(
        "SELECT count(*) FROM inboxes WHERE tenant_id = ? AND deleted_at IS NULL",
        params![caller.tenant],
    )?;
    let wanted = i64::try_from(senders.len()).unwrap_or(i64::MAX);
    if count.is_some_and(|(count,)| count.saturating_add(wanted) > INBOXES_MAX) {
        return Err(Problem::conflict(
            "inbox_limit_reached",
            format!("A tenant can have {INBOXES_MAX} inboxes: delete those you do not need."),
        ));
    }
    let is_only = senders.len() == 1;
    let mut made = Vec::with_capacity(senders.len());
    for sender in senders {
        let name = request.name(&sender, is_only);
        let mut inbox = insert(db, caller, sealer, &sender, &name)?;
        audit::record(db, &caller.tenant, caller, Action::InboxConnected, &inbox.id, inbox.summary())?;
        inbox.secrets = sender.secrets;
        made.push(inbox);
    }
    Ok(made)
}

fn insert(
    db: &Db<'_>,
    caller: &Principal,
    sealer: &Sealer,
    sender: &Sender<'_>,
    name: &str,
) -> Result<Inbox> {
    let now = Timestamp::now();
    let id = id::new(id::Kind::Inbox);
    let sealed = sender.credentials.as_ref().map(|own| own.seal(sealer, &id)).transpose()?;
    let config =
        serde_json::to_string(&sender.config).map_err(|error| Problem::internal(error.to_string()))?;
    let sql = format!(
        "INSERT INTO inboxes (id, tenant_id, channel, external_id, account_id, name, config, credentials, created_by,
                              created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING {COLUMNS}"
    );
    let values = params![
        id,
        caller.tenant,
        sender.channel,
        sender.external_id,
        sender.account_id,
        name,
        config,
        sealed,
        caller.actor.id(),
        now,
        now
    ];
    match db.row::<Inbox>(&sql, values) {
        Ok(inbox) => inbox.ok_or_else(|| Problem::internal("a new inbox was not returned")),
        Err(DbError::Unique(_)) => Err(Problem::conflict(
            "inbox_already_connected",
            format!("{} is connected already. Disconnect it there first.", sender.external_id),
        )),
        Err(other) => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(request: Value) -> Vec<String> {
        let request: CreateInboxRequest = serde_json::from_value(request).unwrap();
        match request.senders() {
            Ok(_) => Vec::new(),
            Err(problem) => problem.errors.into_iter().map(|error| error.field).collect(),
        }
    }

    #[test]
    fn each_field_has_its_rule() {
        let sid = |prefix: &str| format!("{prefix}{}", "0a".repeat(16));
        let twilio = |more: Value| {
            let mut sms = json!({"provider": "twilio", "accountSid": sid("AC"), "authToken": "t"});
            sms.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            wrong(json!({"sms": sms}))
        };
        assert_eq!(twilio(json!({"from": ["+12025550100", "12345", "EXAMPLE"]})), Vec::<String>::new());
        assert_eq!(twilio(json!({"messagingServiceSid": sid("MG")})), Vec::<String>::new());
        assert_eq!(twilio(json!({})), ["sms.from"]);
        assert_eq!(twilio(json!({"from": ["12025550100"]})), ["sms.from[0]"]);
        assert_eq!(twilio(json!({"from": ["+12025550100", "+1 202 555 0100"]})), ["sms.from[1]"]);
        assert_eq!(twilio(json!({"from": ["X"], "apiKeySid": sid("SK")})), ["sms.apiKeySecret"]);
        assert_eq!(twilio(json!({"from": ["X"], "accountSid": "AC1"})), ["sms.accountSid"]);
        assert_eq!(twilio(json!({"from": ["X"], "authToken": "a b"})), ["sms.authToken"]);
        assert_eq!(twilio(json!({"from": ["X"], "gateway": {}})), ["sms.gateway"]);
        assert_eq!(wrong(json!({"sms": {"provider": "gateway"}})), ["sms.from", "sms.gateway"]);
        assert_eq!(
            wrong(json!({"messenger": {"resourceIds": ["1", "2"], "accessToken": "t"}})),
            ["messenger.accessToken"]
        );
        assert_eq!(wrong(json!({"instagram": {"resourceIds": ["1"], "pageId": "me"}})), ["instagram.pageId"]);
        assert_eq!(wrong(json!({"text": {"name": " "}})), ["text.name"]);
        assert_eq!(wrong(json!({"text": {"name": "x"}, "sms": {"provider": "gateway"}})), ["body"]);
        assert_eq!(wrong(json!({"name": "", "text": {"name": "x"}})), ["name"]);
    }
}
