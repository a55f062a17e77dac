//! Files on their way out (channels sections 2.6, 4.1 and 6.1): WhatsApp gets an upload of ours once and its own
//! id from then on; the others fetch a file by a signed link.

use crate::line;
use crate::provider::Provider;
use bytes::Bytes;
use common::outbound::{self, Deadlines, SendError};
use common::time::Timestamp;
use common::{Problem, Result, db};
use domain::content::{MediaContent, MediaType};
use domain::media::{self, Media, State, bytes::Reader, links::Links, uploads};
use domain::outgoing::Outbound;
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use providers::{BuildError, Failure, File, MediaKind, MediaSource, Upload, graph, whatsapp};
use std::time::Duration;

/// WhatsApp keeps an upload for 30 days; the last one is left as a margin.
const UPLOAD_KEEP: Duration = Duration::from_secs(29 * 24 * 60 * 60);
/// How long a link in a message to a provider is good: longer than any queue.
const LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// An upload may take longer than a send: files are large.
const UPLOAD_TOTAL: Duration = Duration::from_secs(25);

/// Where the provider takes a file from, or why there is none.
pub enum Source {
    Is(MediaSource),
    Refused(Failure),
    NotReached(String),
    /// The file was deleted meanwhile.
    Gone,
    Unbuilt(BuildError),
}

pub async fn source(
    provider: &Provider,
    tenant: &str,
    outbound: &Outbound,
    content: &MediaContent,
) -> Result<Source> {
    let Some(id) = &content.media_id else {
        let link = content.url.clone().ok_or_else(|| Problem::internal("a file without id and url"))?;
        return Ok(Source::Is(MediaSource::Link(link)));
    };
    let media = match db::read(|db| media::find(db, tenant, id)).await {
        Ok(media) if media.state == State::Stored => media,
        Ok(_) => return Ok(Source::Gone),
        Err(problem) if problem.status == 404 => return Ok(Source::Gone),
        Err(problem) => return Err(problem),
    };
    match provider {
        Provider::WhatsApp(sender) => upload(sender, outbound, &media).await,
        _ => {
            let expires = Timestamp::now().after(LINK_LIFE);
            let link = Links::from_settings().await?.url(tenant, id, expires);
            Ok(Source::Is(MediaSource::Link(link)))
        }
    }
}

/// The provider's id of a file: the known one, or that of a new upload.
async fn upload(sender: &graph::Sender, outbound: &Outbound, media: &Media) -> Result<Source> {
    let (inbox, now) = (outbound.inbox.address.seq, Timestamp::now());
    if let Some(id) = db::read(|db| uploads::known(db, media, inbox, now)).await? {
        return Ok(Source::Is(MediaSource::Id(id)));
    }
    let size = media.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let filename = media.filename.as_deref().unwrap_or("file");
    let upload = match whatsapp::upload_media(sender, File { mime: &media.mime, filename, size }) {
        Ok(upload) => upload,
        Err(error) => return Ok(Source::Unbuilt(error)),
    };
    let Deadlines { connect, .. } = line::deadlines().await;
    let total = UPLOAD_TOTAL.min(crate::run::half_lease().await);
    let answer =
        outbound::send_streamed(streamed(upload, media), Deadlines { connect, first_byte: total, total });
    let answer = match answer.await {
        Ok(answer) => answer,
        // A file uploaded twice does no harm: it is simply done again.
        Err(SendError::NotSent(why) | SendError::Unknown(why)) => return Ok(Source::NotReached(why)),
    };
    match whatsapp::read_upload(answer.status().as_u16(), answer.headers(), answer.body()) {
        Ok(id) => {
            let expires = now.after(UPLOAD_KEEP);
            db::write(|db| uploads::remember(db, media, inbox, &id, expires)).await?;
            Ok(Source::Is(MediaSource::Id(id)))
        }
        Err(failure) => Ok(Source::Refused(failure)),
    }
}

/// What is still to come of an upload's body.
enum Piece {
    Head(Vec<u8>, Reader, Vec<u8>),
    File(Reader, Vec<u8>),
    End,
}

/// The upload with a body that is read part by part: a file is never in memory as a whole.
fn streamed(
    upload: Upload,
    media: &Media,
) -> http::Request<StreamBody<impl stream::Stream<Item = Result<Frame<Bytes>, Problem>> + use<>>> {
    let Upload { request, head, tail } = upload;
    let pieces = stream::try_unfold(Piece::Head(head, Reader::new(media), tail), |piece| async {
        let frame = |bytes: Vec<u8>| Frame::data(Bytes::from(bytes));
        Ok(match piece {
            Piece::Head(head, reader, tail) => Some((frame(head), Piece::File(reader, tail))),
            Piece::File(mut reader, tail) => match reader.next().await? {
                Some(bytes) => Some((frame(bytes), Piece::File(reader, tail))),
                None => Some((frame(tail), Piece::End)),
            },
            Piece::End => None,
        })
    });
    request.map(|()| StreamBody::new(pieces))
}

/// The provider does not know its id any more: the next try uploads again.
pub async fn forget(tenant: &str, outbound: &Outbound, content: &MediaContent) -> Result<()> {
    let Some(id) = &content.media_id else { return Ok(()) };
    let inbox = outbound.inbox.address.seq;
    db::write(|db| match media::find(db, tenant, id) {
        Ok(media) => uploads::forget(db, &media, inbox),
        Err(_) => Ok(()),
    })
    .await
}

pub fn kind(kind: Option<MediaType>) -> MediaKind {
    match kind {
        Some(MediaType::Image) => MediaKind::Image,
        Some(MediaType::Video) => MediaKind::Video,
        Some(MediaType::Audio) => MediaKind::Audio,
        Some(MediaType::Document) | None => MediaKind::Document,
    }
}
