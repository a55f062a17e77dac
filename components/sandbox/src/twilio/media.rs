//! Files of messages that came in (channels section 6.3): asked for with the account's credentials, then to be had
//! elsewhere without any.

use super::error::Error;
use super::resource::API;
use super::send::authorize;
use crate::provider::Provider::Twilio;
use crate::store::{media, people};
use crate::{files, ids};
use axum::extract::Path;
use common::db;
use common::time::Timestamp;
use http::{HeaderMap, StatusCode, header};

pub const DESCRIPTION: &str = "\
The `MediaUrl` of a message that came in. HTTP Basic is asked for, as of every resource of the account; the answer has \
no bytes but redirects to where they are, for a few minutes and without any credential: a request that brings one there \
is refused with 400, as the provider's storage does. A client that sends its account's credentials along a redirect \
shows at once.";

/// The URL of a file, as a callback names it.
pub fn url(origin: &str, account_sid: &str, message: &str, media: &str) -> String {
    format!("{origin}/sandbox/twilio/{API}/Accounts/{account_sid}/Messages/{message}/Media/{media}")
}

/// Sends the caller to the bytes.
pub async fn redirect(
    Path((account_sid, message, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<(StatusCode, [(header::HeaderName, String); 1]), Error> {
    authorize(&headers, &account_sid).await?;
    let now = Timestamp::now();
    let found = db::write(|db| {
        let Some(mut file) = media::find(db, Twilio, &name, now)? else { return Ok(None) };
        if !people::has_received(db, Twilio, &file.account, &message)? {
            return Ok(None);
        }
        if file.url_expires_at <= now {
            (file.url_key, file.url_expires_at) = (ids::url_key(), now.after(files::TWILIO_URL));
            media::set_url(db, &file.id, &file.url_key, file.url_expires_at)?;
        }
        Ok(Some(file))
    })
    .await?;
    let path = || format!("/{API}/Accounts/{account_sid}/Messages/{message}/Media/{name}");
    let file = found.ok_or_else(|| Error::not_found(&path()))?;
    let to = files::url(&files::origin_of(&headers), Twilio, &file.url_key);
    Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]))
}
