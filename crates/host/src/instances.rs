//! How instances of a component live: what the request handler of `wasmtime-wasi-http` asks its
//! embedder. A WASI 0.3 instance answers many requests, several at once, and goes when it was idle
//! for a while; a WASI 0.2 instance answers one.
use crate::app::{App, Component, Host, Reuse};
use crate::shutdown::{Count, Running};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use wasmtime::component::{GuestTaskId, InstancePre};
use wasmtime::error::Context as _;
use wasmtime::{Result, Store, StoreContextMut};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, ViewFn, WorkerExpiration, WorkerState,
    WorkerStatus,
};
use wasmtime_wasi_http::{p2, p3};

/// Answers requests to one component.
pub type Handler = ProxyHandler<Instances>;

/// Makes a component's instances.
pub struct Instances {
    app: Arc<App>,
    component: Arc<Component>,
    pre: ProxyPre<Host>,
    running: Count,
}

impl Instances {
    /// A handler for a component that exports an HTTP handler of WASI 0.3 or 0.2.
    ///
    /// # Errors
    /// When the component exports neither.
    pub fn handler(
        app: Arc<App>,
        component: Arc<Component>,
        pre: InstancePre<Host>,
        running: Count,
    ) -> Result<Handler> {
        let pre = match p3::bindings::ServicePre::new(pre.clone()) {
            Ok(pre) => ProxyPre::P3(pre),
            Err(_) => ProxyPre::P2(p2::bindings::ProxyPre::new(pre).with_context(|| {
                format!("the component `{}` has an HTTP trigger but no HTTP handler", component.name)
            })?),
        };
        Ok(ProxyHandler::new(Self { app, component, pre, running }))
    }
}

impl HandlerState for Instances {
    type StoreData = Host;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> Result<Instance<Host, Expiration, Worker>> {
        let mut store = Store::new(self.pre_engine(), Host::new(self.app.clone(), self.component.clone()));
        let proxy = self.pre.instantiate_async(&mut store).await?;
        // The view must be of the proxy's kind.
        let (view, reuse): (ViewFn<Host>, Reuse) = match &self.pre {
            ProxyPre::P3(_) => (ViewFn::P3(p3::WasiHttpView::http), self.app.reuse),
            ProxyPre::P2(_) => {
                let once = Reuse { requests: 1, concurrent: 1, ..self.app.reuse };
                (ViewFn::P2(p2::WasiHttpView::http), once)
            }
        };
        Ok(Instance {
            store,
            proxy,
            view,
            expiration: Expiration {
                reuse,
                idle: Box::pin(tokio::time::sleep(reuse.idle)),
                stop: Box::pin(self.app.shutdown.clone().requested()),
                stopping: false,
            },
            state: Worker {
                reuse,
                component: self.component.name.clone(),
                running: Mutex::new(Some(self.running.enter())),
            },
        })
    }
}

impl Instances {
    fn pre_engine(&self) -> &wasmtime::Engine {
        match &self.pre {
            ProxyPre::P3(pre) => pre.engine(),
            ProxyPre::P2(pre) => pre.engine(),
        }
    }
}

/// How many requests an instance takes.
pub struct Worker {
    reuse: Reuse,
    component: Arc<str>,
    /// Given to the thread that closes the store.
    running: Mutex<Option<Running>>,
}

impl WorkerState for Worker {
    type StoreData = Host;
    type RequestId = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.reuse.requests {
            ShouldAccept::Never
        } else if concurrent >= self.reuse.concurrent {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    /// The future is the request's time limit. Spin sets none.
    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Host>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Host>, result: Result<()>) {
        if let Err(error) = result {
            eprintln!("[{}] the instance failed: {error:?}", self.component);
        }
        // Closes SQLite connections: file work that must not hold up the calling thread.
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        tokio::task::spawn_blocking(move || {
            drop(store);
            drop(running);
        });
    }
}

/// When an instance ends: after it was idle for a while, or as soon as it is idle once the server
/// stops. Polled outside the instance's own event loop, with the time at which its status began.
pub struct Expiration {
    reuse: Reuse,
    idle: Pin<Box<tokio::time::Sleep>>,
    stop: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    stopping: bool,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        if !self.stopping {
            self.stopping = self.stop.as_mut().poll(context).is_ready();
        }
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        if self.stopping {
            return Poll::Ready(());
        }
        let Some(deadline) = tokio::time::Instant::from_std(since).checked_add(self.reuse.idle) else {
            return Poll::Pending; // never: the timeout is beyond what the clock can count
        };
        if self.idle.deadline() != deadline {
            self.idle.as_mut().reset(deadline);
        }
        self.idle.as_mut().poll(context)
    }
}
