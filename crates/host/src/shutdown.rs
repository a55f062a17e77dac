//! Stopping: one signal that everything can wait for, and a count of what is still running.
use std::sync::Arc;
use tokio::sync::watch;

/// Asks everything to stop. Dropping it asks too.
pub struct Stop(watch::Sender<bool>);

/// Tells when to stop.
#[derive(Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A connected pair.
pub fn channel() -> (Stop, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Shutdown(receiver))
}

impl Stop {
    /// Asks everything to stop.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits until everything shall stop.
    pub async fn requested(mut self) {
        // An error means that the other side is gone, which is a request as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Counts things that are running.
#[derive(Clone, Default)]
pub struct Count(Arc<watch::Sender<usize>>);

/// One of them, from its making until it is dropped.
pub struct Running(Count);

impl Count {
    /// Counts one more.
    pub fn enter(&self) -> Running {
        self.0.send_modify(|count| *count = count.saturating_add(1));
        Running(self.clone())
    }

    /// Waits until none is left.
    pub async fn none_left(&self) {
        // Cannot fail: `self` holds the other side.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
