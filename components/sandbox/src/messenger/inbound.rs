//! What people do on Messenger and Instagram.

use super::events::{self, Echoed};
use crate::ids;
use crate::inbound::{self, Attached, Built, Event, Inbound};
use crate::json::{Node, node};
use crate::provider::Provider;
use crate::store::people::Known;
use common::Result;
use common::time::Timestamp;

/// What people can do on Messenger, and on Instagram.
pub const KINDS: &[&str] = &[
    "text",
    "media",
    "reply",
    "reaction",
    "edit",
    "unsupported",
    "postback",
    "read",
    "delivered",
    "echo",
    "raw",
];
pub const INSTAGRAM_KINDS: &[&str] = &[
    "text",
    "media",
    "reply",
    "reaction",
    "edit",
    "revoke",
    "unsupported",
    "postback",
    "read",
    "echo",
    "raw",
];

/// What opens the window: whatever a person does but reading and taking back.
const OPENING: &[&str] = &["text", "media", "reply", "reaction", "postback", "unsupported", "raw"];

/// Builds the callback.
pub fn build(
    provider: Provider,
    body: &Inbound,
    all: &[Event],
    attached: &[Attached],
    standby: bool,
    now: Timestamp,
) -> Result<(Known, Built)> {
    let mut built = Built { body: String::new(), received: Vec::new(), ids: Vec::new(), opened_at: None };
    let mut list = Vec::new();
    for (event, file) in all.iter().zip(attached) {
        let at = event.timestamp.unwrap_or(now);
        let made = made(provider, body, event, file, at, &mut built);
        list.push(made);
        if OPENING.contains(&event.kind()) {
            built.opened_at = built.opened_at.max(Some(at));
        }
    }
    built.body = events::body(provider, &body.account, standby, list, now);
    Ok((inbound::known(&body.from, body), built))
}

fn made(
    provider: Provider,
    body: &Inbound,
    event: &Event,
    file: &Attached,
    at: Timestamp,
    built: &mut Built,
) -> Node {
    let inbound = |name: &str, content: Node| events::event(&body.from, &body.account, at, name, content);
    let id = || {
        event.id.clone().unwrap_or_else(|| match provider {
            Provider::Instagram => ids::instagram_mid(),
            _ => ids::messenger_mid(),
        })
    };
    if let Some(Node::Object(members)) = &event.raw {
        let mut whole = node!({
            "sender": node!({"id": &body.from}), "recipient": node!({"id": &body.account}), "timestamp": at.millis(),
        });
        members.iter().for_each(|(name, value)| whole.push(name, value));
        return whole;
    }
    if let Some(reaction) = &event.reaction {
        let action = if reaction.emoji.is_some() { "react" } else { "unreact" };
        let name = reaction.emoji.as_ref().map(|_| reaction.name.as_deref().unwrap_or("other"));
        let (mid, emoji) = (&reaction.message_id, reaction.emoji.as_ref());
        let content = if provider == Provider::Instagram {
            node!({"mid": mid, "action": action, "reaction": name, "emoji": emoji})
        } else {
            node!({"reaction": name, "emoji": emoji, "action": action, "mid": mid})
        };
        return inbound("reaction", content);
    }
    if let Some(edit) = &event.edit {
        return inbound(
            "message_edit",
            node!({"mid": &edit.message_id, "text": &edit.text, "num_edit": 1_i64}),
        );
    }
    if let Some(revoke) = &event.revoke {
        return inbound("message", node!({"mid": &revoke.message_id, "is_deleted": true}));
    }
    if let Some(seen) = &event.read {
        let content = match (provider, &seen.message_id) {
            (Provider::Instagram, Some(id)) => node!({"mid": id}),
            _ => node!({"watermark": seen.watermark.unwrap_or(at).millis()}),
        };
        return inbound("read", content);
    }
    if let Some(seen) = &event.delivered {
        let ids = seen.message_ids.clone().or_else(|| seen.message_id.clone().map(|id| vec![id]));
        let ids = ids.map(|ids| ids.into_iter().map(Node::from).collect::<Vec<Node>>());
        let watermark = seen.watermark.unwrap_or(at).millis();
        return inbound("delivery", node!({"mids": ids, "watermark": watermark}));
    }
    let id = id();
    built.ids.push(id.clone());
    if let Some(echo) = &event.echo {
        let echoed = Echoed {
            mid: id,
            text: Some(echo.text.clone()),
            app_id: echo.app_id,
            metadata: echo.metadata.clone(),
            ..Echoed::default()
        };
        return events::event(&body.account, &body.from, at, "message", events::echo(provider, &echoed));
    }
    built.received.push(id.clone());
    if let Some(postback) = &event.postback {
        let content = node!({
            "mid": id, "title": &postback.title, "payload": &postback.payload, "referral": event.referral.as_ref(),
        });
        return inbound("postback", content);
    }
    inbound("message", message(provider, event, file, id))
}

