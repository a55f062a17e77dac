//! `/v1/webhooks`: settings, signing keys, deliveries.

mod attempts;
mod delivery;
mod fairness;
mod receivers;
mod schedule;
mod settings;
mod signing_keys;

/// What needs no waiting for a retry comes within this time.
const SOON: std::time::Duration = std::time::Duration::from_secs(5);
