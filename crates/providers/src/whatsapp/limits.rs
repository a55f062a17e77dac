//! What WhatsApp can carry (channels section 2.1).

use crate::{BuildError, Choices, Interactive, Media, MediaKind, Outgoing};

/// Longest text, in characters.
const TEXT_CHARS: usize = 4096;
/// Longest caption of a file, in characters.
const CAPTION_CHARS: usize = 1024;
/// Longest header of an interactive message, in characters.
const HEADER_CHARS: usize = 60;
/// Longest footer of an interactive message, in characters.
const FOOTER_CHARS: usize = 60;
/// Longest body of a message with buttons, in characters.
const BUTTONS_BODY_CHARS: usize = 1024;
/// Longest body of a message with a list, in characters.
const LIST_BODY_CHARS: usize = 4096;
/// Most reply buttons.
const BUTTONS: usize = 3;
/// Longest id of a button, in characters.
const BUTTON_ID_CHARS: usize = 256;
/// Longest title of a button, also of the one that opens a list, in characters.
const BUTTON_TITLE_CHARS: usize = 20;
/// Most sections of a list.
const SECTIONS: usize = 10;
/// Longest title of a section, in characters; needed where there are several.
const SECTION_TITLE_CHARS: usize = 24;
/// Most rows of a list, in all sections together.
const ROWS: usize = 10;
/// Longest id of a row, in characters.
const ROW_ID_CHARS: usize = 200;
/// Longest title of a row, in characters.
const ROW_TITLE_CHARS: usize = 24;
/// Longest description of a row, in characters.
const ROW_DESCRIPTION_CHARS: usize = 72;

/// Whether WhatsApp can carry this content.
pub(super) fn check(content: &Outgoing) -> Result<(), BuildError> {
    match content {
        Outgoing::Text { body, .. } => at_most(body, TEXT_CHARS, "a text of more than 4096 characters"),
        Outgoing::Media(media) => check_media(media),
        Outgoing::Interactive(interactive) => check_interactive(interactive),
        Outgoing::Contacts(cards) if cards.is_empty() => Err(BuildError::Unsupported("no address cards")),
        Outgoing::Template { .. }
        | Outgoing::Reaction { .. }
        | Outgoing::Location { .. }
        | Outgoing::Contacts(_) => Ok(()),
    }
}

fn check_media(media: &Media) -> Result<(), BuildError> {
    let Some(caption) = media.caption.as_deref() else { return Ok(()) };
    if media.sticker {
        return Err(BuildError::Unsupported("a sticker with a caption"));
    }
    if media.kind == MediaKind::Audio {
        return Err(BuildError::Unsupported("a sound with a caption"));
    }
    at_most(caption, CAPTION_CHARS, "a caption of more than 1024 characters")
}

fn check_interactive(Interactive { header, body, footer, choices }: &Interactive) -> Result<(), BuildError> {
    at_most(header.as_deref().unwrap_or_default(), HEADER_CHARS, "a header of more than 60 characters")?;
    at_most(footer.as_deref().unwrap_or_default(), FOOTER_CHARS, "a footer of more than 60 characters")?;
    match choices {
        Choices::Buttons(buttons) => {
            at_most(body, BUTTONS_BODY_CHARS, "buttons under a text of more than 1024 characters")?;
            some(buttons.len(), BUTTONS, "other than one to three buttons")?;
            for button in buttons {
                at_most(&button.id, BUTTON_ID_CHARS, "a button with an id of more than 256 characters")?;
                at_most(&button.title, BUTTON_TITLE_CHARS, "a button with more than 20 characters")?;
            }
        }
        Choices::List { button, sections } => {
            at_most(body, LIST_BODY_CHARS, "a list under a text of more than 4096 characters")?;
            at_most(button, BUTTON_TITLE_CHARS, "a button with more than 20 characters")?;
            some(sections.len(), SECTIONS, "other than one to ten sections")?;
            some(
                sections.iter().map(|section| section.rows.len()).sum(),
                ROWS,
                "other than one to ten rows",
            )?;
            for section in sections {
                let title = section.title.as_deref().unwrap_or_default();
                if title.is_empty() && sections.len() > 1 {
                    return Err(BuildError::Unsupported("several sections without titles"));
                }
                at_most(title, SECTION_TITLE_CHARS, "a section title of more than 24 characters")?;
                for row in &section.rows {
                    at_most(&row.id, ROW_ID_CHARS, "a row with an id of more than 200 characters")?;
                    at_most(&row.title, ROW_TITLE_CHARS, "a row title of more than 24 characters")?;
                    let description = row.description.as_deref().unwrap_or_default();
                    at_most(
                        description,
                        ROW_DESCRIPTION_CHARS,
                        "a row description of more than 72 characters",
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn at_most(text: &str, chars: usize, otherwise: &'static str) -> Result<(), BuildError> {
    if text.chars().count() > chars { Err(BuildError::Unsupported(otherwise)) } else { Ok(()) }
}

fn some(count: usize, most: usize, otherwise: &'static str) -> Result<(), BuildError> {
    if (1..=most).contains(&count) { Ok(()) } else { Err(BuildError::Unsupported(otherwise)) }
}
