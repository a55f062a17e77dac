//! Cron triggers: runs a component's `handle-cron-event` on its schedule, as the plugin of Spin does.
//! Each run has an instance of its own. A run that is due while the last one still goes is skipped.
use crate::app::{App, Component, Host};
use crate::shutdown::{Running, Shutdown};
use chrono::Utc;
use cron::Schedule;
use std::pin::pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{ComponentType, InstancePre, Lift, Lower};
use wasmtime::error::Context as _;
use wasmtime::{Result, Store, bail};

/// The function that `fermyon:spin-cron@2.0.0` has a component export.
const EXPORT: &str = "handle-cron-event";

/// `metadata`
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug)]
#[component(record)]
struct Metadata {
    /// When the run was due, in seconds since 1970.
    timestamp: u64,
}

/// `error`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
enum Error {
    #[component(name = "other")]
    Other(String),
}

/// One cron trigger.
pub struct Job {
    app: Arc<App>,
    component: Arc<Component>,
    pre: InstancePre<Host>,
    schedule: Schedule,
}

impl Job {
    /// # Errors
    /// When the expression is malformed or the component does not export the function.
    pub fn new(
        app: Arc<App>,
        component: Arc<Component>,
        pre: InstancePre<Host>,
        expression: &str,
    ) -> Result<Self> {
        let schedule = Schedule::from_str(expression).with_context(|| {
            format!("the cron_expression `{expression}` of the component `{}`: six or seven fields, seconds first", component.name)
        })?;
        if pre.component().get_export_index(None, EXPORT).is_none() {
            bail!("the component `{}` has a cron trigger but does not export `{EXPORT}`", component.name);
        }
        Ok(Self { app, component, pre, schedule })
    }

    /// Runs the component whenever it is due, until the server shall stop. A run that has begun is
    /// finished.
    pub async fn run(self, shutdown: Shutdown, _running: Running) {
        let mut stop = pin!(shutdown.requested());
        // The next time is sought after now: what came due during a run is skipped.
        while let Some(due) = self.schedule.after(&Utc::now()).next() {
            let wait = due.signed_duration_since(Utc::now()).to_std().unwrap_or(Duration::ZERO);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = &mut stop => return,
            }
            let timestamp = u64::try_from(due.timestamp()).unwrap_or_default();
            if let Err(error) = self.run_once(Metadata { timestamp }).await {
                eprintln!("[{}] the cron run failed: {error:#}", self.component.name);
            }
        }
    }

    async fn run_once(&self, metadata: Metadata) -> Result<()> {
        let mut store = Store::new(self.pre.engine(), Host::new(self.app.clone(), self.component.clone()));
        let instance = self.pre.instantiate_async(&mut store).await?;
        let handle = instance.get_typed_func::<(Metadata,), (Result<(), Error>,)>(&mut store, EXPORT)?;
        match handle.call_async(&mut store, (metadata,)).await? {
            (Ok(()),) => Ok(()),
            (Err(Error::Other(message)),) => bail!("{message}"),
        }
    }
}
