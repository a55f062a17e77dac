//! What the business does: records, rules and SQL, one module a resource.
//!
//! Every function takes the tenant, or a principal that carries it, before anything else: there is no
//! way to find a row by its id alone. Functions that change something take a [`common::db::Db`] that is
//! inside a transaction, so that a handler composes them into one effect.

pub mod accounts;
pub mod audit;
pub mod billing;
pub mod callbacks;
pub mod contacts;
pub mod content;
pub mod conversations;
pub mod delivery;
pub mod events;
pub mod fields;
pub mod imports;
pub mod inbound;
pub mod inboxes;
pub mod jobs;
pub mod livechat;
pub mod media;
pub mod messages;
pub mod outgoing;
pub mod pace;
pub mod pending;
pub mod phone;
pub mod reactions;
pub mod recipients;
pub mod resend;
pub mod scheduled;
pub mod service_accounts;
pub mod streams;
pub mod tags;
pub mod teams;
pub mod unread;
pub mod updates;
pub mod users;
pub mod visibility;
pub mod webhooks;

#[cfg(test)]
mod tests {
    /// An empty database with the whole schema, to look at statements without a server.
    pub fn schema() -> rusqlite::Connection {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for (_, file) in common::migrations::FILES {
            for statement in common::migrations::statements(file) {
                db.execute(&statement, []).unwrap_or_else(|error| panic!("{error}: {statement}"));
            }
        }
        db
    }
}
