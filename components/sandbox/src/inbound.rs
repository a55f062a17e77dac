//! `POST /sandbox/{provider}/inbound`: playing the customer. One friendly form for all providers becomes a callback
//! in the provider's own, signed and delivered before the answer.

use crate::control::Delivery;
use crate::delivery;
use crate::json::Node;
use crate::provider::Provider;
use crate::store::callbacks::Planned;
use crate::store::people::{self, Known};
use crate::store::{accounts, media::Media};
use crate::target::Target;
use crate::{files, gateway, messenger, samples, seed, target, twilio, whatsapp};
use axum::Json as Answer;
use axum::extract::Path;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::input::Json;
use common::problem::Violations;
use common::time::Timestamp;
use common::{Problem, Result, db};
use serde::{Deserialize, Serialize};

const ACCOUNT_CHARS: usize = 64;
const PERSON_CHARS: usize = 140;
const NAME_CHARS: usize = 255;
const TEXT_CHARS: usize = 10_000;
const ID_CHARS: usize = 256;
/// Most deliveries of one callback, and most events in one.
const TIMES_MAX: u32 = 100;
const EVENTS_MAX: usize = 1000;
/// Bytes of a request: a file may come along.
pub const BODY_BYTES: usize = 24 * 1024 * 1024;

pub const DESCRIPTION: &str = "\
Plays a customer who writes to one of the business's accounts: opens the messaging window, and delivers the callback in \
the provider's own form, signed, before it answers. `provider` is `whatsapp`, `messenger`, `instagram`, `twilio` or \
`sms-gateway`. A callback that is not answered with 200 is delivered again later (Meta only).

**Who and where.** `account` is the phone number id, Page id, Instagram account id, or the SMS number written to; `from` \
the customer: a phone number, a business-scoped user id (`US.…`, a person without a phone number), a PSID or an IGSID. \
`userId` and `username` add the ids of a WhatsApp person who has both. The callbacks of Meta channels go to the variable \
`sandbox_callback_url` and its siblings. For SMS name the receiver: `inboxId` stands for \
`/channels/twilio/{inboxId}` (signed with the auth token of `accountSid`: what it last called with, or what the Twilio \
paths tell of accounts that did not; else give `authToken`), or give the whole `url`; for the gateway give `url`, or \
`inboxId` and `secret`. A Twilio file is behind the account's credentials and redirects, as the provider's are.

**What.** Exactly one of `text`, `media`, `location`, `contacts`, `reply`, `reaction`, `edit`, `revoke`, `unsupported`, \
`order`, `system`, `postback`, `read`, `delivered`, `echo`, `status`, `templateStatus`, `raw`; with messages also \
`replyTo`, `forwarded`, `referral`, `story`. Not every provider has every kind: 422 names it. `media` without `id` or \
`url` is a file that the adapter can really download: the bytes of `data` (base64), or a small sample of its kind. \
Several things in one callback go into `events`; `separateChanges` puts each into a change (WhatsApp) of its own. For \
two equal messages at once give two equal `events`. `times` delivers the same callback so often, side by side. Local \
only: exists where the variable `sandbox` is `on`, and asks for no credential.";

pub const EXAMPLE: &str = r#"{
  "account": "310987654321001", "from": "+12025550147", "name": "Mira Okafor",
  "text": "Hello, is the blue one in stock?"
}"#;

pub const PLAYED: &str = r#"{
  "messageIds": ["wamid.HRgLMTIwMjU1NTAxNDcVAgARGBIzRkE4QzJGMDE5QjdFNUQxMjAA"], "deliveries": [{"status": 200}],
  "body": "{\"object\":\"whatsapp_business_account\",\"entry\":[]}"
}"#;

