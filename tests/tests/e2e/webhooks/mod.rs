//! `/v1/webhooks`: settings, signing keys, deliveries.

mod delivery;
mod settings;
mod signing_keys;
