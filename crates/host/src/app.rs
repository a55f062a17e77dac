//! What the instances of an application share, and what each of them has for itself.
use crate::allowed_hosts::AllowedHosts;
use crate::guest_output::GuestOutput;
use crate::key_value::KeyValue;
use crate::manifest;
use crate::outbound::{Hooks, Outbound};
use crate::shutdown::Shutdown;
use crate::sqlite::{Database, Instance, StatementMode};
use crate::variables::Variables;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Result;
use wasmtime::component::ResourceTable;
use wasmtime::error::Context as _;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, p2, p3};

/// How long an instance lives. The defaults are Spin's.
#[derive(Clone, Copy, Debug)]
pub struct Reuse {
    /// Requests that one instance answers before another takes its place.
    pub requests: usize,
    /// Requests that one instance answers at once.
    pub concurrent: usize,
    /// How long an instance without requests is kept.
    pub idle: Duration,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { requests: 128, concurrent: 16, idle: Duration::from_secs(1) }
    }
}

/// What all instances of all components share.
pub struct App {
    /// The key-value stores.
    pub key_value: KeyValue,
    /// The way out.
    pub outbound: Arc<Outbound>,
    /// How long instances live.
    pub reuse: Reuse,
    /// Ends idle instances early.
    pub shutdown: Shutdown,
}

/// One component's part of the manifest, checked and with its variables filled in.
pub struct Component {
    /// The name in the manifest.
    pub name: Arc<str>,
    /// Databases by label.
    pub databases: HashMap<String, Arc<Database>>,
    /// Labels of its key-value stores.
    pub key_value_stores: HashSet<String>,
    /// The component's own variables.
    pub variables: HashMap<String, String>,
    /// Where it may send requests.
    pub allowed_hosts: AllowedHosts,
    environment: Vec<(String, String)>,
}

impl Component {
    /// # Errors
    /// When a template or an allowed host of the manifest is malformed.
    pub fn new(
        name: &str,
        manifest: &manifest::Component,
        variables: &Variables,
        databases: &mut Databases,
    ) -> Result<Self> {
        let mut build = || -> Result<Self> {
            let expanded =
                |(name, template): (&String, &String)| Ok((name.clone(), variables.expand(template)?));
            let hosts = manifest.allowed_outbound_hosts.iter().map(|host| variables.expand(host));
            let opened = |label: &String| Ok((label.clone(), databases.get(label)?));
            Ok(Self {
                name: name.into(),
                databases: manifest.sqlite_databases.iter().map(opened).collect::<Result<_>>()?,
                key_value_stores: manifest.key_value_stores.iter().cloned().collect(),
                variables: manifest.variables.iter().map(expanded).collect::<Result<_>>()?,
                allowed_hosts: AllowedHosts::parse(hosts.collect::<Result<Vec<_>>>()?)?,
                environment: manifest.environment.clone().into_iter().collect(),
            })
        };
        build().with_context(|| format!("in [component.{name}]"))
    }
}

/// The databases of an application. Components with the same label share one.
pub struct Databases {
    folder: PathBuf,
    mode: StatementMode,
    opened: HashMap<String, Arc<Database>>,
}

impl Databases {
    /// Files in this folder.
    pub fn new(folder: PathBuf, mode: StatementMode) -> Self {
        Self { folder, mode, opened: HashMap::new() }
    }

    /// The database of a label, in a file named as Spin names it.
    fn get(&mut self, label: &str) -> Result<Arc<Database>> {
        if let Some(database) = self.opened.get(label) {
            return Ok(database.clone());
        }
        let database = Arc::new(Database::open(database_file(&self.folder, label), self.mode)?);
        self.opened.insert(label.to_string(), database.clone());
        Ok(database)
    }
}

/// `sqlite_db.db` for the label `default`, `sqlite_<label>.db` for others.
fn database_file(folder: &Path, label: &str) -> PathBuf {
    match label {
        "default" => folder.join("sqlite_db.db"),
        _ => folder.join(format!("sqlite_{label}.db")),
    }
}

/// The data of one instance's store.
pub struct Host {
    /// Shared by all instances.
    pub app: Arc<App>,
    /// Shared by the instances of the component.
    pub component: Arc<Component>,
    /// What its connections know of each other.
    pub instance: Arc<Instance>,
    /// What the guest's handles stand for.
    pub table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
}

impl Host {
    /// The data of a new instance.
    pub fn new(app: Arc<App>, component: Arc<Component>) -> Self {
        let wasi = WasiCtx::builder()
            .stdout(GuestOutput::new(component.name.clone()))
            .stderr(GuestOutput::new(component.name.clone()))
            .envs(&component.environment)
            .build();
        Self {
            hooks: Hooks::new(app.outbound.clone(), component.clone()),
            app,
            component,
            instance: Instance::new(),
            table: ResourceTable::new(),
            wasi,
            http: WasiHttpCtx::new(),
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

// Wasmtime 47 has one view and one trait of hooks for each WASI version.
impl p2::WasiHttpView for Host {
    fn http(&mut self) -> p2::WasiHttpCtxView<'_> {
        p2::WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

impl p3::WasiHttpView for Host {
    fn http(&mut self) -> p3::WasiHttpCtxView<'_> {
        p3::WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}
