//! `/v1/messages` and `/v1/conversations/{id}/messages`.

mod answers;
mod content;
mod delivery;
mod faults;
mod fleet;
mod history;
mod kinds;
mod lost_answers;
mod metadata;
mod pending;
mod reactions;
mod resend;
mod scheduled;
mod send;
mod social;
mod window;
