//! What a customer sent, in the forms that v1 shows.

use domain::inbound::Part;
use domain::inbound::files::File;
use domain::messages::{
    LocationContent, MediaContent, MediaType, MessageContent, ReplyContent, TextContent, UnsupportedContent,
};
use providers::{InboundContent, InboundMedia, MediaKind};

/// The parts of a message: one, or one a file.
pub(super) fn parts(channel: &str, content: &InboundContent) -> Vec<Part> {
    let plain = |content| vec![Part { content, file: None }];
    match content {
        InboundContent::Media { files, caption } if !files.is_empty() => {
            let captions = std::iter::once(caption.clone()).chain(std::iter::repeat(None));
            files.iter().zip(captions).map(|(file, caption)| media(channel, file, caption)).collect()
        }
        InboundContent::Media { caption: Some(caption), .. } => plain(text(caption)),
        InboundContent::Media { caption: None, .. } => plain(unsupported("media")),
        InboundContent::Text { body } => plain(text(body)),
        InboundContent::Location { latitude, longitude, name, address } => plain(MessageContent::Location {
            location: LocationContent {
                latitude: *latitude,
                longitude: *longitude,
                name: name.clone(),
                address: address.clone(),
            },
        }),
        InboundContent::Contacts(cards) => plain(MessageContent::Contacts { contacts: cards.clone() }),
        InboundContent::Reply { id, title, description } => plain(MessageContent::Reply {
            reply: ReplyContent { id: id.clone(), title: title.clone(), description: description.clone() },
        }),
        InboundContent::Other { kind, .. } => plain(unsupported(kind)),
    }
}

/// What an edit makes of a message: files stay as they are, so the first part says it all.
pub(super) fn edited(channel: &str, content: &InboundContent) -> Option<MessageContent> {
    parts(channel, content).into_iter().next().map(|part| part.content)
}

fn text(body: &str) -> MessageContent {
    MessageContent::Text { text: TextContent { body: body.to_string() } }
}

fn unsupported(kind: &str) -> MessageContent {
    MessageContent::Unsupported { unsupported: UnsupportedContent { kind: kind.to_string() } }
}

fn media(channel: &str, file: &InboundMedia, caption: Option<String>) -> Part {
    // WhatsApp's URLs live five minutes: its id gives new ones. The others give a URL and nothing else.
    let source = if channel == "whatsapp" {
        file.id.as_ref().or(file.url.as_ref())
    } else {
        file.url.as_ref().or(file.id.as_ref())
    };
    let Some(source) = source else {
        // Nothing to fetch: what was written with it must not be lost.
        return Part { content: caption.as_deref().map_or_else(|| unsupported("media"), text), file: None };
    };
    let kind = match file.kind {
        MediaKind::Image => MediaType::Image,
        MediaKind::Video => MediaType::Video,
        MediaKind::Audio => MediaType::Audio,
        MediaKind::Document => MediaType::Document,
    };
    let content = MessageContent::Media {
        media: MediaContent {
            caption,
            filename: file.filename.clone(),
            mime_type: file.mime.clone(),
            source_id: file.id.clone(),
            media_type: Some(kind),
            sticker: file.sticker,
            voice: file.voice,
            ..MediaContent::default()
        },
    };
    let file =
        File { kind, source: source.clone(), mime: file.mime.clone(), filename: file.filename.clone() };
    Part { content, file: Some(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: Option<&str>, url: Option<&str>) -> InboundMedia {
        InboundMedia {
            kind: MediaKind::Image,
            id: id.map(str::to_string),
            url: url.map(str::to_string),
            mime: Some("image/png".into()),
            filename: None,
            sticker: false,
            voice: false,
        }
    }

    #[test]
    fn each_file_is_a_part_and_the_first_has_the_caption() {
        let content = InboundContent::Media {
            files: vec![file(None, Some("https://cdn/1")), file(None, Some("https://cdn/2"))],
            caption: Some("Two".into()),
        };
        let parts = parts("messenger", &content);
        let captions: Vec<_> = parts
            .iter()
            .map(|part| match &part.content {
                MessageContent::Media { media } => media.caption.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(captions, [Some("Two".to_string()), None]);
        assert_eq!(parts[1].file.as_ref().unwrap().source, "https://cdn/2");
    }

    #[test]
    fn whatsapp_files_are_fetched_by_id_and_others_by_url() {
        let both = InboundContent::Media { files: vec![file(Some("77"), Some("https://x"))], caption: None };
        assert_eq!(parts("whatsapp", &both)[0].file.as_ref().unwrap().source, "77");
        assert_eq!(parts("messenger", &both)[0].file.as_ref().unwrap().source, "https://x");
        let none = InboundContent::Media { files: vec![file(None, None)], caption: Some("words".into()) };
        assert_eq!(parts("messenger", &none)[0].content, text("words"));
    }
}
