//! The command line of the embedded runtime.
use clap::Parser;
use host::blocked_networks::BlockedNetworks;
use host::runtime_config::RuntimeConfig;
use host::sqlite::StatementMode;
use host::{Options, Reuse};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Runs a Spin application without Spin.
#[derive(Debug, Parser)]
// The last of two equal arguments counts, so that a script can be overridden.
#[command(name = "flownally-host", args_override_self = true)]
struct Arguments {
    /// The manifest
    #[arg(long, default_value = "spin.toml", value_name = "FILE")]
    from: PathBuf,
    /// The address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "HOST:PORT")]
    listen: String,
    /// The folder of databases and key-value stores
    #[arg(long, default_value = ".spin", value_name = "FOLDER")]
    data: PathBuf,
    /// Take each component's wasm file by its name from this folder, not from where the manifest says
    #[arg(long, value_name = "FOLDER")]
    components: Option<PathBuf>,
    /// The folder of compiled components [default: cache in the data folder]
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// How SQLite statements run: `queued` (writers take turns) or `blocking` (as in Spin)
    #[arg(long, default_value = "queued", value_name = "MODE")]
    statements: StatementMode,
    /// Networks that no request may reach: `private`, networks and addresses, separated by commas
    #[arg(long, default_value = "", value_name = "LIST", value_parser = parse_networks)]
    block_networks: BlockedNetworks,
    /// Spin's runtime configuration; of it `block_networks` in `[outbound_networking]` is read
    #[arg(long, value_name = "FILE")]
    runtime_config_file: Option<PathBuf>,
    /// Requests that one instance answers before another takes its place
    #[arg(long, default_value_t = Reuse::default().requests, value_name = "N")]
    max_instance_reuse_count: usize,
    /// Requests that one instance answers at once
    #[arg(long, default_value_t = Reuse::default().concurrent, value_name = "N")]
    max_instance_concurrent_reuse_count: usize,
    /// How long an instance without requests is kept, in milliseconds
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    idle_instance_timeout: u64,
}

fn parse_networks(list: &str) -> Result<BlockedNetworks, String> {
    list.parse().map_err(|error: wasmtime::Error| format!("{error:#}"))
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> wasmtime::Result<()> {
    let mut blocked_networks = arguments.block_networks;
    if let Some(file) = &arguments.runtime_config_file {
        blocked_networks = blocked_networks.and(RuntimeConfig::load(file)?.blocked_networks()?);
    }
    host::run(&Options {
        manifest: arguments.from,
        listen: arguments.listen,
        data: arguments.data,
        components: arguments.components,
        cache: arguments.cache,
        statements: arguments.statements,
        reuse: Reuse {
            requests: arguments.max_instance_reuse_count.max(1),
            concurrent: arguments.max_instance_concurrent_reuse_count.max(1),
            idle: Duration::from_millis(arguments.idle_instance_timeout),
        },
        blocked_networks,
    })
}
