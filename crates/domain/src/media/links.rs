//! Links to files that need no token: signed, and good until a moment that they name. For providers that fetch a
//! file, for browsers and for the customers of live chat.
//!
//! `/media/<tenant>/uploads/<id>?expires=<seconds since 1970>&signature=<43 characters>`; the signature is an
//! HMAC over tenant, id and expiry with a key derived from `encryption_key`, and links made with
//! `encryption_key_previous` stay good.

use super::path;
use common::crypto::Signer;
use common::time::Timestamp;
use common::{Result, settings};
use std::time::Duration;

/// Longest life of a link.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Makes links and checks them.
#[derive(Clone, Debug)]
pub struct Links {
    signer: Signer,
    /// Without a trailing slash.
    base: String,
}

/// Why a link is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was good once.
    Expired,
    /// It was never made by us.
    Forged,
}

impl Links {
    /// From the variables `encryption_key`, `encryption_key_previous` and, for absolute links, `public_url`.
    pub async fn from_settings() -> Result<Self> {
        let signer = Signer::from_settings("media links").await?;
        let base = settings::get("public_url").await.unwrap_or_default();
        Ok(Links { signer, base: base.trim_end_matches('/').to_string() })
    }

    /// Relative to this server.
    pub fn path(&self, tenant: &str, id: &str, expires: Timestamp) -> String {
        let expires = expires.seconds();
        let signature = self.signer.sign(&text(tenant, id, expires));
        format!("{}?expires={expires}&signature={signature}", path(tenant, id))
    }

    /// Absolute, below the variable `public_url`: for those who reach us from outside.
    pub fn url(&self, tenant: &str, id: &str, expires: Timestamp) -> String {
        format!("{}{}", self.base, self.path(tenant, id, expires))
    }

    /// Checks the parts of a link.
    pub fn check(
        &self,
        tenant: &str,
        id: &str,
        expires: i64,
        signature: &str,
        now: Timestamp,
    ) -> Result<(), Refused> {
        if !self.signer.verify(&text(tenant, id, expires), signature) {
            return Err(Refused::Forged);
        }
        if now.seconds() >= expires { Err(Refused::Expired) } else { Ok(()) }
    }
}

fn text(tenant: &str, id: &str, expires: i64) -> String {
    format!("{tenant}/{id}/{expires}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_one_file_until_it_expires() {
        let links =
            Links { signer: Signer::new("media links", &["k".into()]), base: "https://x.example".into() };
        let end = Timestamp::from_seconds(1000);
        let link = links.url("tn_1", "mda_1", end);
        let (head, signature) = link.split_once("&signature=").unwrap();
        assert_eq!(head, "https://x.example/media/tn_1/uploads/mda_1?expires=1000");
        let at = |seconds| Timestamp::from_seconds(seconds);
        assert_eq!(links.check("tn_1", "mda_1", 1000, signature, at(999)), Ok(()));
        assert_eq!(links.check("tn_1", "mda_1", 1000, signature, at(1000)), Err(Refused::Expired));
        assert_eq!(links.check("tn_1", "mda_1", 2000, signature, at(999)), Err(Refused::Forged));
        assert_eq!(links.check("tn_2", "mda_1", 1000, signature, at(999)), Err(Refused::Forged));
        assert_eq!(links.check("tn_1", "mda_2", 1000, signature, at(999)), Err(Refused::Forged));
    }
}