/// What a customer does.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxInbound)]
pub struct Inbound {
    /// The business's side: phone number id, Page id, Instagram account id, or the SMS number written to.
    pub account: String,
    /// The customer: phone number, business-scoped user id, PSID or IGSID.
    #[serde(default)]
    pub from: String,
    /// The customer's profile name (WhatsApp).
    pub name: Option<String>,
    /// The business-scoped user id of a person with a phone number (WhatsApp).
    pub user_id: Option<String>,
    /// The user name of the person, with its `@` (WhatsApp).
    pub username: Option<String>,
    /// Several events in one callback, instead of one beside these members.
    pub events: Option<Vec<Event>>,
    /// Each event is a change of its own (WhatsApp).
    #[serde(default)]
    pub separate_changes: bool,
    /// How often the same callback is delivered, side by side: 1 to 100, 1 where absent.
    pub times: Option<u32>,
    /// SMS: where the callback goes.
    pub url: Option<String>,
    /// SMS: the inbox whose callback URL it is, instead of `url`.
    pub inbox_id: Option<String>,
    /// Generic gateway: the secret in the inbox's callback URL.
    pub secret: Option<String>,
    /// Twilio: the account, `AC…`.
    pub account_sid: Option<String>,
    /// Twilio: what signs the callback; the account's auth token where absent.
    pub auth_token: Option<String>,
    /// Twilio: the messaging service, `MG…`, that the number belongs to.
    pub messaging_service_sid: Option<String>,
    #[serde(flatten)]
    pub event: Event,
}

/// One thing that happens.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxEvent)]
pub struct Event {
    /// The provider's id of the message; a new one where absent.
    pub id: Option<String>,
    /// When it happened; now where absent. WhatsApp gives whole seconds.
    pub timestamp: Option<Timestamp>,
    /// A text of 1 to 10,000 characters.
    pub text: Option<String>,
    pub media: Option<MediaEvent>,
    pub location: Option<Location>,
    /// Address cards in the provider's form.
    pub contacts: Option<Vec<Node>>,
    pub reply: Option<Reply>,
    pub reaction: Option<Reaction>,
    pub edit: Option<Edit>,
    pub revoke: Option<Revoke>,
    pub unsupported: Option<Unsupported>,
    /// An order, in the provider's form (WhatsApp).
    pub order: Option<Node>,
    /// A system message, in the provider's form: `{"type": "user_changed_number", "wa_id": …, "body": …}` (WhatsApp).
    pub system: Option<Node>,
    /// A tap on a persistent button (Messenger, Instagram).
    pub postback: Option<Postback>,
    /// The customer read: all up to a time (Messenger), or one message (Instagram).
    pub read: Option<Seen>,
    /// It reached the customer (Messenger).
    pub delivered: Option<Seen>,
    /// The business itself wrote, from the provider's own inbox (Messenger, Instagram).
    pub echo: Option<Echo>,
    /// A state of a message that was sent.
    pub status: Option<Status>,
    /// The review of a template ended (WhatsApp); in the provider's form.
    pub template_status: Option<Node>,
    /// The whole message or event in the provider's form; for SMS an object of form fields.
    pub raw: Option<Node>,
    /// The provider's id of the message that is quoted.
    pub reply_to: Option<String>,
    /// The text answers a story: `{"url": …, "id": …}` (Instagram).
    pub story: Option<Node>,
    /// The message was forwarded (WhatsApp).
    #[serde(default)]
    pub forwarded: bool,
    /// Where the customer came from, in the provider's form.
    pub referral: Option<Node>,
}

/// A file.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxMedia)]
pub struct MediaEvent {
    /// `image`, `video`, `audio`, `document` or `sticker`; Messenger and Instagram also have `file`, `share`,
    /// `story_mention` and others.
    pub kind: String,
    /// The bytes in base64; a small sample of its kind where absent.
    pub data: Option<String>,
    pub mime_type: Option<String>,
    pub caption: Option<String>,
    pub filename: Option<String>,
    /// A voice note (WhatsApp audio); absent where absent.
    pub voice: Option<bool>,
    /// An animated sticker (WhatsApp); absent where absent.
    pub animated: Option<bool>,
    /// The provider's id of a file that is not in the sandbox.
    pub id: Option<String>,
    /// Its URL. For WhatsApp `true` of `withUrl` gives one of the sandbox.
    pub url: Option<String>,
    /// WhatsApp: give the URL along, beside the id.
    #[serde(default)]
    pub with_url: bool,
    /// Base64 (WhatsApp), with `id`.
    pub sha256: Option<String>,
}

