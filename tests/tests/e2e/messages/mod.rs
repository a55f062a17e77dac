//! `/v1/messages` and `/v1/conversations/{id}/messages`.

mod delivery;
mod history;
mod send;
mod window;
