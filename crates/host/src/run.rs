//! Puts an application together from its manifest, serves it, and stops it.
use crate::app::{App, Component, Databases, Host, Reuse};
use crate::blocked_networks::BlockedNetworks;
use crate::connections::Connections;
use crate::cron::Job;
use crate::engine;
use crate::instances::Instances;
use crate::key_value::KeyValue;
use crate::manifest::Manifest;
use crate::outbound::Outbound;
use crate::routes::Router;
use crate::server::Server;
use crate::shutdown::{self, Count};
use crate::sqlite::StatementMode;
use crate::variables::Variables;
use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use wasmtime::Result;
use wasmtime::component::InstancePre;
use wasmtime::error::Context as _;

/// How long requests in flight may take when the server stops.
const REQUEST_GRACE: Duration = Duration::from_secs(10);
/// How long, after the last request, work that guests spawned may take.
const SPAWNED_GRACE: Duration = Duration::from_secs(2);
/// How long threads may take to close their databases.
const THREAD_GRACE: Duration = Duration::from_secs(1);

/// What to run and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The manifest.
    pub manifest: PathBuf,
    /// `host:port`; port 0 picks a free one.
    pub listen: String,
    /// The folder of databases and key-value stores.
    pub data: PathBuf,
    /// The folder to take wasm files from instead of the manifest's.
    pub components: Option<PathBuf>,
    /// The folder of compiled components; `cache` in the data folder if there is none.
    pub cache: Option<PathBuf>,
    /// Where SQLite statements run.
    pub statements: StatementMode,
    /// How long instances live.
    pub reuse: Reuse,
    /// Networks that guests may not reach.
    pub blocked_networks: BlockedNetworks,
}

/// Serves an application until SIGTERM or SIGINT. Prints `listening on http://ADDRESS` to standard
/// output once it is ready.
///
/// # Errors
/// When the application cannot be started.
pub fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(options));
    runtime.shutdown_timeout(THREAD_GRACE);
    result
}

async fn serve(options: &Options) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let manifest = Manifest::load(&options.manifest)?;
    let parts = parts(&manifest, options)?;
    let patterns =
        manifest.http.iter().filter_map(|route| Some((route.pattern.as_deref()?, route.component.as_str())));
    let router = Router::new(patterns)?;

    let (stop, shutdown) = shutdown::channel();
    let (connections, instances) = (Count::default(), Count::default());
    let app = Arc::new(App {
        key_value: KeyValue::open(&options.data.join("sqlite_key_value.db"))?,
        outbound: Arc::new(Outbound::new(Connections::new(options.blocked_networks.clone())?)),
        reuse: options.reuse,
        shutdown: shutdown.clone(),
    });
    let mut handlers = HashMap::new();
    for route in &manifest.http {
        if !handlers.contains_key(&route.component) {
            let Part { component, pre } = part(&parts, &route.component)?;
            let handler = Instances::handler(app.clone(), component, pre, instances.clone())?;
            handlers.insert(route.component.clone(), handler);
        }
    }
    let mut jobs = Vec::new();
    for trigger in &manifest.cron {
        let Part { component, pre } = part(&parts, &trigger.component)?;
        jobs.push(Job::new(app.clone(), component, pre, &trigger.expression)?);
    }

    let listener = TcpListener::bind(&options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener.local_addr()?;
    app.outbound.connect_inside(handlers.clone(), reachable(address));
    let server = Arc::new(Server::new(router, handlers));
    let serving = tokio::spawn(server.serve(listener, shutdown.clone(), connections.clone()));
    for job in jobs {
        tokio::spawn(job.run(shutdown.clone(), instances.enter()));
    }
    let mut output = std::io::stdout();
    writeln!(output, "listening on http://{address}")?;
    output.flush()?;

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.now();
    // The accepting task closes the listener: from here on no one gets in.
    serving.await?;
    wait_for_the_rest(&connections, &instances).await;
    Ok(())
}

async fn wait_for_the_rest(connections: &Count, instances: &Count) {
    if timeout(REQUEST_GRACE, connections.none_left()).await.is_err() {
        eprintln!("some requests did not end within {} s", REQUEST_GRACE.as_secs());
    }
    if timeout(SPAWNED_GRACE, instances.none_left()).await.is_err() {
        eprintln!("some work after responses did not end within {} s", SPAWNED_GRACE.as_secs());
    }
}

/// A component that a trigger names: what the manifest gives it, and its code.
#[derive(Clone)]
struct Part {
    component: Arc<Component>,
    pre: InstancePre<Host>,
}

fn part(parts: &HashMap<String, Part>, name: &str) -> Result<Part> {
    parts.get(name).cloned().with_context(|| format!("there is no component `{name}`"))
}

/// Everything that triggers name, by the component's name.
fn parts(manifest: &Manifest, options: &Options) -> Result<HashMap<String, Part>> {
    let variables = Variables::resolve(&manifest.variables, |name| std::env::var(name).ok())?;
    std::fs::create_dir_all(&options.data)
        .with_context(|| format!("cannot make the data folder {}", options.data.display()))?;
    let base = options.manifest.parent().unwrap_or(Path::new(""));
    let (mut components, mut files) = (Vec::new(), Vec::new());
    let mut databases = Databases::new(options.data.clone(), options.statements);
    for (name, section) in manifest.triggered() {
        files.push((name, section.wasm_file(base, options.components.as_deref())?));
        components.push(Component::new(name, section, &variables, &mut databases)?);
    }
    let cache = options.cache.clone().unwrap_or_else(|| options.data.join("cache"));
    let engine = engine::engine(&cache)?;
    let compiled = engine::compile(&engine::linker(&engine)?, &files)?;
    let parts = components.into_iter().zip(compiled);
    Ok(parts
        .map(|(component, pre)| (component.name.to_string(), Part { component: Arc::new(component), pre }))
        .collect())
}

/// The address under which this process reaches itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
