//! `/platform/api/v1`: accounts, users and memberships in Chatwoot's form, with Chatwoot's errors.

mod accounts;
mod members;
mod users;
