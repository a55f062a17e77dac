//! Fetching a file that a customer sent (channels sections 2.6, 4.3, 5.2 and 6.3).
//!
//! WhatsApp gives an id: it is asked for a URL, which lives five minutes and wants our token. Messenger, Instagram
//! and gateways give a URL that needs nothing. Twilio's needs its account, and redirects. Credentials go to hosts of
//! the provider only, and never along a redirect. A file that cannot be had is marked so with a reason; its message
//! stays as it is.

use crate::connections;
use crate::run::{self, Turn, again_in, backoff};
use crate::send_message::end;
use common::outbound::{self, Deadlines, Download};
use common::time::Timestamp;
use common::{Problem, Result, db, settings};
use domain::inbound::files;
use domain::inboxes::{self, Connection, Credentials};
use domain::jobs::{self, Job};
use domain::media::bytes::{self, Stored, Writer};
use domain::media::kinds::{self, Type};
use domain::media::{self, Media, State};
use domain::webhooks::address::Guard;
use http::{Request, header};
use providers::{Failure, RetryClass, twilio, whatsapp};
use std::time::Duration;
use url::Url;

/// Tries before a file counts as lost.
const TRIES: i64 = 8;
/// Largest file, in bytes, where `inbound_media_max_bytes` does not say: the largest that WhatsApp passes on.
const BYTES_MAX: u64 = 100 * 1024 * 1024;
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;
/// The longest that the bytes of one file may take to come.
const TOTAL: Duration = Duration::from_secs(10 * 60);
/// For the head of an answer, and between two pieces of a body.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(15),
    total: Duration::from_secs(20),
};
/// Twilio's own host: the only one that gets the account's credentials.
const TWILIO_HOST: &str = "api.twilio.com";
const SANDBOX_HOST: &str = "sandbox.spin.internal";

/// Why a file did not come.
enum Trouble {
    /// It may come the next time; for the log.
    Temporary(String),
    /// It never will; for people who see the message.
    Final(String),
    /// Another worker has the job.
    Lost,
    /// An error of ours.
    Ours(Problem),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Trouble::Ours(problem)
    }
}

impl From<outbound::SendError> for Trouble {
    fn from(error: outbound::SendError) -> Self {
        Trouble::Temporary(error.to_string())
    }
}

fn never(why: &str) -> Trouble {
    Trouble::Final(why.to_string())
}

/// A fetch job's turn.
pub async fn run(job: &Job) -> Result<Turn> {
    let found = db::read(|db| match media::find(db, &job.tenant, &job.subject) {
        Ok(media) => Ok(Some(media)),
        Err(problem) if problem.status == 404 => Ok(None),
        Err(problem) => Err(problem),
    });
    // Taken back meanwhile, or here already.
    let Some(media) = found.await?.filter(|media| media.state == State::Pending) else {
        return end(job, |_| Ok(())).await;
    };
    match fetch(job, &media).await {
        Ok((kind, stored)) => keep(job, &media, &kind, &stored).await,
        Err(Trouble::Lost) => Ok(Turn::Lost),
        Err(Trouble::Ours(problem)) => Err(problem),
        Err(Trouble::Temporary(why)) if job.number() < TRIES => {
            common::log!("file not fetched", media = media.id, why = why);
            again_in(job, backoff(job.number()), &why).await
        }
        Err(Trouble::Temporary(why)) => {
            common::log!("file given up", media = media.id, why = why);
            give_up(job, &media, "The channel did not give the file, in several tries.").await
        }
        Err(Trouble::Final(why)) => give_up(job, &media, &why).await,
    }
}

async fn keep(job: &Job, media: &Media, kind: &Type, stored: &Stored) -> Result<Turn> {
    let message = files::message_of(job.payload.as_deref());
    let mut gone = false;
    let turn = end(job, |db| {
        let Some(media) = media::stored(db, &job.tenant, &media.id, kind.kind, &kind.mime, stored)? else {
            gone = true;
            return Ok(());
        };
        match &message {
            Some(message) => files::arrived(db, &job.tenant, message, &media),
            None => Ok(()),
        }
    })
    .await?;
    if gone {
        bytes::delete(&media.id).await?;
    }
    Ok(turn)
}