/// A place.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SandboxLocation)]
pub struct Location {
    pub latitude: f64,
    pub longitude: f64,
    pub name: Option<String>,
    pub address: Option<String>,
    pub url: Option<String>,
}

/// A tap on an answer.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SandboxReply)]
pub struct Reply {
    /// `button`, `list`, `template` (a button of a template), `flow` (WhatsApp), `quickReply` (Messenger, Instagram).
    pub kind: String,
    /// What was given along with the choice; of a flow its answer, a JSON text.
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

/// An emoji on a message.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxReaction)]
pub struct Reaction {
    pub message_id: String,
    /// Takes it off where absent.
    pub emoji: Option<String>,
    /// `love`, `like`, … (Messenger, Instagram).
    pub name: Option<String>,
}

/// A message is changed.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxEdit)]
pub struct Edit {
    pub message_id: String,
    pub text: String,
}

/// A message is taken back.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxRevoke)]
pub struct Revoke {
    pub message_id: String,
}

/// Something that the provider does not pass on.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SandboxUnsupported)]
pub struct Unsupported {
    /// Such as `poll_creation`.
    pub kind: Option<String>,
    /// A text for people.
    pub details: Option<String>,
}

/// A tap on a persistent button.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SandboxPostback)]
pub struct Postback {
    pub title: String,
    pub payload: String,
}

/// What was seen or delivered.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxSeen)]
pub struct Seen {
    /// Instagram: the message.
    pub message_id: Option<String>,
    /// Messenger, `delivered`: the messages.
    pub message_ids: Option<Vec<String>>,
    /// Messenger: everything up to then; now where absent.
    pub watermark: Option<Timestamp>,
}

/// A message from the provider's own inbox.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxEcho)]
pub struct Echo {
    pub text: String,
    pub app_id: Option<i64>,
    pub metadata: Option<String>,
}

/// A state of a message.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxStatus)]
pub struct Status {
    /// The provider's id of the message.
    pub message_id: String,
    /// `sent`, `delivered`, `read`, `played`, `failed`, …
    pub state: String,
    /// The sender's own id of the message.
    pub reference: Option<String>,
    /// With `failed`: the provider's code.
    pub code: Option<u32>,
    pub title: Option<String>,
    pub details: Option<String>,
    /// In the provider's form (WhatsApp).
    pub pricing: Option<Node>,
    /// In the provider's form; makes it a status of version v23 (WhatsApp).
    pub conversation: Option<Node>,
}

/// What became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxInboundPlayed)]
pub struct Played {
    /// The provider's ids of the messages, in order.
    pub message_ids: Vec<String>,
    /// How each delivery was answered.
    pub deliveries: Vec<Delivery>,
    /// The exact bytes that were sent.
    pub body: String,
}

/// A callback that is ready to be signed.
#[derive(Debug)]
pub struct Built {
    pub body: String,
    /// Ids of messages that customers wrote: they can be marked as read.
    pub received: Vec<String>,
    /// All ids, for the answer.
    pub ids: Vec<String>,
    /// When the customer last did what opens the window.
    pub opened_at: Option<Timestamp>,
}

/// A file of an event, as it is in the callback.
#[derive(Clone, Debug, Default)]
pub struct Attached {
    pub id: Option<String>,
    pub url: Option<String>,
    pub mime: Option<String>,
    /// Base64.
    pub sha256: Option<String>,
    /// Where receivers reach the sandbox.
    pub origin: String,
}

impl Event {
    /// The names of what it holds.
    fn kinds(&self) -> Vec<&'static str> {
        let all = [
            ("text", self.text.is_some()),
            ("media", self.media.is_some()),
            ("location", self.location.is_some()),
            ("contacts", self.contacts.is_some()),
            ("reply", self.reply.is_some()),
            ("reaction", self.reaction.is_some()),
            ("edit", self.edit.is_some()),
            ("revoke", self.revoke.is_some()),
            ("unsupported", self.unsupported.is_some()),
            ("order", self.order.is_some()),
            ("system", self.system.is_some()),
            ("postback", self.postback.is_some()),
            ("read", self.read.is_some()),
            ("delivered", self.delivered.is_some()),
            ("echo", self.echo.is_some()),
            ("status", self.status.is_some()),
            ("templateStatus", self.template_status.is_some()),
            ("raw", self.raw.is_some()),
        ];
        all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }

