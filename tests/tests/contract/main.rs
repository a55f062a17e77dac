//! What the tables of operations promise: the document made from them, its agreement with the published
//! contract, its examples, and who may call what.
//!
//! | module | what |
//! |---|---|
//! | [`document`] | `openapi.json` is fresh and complete |
//! | [`published`] | agreement with `contract/flownally-operations.json` |
//! | [`examples`] | every documented example is executed |
//! | [`authorization`] | every operation refuses whom it must refuse |
//! | [`runtime_config`] | the shipped guard blocks what the application refuses |
//! | [`cases`], [`world`] | a path for each operation, and the things it names |

mod authorization;
mod cases;
mod document;
mod examples;
mod published;
mod runtime_config;
mod tables;
mod world;