async fn give_up(job: &Job, media: &Media, why: &str) -> Result<Turn> {
    let message = files::message_of(job.payload.as_deref());
    bytes::delete(&media.id).await?;
    end(job, |db| match (media::failed(db, &job.tenant, &media.id, why)?, &message) {
        (Some(media), Some(message)) => files::given_up(db, &job.tenant, message, &media),
        _ => Ok(()),
    })
    .await
}

/// Brings the bytes into the store.
async fn fetch(job: &Job, media: &Media) -> Result<(Type, Stored), Trouble> {
    let inbox_seq = media.inbox_seq.unwrap_or_default();
    let connection = db::read(|db| inboxes::connection(db, &job.tenant, inbox_seq)).await?;
    let connection =
        connection.ok_or_else(|| never("The inbox was disconnected before the file was fetched."))?;
    let source = media.source.as_deref().unwrap_or_default();
    let limit = settings::get("inbound_media_max_bytes").await.and_then(|text| text.parse().ok());
    let limit = limit.unwrap_or(BYTES_MAX);
    let (mut download, told) = match connection.address.channel.as_str() {
        "whatsapp" => whatsapp(&connection, source, limit).await?,
        "sms" if is_twilio(&connection).await? => (of_twilio(&connection, source).await?, None),
        _ => (follow(get(source).await?).await?, None),
    };
    match download.status {
        200 => store(job, media, &mut download, told.as_deref(), limit).await,
        408 | 425 | 429 | 500.. => Err(Trouble::Temporary(format!("HTTP {}", download.status))),
        403 | 404 | 410 => Err(never("The channel does not have the file any more.")),
        status => Err(Trouble::Final(format!("The channel refused to give the file (HTTP {status})."))),
    }
}

/// WhatsApp: an id, whose URL is renewed once when it turns out to be over.
async fn whatsapp(
    connection: &Connection,
    source: &str,
    limit: u64,
) -> Result<(Download, Option<String>), Trouble> {
    let sender = connections::graph(connection).await?;
    let sender = sender.ok_or_else(|| Trouble::Temporary("the inbox has no access token".into()))?;
    let mut allowed: Vec<&str> = whatsapp::MEDIA_HOSTS.to_vec();
    allowed.push(&sender.base_url);
    let untrusted = |_| never("The file is at an address that is not the channel's.");
    if source.contains("://") {
        let request = whatsapp::media_download(&sender, source, &allowed).map_err(untrusted)?;
        return Ok((follow(request).await?, None));
    }
    let mut renewed = false;
    loop {
        let request =
            whatsapp::media_info(&sender, source).map_err(|error| Trouble::Final(error.to_string()))?;
        let answer = outbound::send(request, DEADLINES).await?;
        let info = whatsapp::read_media_info(answer.status().as_u16(), answer.headers(), answer.body());
        let info = info.map_err(|failure| refused(&failure))?;
        if info.size.is_some_and(|size| size > limit) {
            return Err(too_large(limit));
        }
        let request = whatsapp::media_download(&sender, &info.url, &allowed).map_err(untrusted)?;
        let download = follow(request).await?;
        match download.status {
            404 if !renewed => renewed = true,
            // A fresh URL that is not known: the token is suspect, which somebody may put right.
            401 | 403 | 404 => {
                return Err(Trouble::Temporary(format!("HTTP {} for a fresh URL", download.status)));
            }
            _ => return Ok((download, info.mime)),
        }
    }
}

fn refused(failure: &Failure) -> Trouble {
    match failure.class {
        RetryClass::Never | RetryClass::OtherWay => never("The channel does not have the file any more."),
        RetryClass::Retry | RetryClass::Throttled | RetryClass::Alert(_) => {
            Trouble::Temporary(format!("{}: {}", failure.code, failure.provider_text))
        }
    }
}

