//! The native twin: axum and rusqlite answering three of our requests from the same database file,
//! with the same statements and the same checks. What a component loses against it is the price of
//! the sandbox.
//!
//! `native load DATABASE COUNT` fills the database of a freshly made tenant with contacts;
//! `native serve DATABASE ADDRESS` serves it.
//!
//! For webhooks: `native receive ADDRESS` is a receiver that measures, `native tenants APP TOKEN COUNT RECEIVER` makes
//! tenants with an endpoint each and prints their keys, `native events APP KEYS COUNT RATE` makes events through the
//! API, and `native deliver RECEIVER COUNT IN_FLIGHT` is the bare loop that the platform is compared with.

mod client;
mod contacts;
mod database;
mod load;
mod messages;
mod server;
mod webhooks;

use std::process::ExitCode;

const USAGE: &str = "Usage: native load DATABASE COUNT | serve DATABASE ADDRESS | receive ADDRESS |
       tenants APP TOKEN COUNT RECEIVER | events APP KEYS COUNT RATE | deliver RECEIVER COUNT IN_FLIGHT";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["load", database, count] => load::run(database, count),
        ["serve", database, address] => server::run(database, address),
        ["receive", address] => webhooks::receive::run(address),
        ["tenants", app, token, count, receiver] => webhooks::tenants::run(app, token, count, receiver),
        ["events", app, keys, count, rate] => webhooks::events::run(app, keys, count, rate),
        ["deliver", receiver, count, in_flight] => webhooks::deliver::run(receiver, count, in_flight),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("native: {error}");
            ExitCode::FAILURE
        }
    }
}
