//! Files: up, down, and away.

mod download;
mod large;
mod links;
mod records;
mod store;
mod upload;