    /// The one thing it holds.
    pub fn kind(&self) -> &'static str {
        self.kinds().first().copied().unwrap_or_default()
    }
}

/// Plays the customer.
pub async fn inbound(Path(provider): Path<String>, Json(body): Json<Inbound>) -> Result<Answer<Played>> {
    let provider = Provider::of_path(&provider)?;
    play(provider, body).await.map(Answer)
}

/// Builds, signs and delivers; with the account's randomness.
pub async fn play(provider: Provider, body: Inbound) -> Result<Played> {
    let account = body.account.clone();
    seed::run(provider, Some(&account), played(provider, body)).await?
}

async fn played(provider: Provider, body: Inbound) -> Result<Played> {
    let times = check(provider, &body)?;
    let target = receiver(provider, &body).await?;
    let events = body.events.clone().unwrap_or_else(|| vec![body.event.clone()]);
    let mut attached = Vec::new();
    for event in &events {
        attached.push(match &event.media {
            Some(media) => attach(provider, &body.account, media).await?,
            None => Attached::default(),
        });
    }
    let now = Timestamp::now();
    let settings = db::read(|db| accounts::settings(db, provider, &body.account)).await?;
    let (who, built) = match provider {
        Provider::Whatsapp => whatsapp::inbound::build(&body, &events, &attached, now)?,
        Provider::Messenger | Provider::Instagram => {
            messenger::inbound::build(provider, &body, &events, &attached, settings.standby, now)?
        }
        Provider::Twilio => twilio::inbound::build(&body, &events, &attached)?,
        Provider::Gateway => gateway::inbound::build(&body, &events, &attached, now)?,
    };
    let copies = times.saturating_mul(if settings.duplicate { 2 } else { 1 });
    let planned: Vec<Planned> =
        vec![target.planned(built.body.clone(), now); usize::try_from(copies).unwrap_or(1)];
    let claimed = db::write(|db| {
        if !who.person.is_empty() {
            people::wrote(db, provider, &body.account, &who, built.opened_at)?;
        }
        for id in &built.received {
            people::received(db, provider, &body.account, &who.person, id, now)?;
        }
        if provider == Provider::Twilio {
            twilio::inbound::note_opt_out(db, &body, &events)?;
        }
        delivery::schedule_own(db, &planned, now)
    })
    .await?;
    let (answers, done) = delivery::send_claimed(claimed).await?;
    delivery::drive(done.next_try.into_iter().collect());
    Ok(Played {
        message_ids: built.ids,
        deliveries: answers.into_iter().map(Delivery::from).collect(),
        body: built.body,
    })
}