fn message(provider: Provider, event: &Event, file: &Attached, id: String) -> Node {
    let instagram = provider == Provider::Instagram;
    let text = event.text.as_ref().or(event.reply.as_ref().map(|reply| &reply.title));
    let quick_reply = event.reply.as_ref().map(|reply| node!({"payload": &reply.id}));
    let reply_to = match (&event.story, &event.reply_to) {
        (Some(story), _) => Some(node!({"story": story})),
        (None, Some(mid)) if instagram => Some(node!({"mid": mid})),
        (None, Some(mid)) => Some(node!({"mid": mid, "is_self_reply": false})),
        (None, None) => None,
    };
    let caption = event.media.as_ref().and_then(|media| media.caption.as_ref());
    let attachments = event.media.as_ref().map(|media| {
        // Messenger's word for a document is file.
        let kind = if media.kind == "document" { "file" } else { &media.kind };
        node!([node!({"type": kind, "payload": node!({"url": file.url.as_ref()})})])
    });
    let unknown = event.unsupported.is_some();
    let fallback = (unknown && !instagram).then(|| node!([node!({"type": "fallback"})]));
    node!({
        "mid": id, "text": text.or(caption), "quick_reply": quick_reply, "reply_to": reply_to,
        "attachments": attachments.or(fallback), "is_unsupported": (unknown && instagram).then_some(true),
        "referral": event.referral.as_ref(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(provider: Provider, now: i64, request: &str) -> String {
        let body: Inbound =
            serde_json::from_str(request).unwrap_or_else(|error| panic!("{error}: {request}"));
        let all = body.events.clone().unwrap_or_else(|| vec![body.event.clone()]);
        let attached: Vec<Attached> = all
            .iter()
            .map(|event| Attached {
                url: event.media.as_ref().and_then(|media| media.url.clone()),
                ..Attached::default()
            })
            .collect();
        build(provider, &body, &all, &attached, false, Timestamp(now)).unwrap().1.body
    }

    macro_rules! fixture {
        ($name:literal) => {
            serde_json::from_str::<Node>(include_str!(concat!(
                "../../../../crates/providers/tests/fixtures/",
                $name,
                ".json"
            )))
            .unwrap()
            .meta()
        };
    }

    fn at(millis: i64) -> String {
        format!(r#""timestamp": "{}""#, Timestamp(millis).rfc3339())
    }

    const PAGE: &str = r#""account": "108800551234567", "from": "7301550100420001""#;
    const IG: &str = r#""account": "17841400550012345", "from": "9005512345678001""#;

    #[test]
    fn messengers_events_are_the_fixtures() {
        let page = |now: i64, rest: &str| built(Provider::Messenger, now, &format!("{{{PAGE}, {rest}}}"));
        let message = format!(
            r#""events": [{{"id": "m_FixIn000000000000000000000000001", {}, "text": "Do you deliver on Sunday?", "replyTo": "m_FixOut0000000000000000000000000001"}},
              {{"id": "m_FixIn000000000000000000000000002", {}, "media": {{"kind": "image", "url": "https://cdn.example.test/in/1.jpg"}}}}]"#,
            at(1_790_000_200_111),
            at(1_790_000_201_222)
        );
        assert_eq!(page(1_790_000_200_000, &message), fixture!("messenger/in-message"));
        let echo = format!(
            r#""id": "m_FixOut0000000000000000000000000001", {}, "echo": {{"text": "Sorry for the wait, I checked with the workshop.", "appId": 445566778899001, "metadata": "msg_01HZX0000000000000000101"}}"#,
            at(1_790_000_209_900)
        );
        assert_eq!(page(1_790_000_210_000, &echo), fixture!("messenger/in-echo"));
        let seen = format!(
            r#""events": [{{{}, "delivered": {{"messageIds": ["m_FixOut0000000000000000000000000001"], "watermark": "{}"}}}},
              {{{}, "read": {{"watermark": "{}"}}}}]"#,
            at(1_790_000_211_000),
            Timestamp(1_790_000_210_900).rfc3339(),
            at(1_790_000_215_000),
            Timestamp(1_790_000_214_000).rfc3339()
        );
        assert_eq!(page(1_790_000_215_100, &seen), fixture!("messenger/in-delivery-read"));
        let postback = format!(
            r#""id": "m_FixIn000000000000000000000000003", {}, "postback": {{"title": "Get started", "payload": "start"}},
              "referral": {{"ref": "poster-7", "source": "SHORTLINK", "type": "OPEN_THREAD"}}"#,
            at(1_790_000_220_000)
        );
        assert_eq!(page(1_790_000_200_000, &postback), fixture!("messenger/in-postback"));
        let reaction = format!(
            r#"{}, "reaction": {{"messageId": "m_FixOut0000000000000000000000000001", "emoji": "❤️", "name": "love"}}"#,
            at(1_790_000_230_000)
        );
        assert_eq!(page(1_790_000_200_000, &reaction), fixture!("messenger/in-reaction"));
    }

    #[test]
    fn instagrams_events_are_the_fixtures() {
        let ig = |rest: &str| built(Provider::Instagram, 1_790_000_300_000, &format!("{{{IG}, {rest}}}"));
        let story = format!(
            r#""id": "aWdfRklYX0lOXzE", {}, "text": "love this!", "story": {{"url": "https://cdn.example.test/story/7", "id": "18000000000000007"}}"#,
            at(1_790_000_300_100)
        );
        assert_eq!(ig(&story), fixture!("instagram/in-story-reply"));
        let echo = format!(
            r#""id": "aWdfRklYX09VVF8x", {}, "echo": {{"text": "Yes, the green one is back tomorrow.", "appId": 1, "metadata": "x"}}"#,
            at(1_790_000_301_100)
        );
        assert_eq!(ig(&echo), fixture!("instagram/in-echo"));
        let seen = format!(
            r#""events": [{{{}, "read": {{"messageId": "aWdfRklYX09VVF8x"}}}},
              {{{}, "reaction": {{"messageId": "aWdfRklYX09VVF8x", "emoji": "❤️", "name": "love"}}}},
              {{{}, "revoke": {{"messageId": "aWdfRklYX0lOXzE"}}}}]"#,
            at(1_790_000_302_100),
            at(1_790_000_303_100),
            at(1_790_000_304_100)
        );
        assert_eq!(ig(&seen), fixture!("instagram/in-seen-reaction-delete"));
    }
}
