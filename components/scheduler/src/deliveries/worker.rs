//! One endpoint's deliveries, by a worker that has it to itself.
//!
//! It sends at most [`IN_FLIGHT`] at a time, one while the endpoint is failing, writes what became of them together,
//! and reads on in the same transaction. New events find it by their rows: it looks again while it waits.

use super::exchange::{self, Letter};
use crate::run;
use common::crypto::Sealer;
use common::outbound;
use common::time::Timestamp;
use common::{Result, db, settings};
use domain::webhooks::address::Guard;
use domain::webhooks::keys::Signer;
use domain::webhooks::queue::{self, Attempt, Delivery, Leased, Standing, Verdict};
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

/// Deliveries to one endpoint at the same time.
const IN_FLIGHT: usize = 4;
/// Deliveries read at a time.
const BATCH: u32 = 32;
/// How long a worker keeps an endpoint before others get the place.
const TURN: Duration = Duration::from_secs(5);
/// How often it looks for new events while it waits for answers.
const LOOK: Duration = Duration::from_millis(200);

type Outcome = (Delivery, Attempt);
type Flight = Pin<Box<dyn Future<Output = Outcome>>>;

/// How letters are signed, and where they may go.
struct Manner {
    signer: Signer,
    guard: Guard,
}

struct Worker {
    endpoint: Leased,
    sealer: Sealer,
    /// Whether this machine may be called.
    local: bool,
    manner: Option<Rc<Manner>>,
    ready: VecDeque<Delivery>,
    /// Rows in `flights`.
    flying: Vec<i64>,
    flights: FuturesUnordered<Flight>,
    outcomes: Vec<Outcome>,
    end: Timestamp,
    /// Nothing more is begun.
    closing: bool,
}

/// Makes what is due at an endpoint, and gives it back. An error of ours leaves it to its lease.
pub async fn run(endpoint: Leased) {
    let (id, tenant) = (endpoint.id.clone(), endpoint.tenant.clone());
    if let Err(problem) = work(endpoint).await {
        common::log!("webhook worker failed", endpoint = id, tenant = tenant, problem = problem);
    }
}

async fn work(endpoint: Leased) -> Result<()> {
    let mut worker = Worker {
        endpoint,
        sealer: Sealer::from_settings().await?,
        local: settings::webhooks_local().await.is_some(),
        manner: None,
        ready: VecDeque::new(),
        flying: Vec::new(),
        flights: FuturesUnordered::new(),
        outcomes: Vec::new(),
        end: Timestamp::now().after(TURN),
        closing: false,
    };
    // The first look also makes the endpoint's key, where there is none.
    if !worker.settle().await? {
        return Ok(());
    }
    loop {
        worker.start();
        worker.collect();
        if !worker.outcomes.is_empty() {
            if !worker.settle().await? {
                return Ok(());
            }
        } else if worker.flights.is_empty() {
            if worker.closing || !worker.look().await? {
                break;
            }
        } else if worker.has_room() {
            worker.wait(Some(LOOK)).await;
            if worker.outcomes.is_empty() && !worker.look().await? {
                continue;
            }
        } else {
            worker.wait(None).await;
        }
    }
    let endpoint = worker.endpoint;
    db::write(|db| queue::release(db, &endpoint, Timestamp::now())).await
}

impl Worker {
    fn window(&self) -> usize {
        if self.endpoint.failures > 0 { 1 } else { IN_FLIGHT }
    }

    fn has_room(&self) -> bool {
        !self.closing && self.ready.is_empty() && self.flights.len() < self.window()
    }

    /// Begins what there is room for; after a failure only when it was written, as it may close the endpoint.
    fn start(&mut self) {
        self.closing |= Timestamp::now() >= self.end;
        if self.outcomes.iter().any(|(_, attempt)| attempt.verdict != Verdict::Succeeded) {
            return;
        }
        let Some(manner) = self.manner.clone() else { return };
        while !self.closing
            && self.flights.len() < self.window()
            && let Some(delivery) = self.ready.pop_front()
        {
            self.flying.push(delivery.seq);
            self.flights.push(Box::pin(fly(delivery, self.endpoint.url.clone(), manner.clone())));
        }
    }

    /// Takes what has ended, without waiting; polls what was begun.
    fn collect(&mut self) {
        while let Some(Some(outcome)) = self.flights.next().now_or_never() {
            self.outcomes.push(outcome);
        }
    }

    /// Waits for the next end, at most so long.
    async fn wait(&mut self, limit: Option<Duration>) {
        let next = self.flights.next();
        let outcome = match limit {
            Some(limit) => outbound::before(limit, next).await.flatten(),
            None => next.await,
        };
        self.outcomes.extend(outcome);
    }

    /// Whether there is something new; it is read then.
    async fn look(&mut self) -> Result<bool> {
        let (endpoint, flying) = (&self.endpoint, &self.flying);
        let found = db::read(|db| queue::due(db, endpoint, Timestamp::now(), flying, 1)).await?;
        if found.is_empty() {
            return Ok(false);
        }
        self.settle().await
    }

    /// Writes the outcomes, reads on, and takes over what changed at the endpoint. `false`: it is not ours any more.
    async fn settle(&mut self) -> Result<bool> {
        let outcomes = std::mem::take(&mut self.outcomes);
        self.flying.retain(|seq| outcomes.iter().all(|(delivery, _)| delivery.seq != *seq));
        let lease = run::lease().await;
        let limit = if self.ready.is_empty() && !self.closing { BATCH } else { 0 };
        let (endpoint, sealer, flying) = (&mut self.endpoint, &self.sealer, &self.flying);
        let local = self.local;
        let settled = db::write(|db| {
            let now = Timestamp::now();
            let Some(standing) = queue::record(db, endpoint, &outcomes, now, lease)? else { return Ok(None) };
            endpoint.follow(&standing);
            let guard = Guard::of(db, &endpoint.tenant, local)?;
            let manner = Manner { signer: endpoint.signer(db, sealer)?, guard };
            let found = if limit == 0 { Vec::new() } else { queue::due(db, endpoint, now, flying, limit)? };
            Ok(Some((standing, manner, found)))
        })
        .await?;
        let Some((standing, manner, found)) = settled else { return Ok(false) };
        self.closing |= must_close(&standing);
        self.manner = Some(Rc::new(manner));
        self.ready.extend(found);
        Ok(true)
    }
}

fn must_close(standing: &Standing) -> bool {
    !standing.enabled
        || standing.url.is_none()
        || standing.open_until.is_some_and(|until| until > Timestamp::now())
}

async fn fly(delivery: Delivery, url: String, manner: Rc<Manner>) -> Outcome {
    let letter = Letter {
        url: &url,
        event: &delivery.event,
        body: &delivery.body,
        number: delivery.number,
        signer: &manner.signer,
        guard: &manner.guard,
    };
    let attempt = exchange::attempt(&letter).await;
    (delivery, attempt)
}
