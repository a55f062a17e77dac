//! `/v1/webhooks`: endpoints, signing keys, deliveries and their log.

mod attempts;
mod delivery;
mod endpoints;
mod fairness;
mod guard;
mod health;
mod log;
mod ordering;
mod receivers;
mod recovery;
mod schedule;
mod settings;
mod signing_keys;
mod verify;

/// What needs no waiting for a retry comes within this time.
const SOON: std::time::Duration = std::time::Duration::from_secs(5);