async fn is_twilio(connection: &Connection) -> Result<bool> {
    let sealer = common::crypto::Sealer::from_settings().await?;
    Ok(matches!(connection.credentials(&sealer)?, Credentials::Twilio { .. }))
}

async fn of_twilio(connection: &Connection, source: &str) -> Result<Download, Trouble> {
    let sender = connections::twilio(connection, "").await?;
    let sender = sender.ok_or_else(|| Trouble::Temporary("the inbox has no account".into()))?;
    let allowed = [TWILIO_HOST, &sender.base_url];
    let request = twilio::media_download(&sender, source, &allowed)
        .map_err(|_| never("The file is at an address that is not the channel's."))?;
    match follow(request).await? {
        // The credentials are wrong, which somebody may put right.
        download if download.status == 401 => Err(Trouble::Temporary("HTTP 401".into())),
        download => Ok(download),
    }
}

/// Sends a request and goes where the answer sends us, without what the first request proved itself with.
async fn follow(request: Request<Vec<u8>>) -> Result<Download, Trouble> {
    let mut at = Url::parse(&request.uri().to_string()).map_err(|_| never("The file has no address."))?;
    let mut download = outbound::download(request, DEADLINES).await?;
    for _ in 0..REDIRECTS_MAX {
        if !matches!(download.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(download);
        }
        let to = download.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
        at = to.and_then(|to| at.join(to).ok()).ok_or_else(|| never("The channel sent us nowhere."))?;
        download = outbound::download(get(at.as_str()).await?, DEADLINES).await?;
    }
    Err(never("The channel sent us from place to place."))
}

/// A request without credentials, to a public place only: what a provider names may be anywhere.
async fn get(url: &str) -> Result<Request<Vec<u8>>, Trouble> {
    let sandbox = settings::sandbox().await;
    let of_sandbox = Url::parse(url)
        .ok()
        .filter(|url| sandbox && url.scheme() == "http" && url.host_str() == Some(SANDBOX_HOST));
    let url = match of_sandbox {
        Some(url) => url,
        None => Guard::new(sandbox)
            .url(url)
            .map_err(|_| never("The file is at an address that is not public."))?,
    };
    Request::get(url.as_str()).body(Vec::new()).map_err(|_| never("The file has no address."))
}

fn too_large(limit: u64) -> Trouble {
    Trouble::Final(format!("The file is larger than {limit} bytes."))
}

/// Writes the body as it comes, and tells by its first bytes what it is.
async fn store(
    job: &Job,
    media: &Media,
    download: &mut Download,
    told: Option<&str>,
    limit: u64,
) -> Result<(Type, Stored), Trouble> {
    let text = |name: header::HeaderName| {
        download.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_string)
    };
    let announced: Option<u64> = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let declared = told
        .map(str::to_string)
        .or_else(|| Some(media.mime.clone()).filter(|mime| mime != files::UNKNOWN_MIME))
        .or_else(|| text(header::CONTENT_TYPE));
    let (began, half_lease) = (Timestamp::now(), run::half_lease().await);
    let mut leased = began;
    let mut head = Vec::new();
    let mut writer = Writer::new(&media.id);
    while let Some(piece) = download.next().await? {
        let room = kinds::HEAD_BYTES.saturating_sub(head.len()).min(piece.len());
        head.extend_from_slice(piece.get(..room).unwrap_or_default());
        writer.write(&piece).await?;
        if u64::try_from(writer.size()).unwrap_or(u64::MAX) > limit {
            return Err(too_large(limit));
        }
        let now = Timestamp::now();
        if now > began.after(TOTAL) {
            return Err(Trouble::Temporary("the file comes too slowly".into()));
        }
        if now > leased.after(half_lease) {
            let until = now.after(run::lease().await);
            if !db::write(|db| jobs::extend(db, job, until)).await? {
                return Err(Trouble::Lost);
            }
            leased = now;
        }
    }
    if writer.size() == 0 {
        return Err(Trouble::Temporary("the file is empty".into()));
    }
    let kind = kinds::recognise(declared.as_deref(), media.filename.as_deref(), &head);
    Ok((kind, writer.finish().await?))
}