/// Checks what all providers ask for; gives how often it is delivered.
fn check(provider: Provider, body: &Inbound) -> Result<u32> {
    let mut violations = Violations::new();
    violations.text("account", &body.account, ACCOUNT_CHARS);
    for (field, text, most) in [
        ("name", &body.name, NAME_CHARS),
        ("userId", &body.user_id, PERSON_CHARS),
        ("username", &body.username, NAME_CHARS),
    ] {
        if let Some(text) = text {
            violations.text(field, text, most);
        }
    }
    let times = body.times.unwrap_or(1);
    violations.check((1..=TIMES_MAX).contains(&times), "times", "must be between 1 and 100");
    let events = match &body.events {
        Some(events) => {
            violations.check(body.event.kinds().is_empty(), "events", "stands instead of an event beside it");
            violations.check(
                (1..=EVENTS_MAX).contains(&events.len()),
                "events",
                "must hold between 1 and 1000 events",
            );
            events.as_slice()
        }
        None => std::slice::from_ref(&body.event),
    };
    let mut needs_person = false;
    for event in events {
        needs_person |= event.kind() != "templateStatus";
        check_event(&mut violations, provider, event);
    }
    if needs_person {
        violations.text("from", &body.from, PERSON_CHARS);
    }
    violations.finish()?;
    Ok(times)
}

fn check_event(violations: &mut Violations, provider: Provider, event: &Event) {
    let kinds = event.kinds();
    violations.check(kinds.len() == 1, "events", "each holds exactly one of text, media, location and so on");
    for kind in kinds {
        let known = match provider {
            Provider::Whatsapp => whatsapp::inbound::KINDS,
            Provider::Messenger => messenger::inbound::KINDS,
            Provider::Instagram => messenger::inbound::INSTAGRAM_KINDS,
            Provider::Twilio => twilio::inbound::KINDS,
            Provider::Gateway => gateway::inbound::KINDS,
        };
        violations.check(known.contains(&kind), kind, "is nothing that customers of this provider can do");
    }
    if let Some(text) = &event.text {
        violations.text("text", text, TEXT_CHARS);
    }
    if let Some(id) = &event.id {
        violations.text("id", id, ID_CHARS);
    }
    if let Some(at) = event.timestamp {
        violations.check(at.seconds() > 0, "timestamp", "must be after 1970");
    }
}

/// Where the callback goes.
pub async fn receiver(provider: Provider, body: &Inbound) -> Result<Target> {
    match provider {
        Provider::Twilio => twilio::inbound::receiver(body).await,
        Provider::Gateway => gateway::inbound::receiver(body).await,
        _ => target::meta(provider, &body.account).await?.ok_or_else(|| {
            Problem::invalid("account", "has no callback URL: set the variable sandbox_callback_url")
        }),
    }
}

/// Stores a file that is to be downloaded from the sandbox; one that is elsewhere stays as it is.
async fn attach(provider: Provider, account: &str, media: &MediaEvent) -> Result<Attached> {
    let sample = samples::of(&media.kind);
    let mime = media.mime_type.clone().unwrap_or_else(|| sample.0.to_string());
    let origin = files::origin_for_receivers().await.unwrap_or_default();
    if media.id.is_some() || media.url.is_some() {
        return Ok(Attached {
            id: media.id.clone(),
            url: media.url.clone(),
            mime: Some(mime),
            sha256: media.sha256.clone(),
            origin,
        });
    }
    let bytes = match &media.data {
        Some(data) => STANDARD.decode(data).map_err(|_| Problem::invalid("media.data", "must be base64"))?,
        None => sample.1.to_vec(),
    };
    let base = mime.split(';').next().unwrap_or_default().trim().to_string();
    let stored: Media = files::store(provider, account, &base, &bytes).await?;
    let sha256 = hex::decode(&stored.sha256).map(|hash| STANDARD.encode(hash)).ok();
    let url = files::url(&origin, provider, &stored.url_key);
    let url = match provider {
        Provider::Whatsapp => media.with_url.then_some(url),
        // A resource of the account, below its message.
        Provider::Twilio => None,
        _ => Some(url),
    };
    Ok(Attached { id: Some(stored.id), url, mime: Some(mime), sha256, origin })
}

/// What the sandbox notes of the person.
pub fn known(person: &str, body: &Inbound) -> Known {
    Known {
        person: person.to_string(),
        user_id: body.user_id.clone().filter(|id| id != person),
        username: body.username.clone(),
        name: body.name.clone(),
        ..Known::default()
    }
}
