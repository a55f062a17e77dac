//! The instance's one look at the feed, which serves all its streams.
//!
//! There is no task of its own for it: a task belongs to the request that began it and would hold that request's
//! place after its client left. Instead one of the waiting streams leads: it sleeps, looks, hands out what it
//! found, and wakes those who got something. When it has something to write itself, or its client leaves, another
//! one that waits is woken to lead. While no stream is open nobody looks.

use crate::options::{BATCH, LEASE, LOOK, RENEW};
use crate::slot::{Sights, Slot};
use common::time::{self, Timestamp};
use common::{Result, background, db};
use domain::streams;
use domain::updates::{self, Event, Update};
use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

#[derive(Default)]
struct Hub {
    slots: Vec<Arc<Slot>>,
    /// Up to where live streams have been served.
    position: i64,
    is_led: bool,
    /// Grows with each stream that goes live.
    joined: u64,
    renew_at: Option<Timestamp>,
}

thread_local! {
    static HUB: RefCell<Hub> = RefCell::new(Hub::default());
}

/// A stream's membership; ends when dropped.
pub struct Member(Arc<Slot>);

impl Member {
    pub fn join(slot: Arc<Slot>) -> Self {
        HUB.with_borrow_mut(|hub| hub.slots.push(slot.clone()));
        Member(slot)
    }

    pub fn slot(&self) -> &Arc<Slot> {
        &self.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        HUB.with_borrow_mut(|hub| hub.slots.retain(|slot| !Arc::ptr_eq(slot, &self.0)));
        // It may have been woken to lead, and left before it did.
        ask_somebody_to_lead();
        let (tenant, place) = (self.0.places(), self.0.place);
        background::spawn(async move {
            if let Err(problem) = db::write(|db| streams::close(db, &tenant, place)).await {
                common::log!("place of a stream not given back, it will expire", problem = problem);
            }
        });
    }
}

/// Being the one who looks; another stream is asked to when dropped.
struct Lead;

impl Lead {
    fn take() -> Option<Self> {
        HUB.with_borrow_mut(|hub| !std::mem::replace(&mut hub.is_led, true)).then(|| Lead)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        HUB.with_borrow_mut(|hub| hub.is_led = false);
        ask_somebody_to_lead();
    }
}

/// Wakes a stream that waits, if nobody leads. When all are busy, the first that waits again leads.
fn ask_somebody_to_lead() {
    let next = HUB.with_borrow(|hub| {
        if hub.is_led { None } else { hub.slots.iter().find_map(|slot| slot.state().take_waker()) }
    });
    if let Some(waker) = next {
        waker.wake();
    }
}

/// Waits until the stream has something to do, and looks at the feed for all meanwhile if nobody else does.
pub async fn wait(slot: &Slot) {
    loop {
        if let Some(_lead) = Lead::take() {
            loop {
                time::sleep(until_next_look()).await;
                look().await;
                // The lead's own waker stays unset: whoever leads is not asked to lead.
                if slot.state().has_work() {
                    return;
                }
            }
        }
        let has_work = poll_fn(|context| {
            if slot.state().poll(context.waker()) {
                return Poll::Ready(true);
            }
            if HUB.with_borrow(|hub| hub.is_led) { Poll::Pending } else { Poll::Ready(false) }
        });
        if has_work.await {
            return;
        }
    }
}

/// All instances look at the same moments of the clock: the machine wakes up once for all of them, which on an
/// idle one costs more than the looks.
fn until_next_look() -> Duration {
    let step = i64::try_from(LOOK.as_millis()).unwrap_or(i64::MAX);
    let past = Timestamp::now().millis().rem_euclid(step);
    Duration::from_millis(u64::try_from(step.saturating_sub(past)).unwrap_or_default())
}

async fn look() {
    let now = Timestamp::now();
    let (slots, renewal) = HUB.with_borrow_mut(|hub| {
        let is_due = hub.renew_at.is_none_or(|at| at <= now);
        if is_due {
            hub.renew_at = Some(now.after(RENEW));
        }
        let places = is_due.then(|| hub.slots.iter().map(|slot| slot.place).collect::<Vec<_>>());
        (hub.slots.clone(), places)
    });
    if let Some(places) = renewal {
        background::spawn(renew(places, now.after(LEASE)));
    }
    if let Err(problem) = serve_live().await {
        common::log!("live updates not read, tried again", problem = problem);
    }
    for slot in &slots {
        slot.tick(now);
    }
}

async fn renew(places: Vec<i64>, until: Timestamp) {
    if let Err(problem) = db::write(|db| streams::renew(db, &places, until)).await {
        common::log!("places of streams not renewed, tried again", problem = problem);
    }
}

/// Hands out what happened since the last look.
async fn serve_live() -> Result<()> {
    loop {
        let (position, joined) = HUB.with_borrow(|hub| (hub.position, hub.joined));
        if db::read(updates::newest).await? <= position {
            return Ok(());
        }
        let live: Vec<Arc<Slot>> =
            HUB.with_borrow(|hub| hub.slots.iter().filter(|slot| slot.state().live).cloned().collect());
        let found = gather(&live, position).await?;
        let is_whole = HUB.with_borrow_mut(|hub| {
            // Who went live while the database was waited for must not be passed over.
            if hub.joined != joined || hub.position != position {
                return false;
            }
            hub.position = found.upto;
            true
        });
        if is_whole {
            live.iter().for_each(|slot| slot.deliver(&found.events, &found.sights, found.upto));
            if found.complete {
                return Ok(());
            }
        }
    }
}

/// A piece of the feed, made ready.
pub struct Found {
    events: Vec<Event>,
    sights: Sights,
    upto: i64,
    complete: bool,
}

/// Reads on after `position` for these streams: what none of them wants is passed over.
async fn gather(slots: &[Arc<Slot>], position: i64) -> Result<Found> {
    db::read(|db| {
        let tenants: BTreeSet<&str> = slots.iter().map(|slot| slot.tenant.as_str()).collect();
        let piece = updates::read(db, &tenants, position, BATCH)?;
        let mut by_tenant: BTreeMap<&str, Vec<&Update>> = BTreeMap::new();
        for update in piece.updates.iter().filter(|update| slots.iter().any(|slot| slot.wants(update))) {
            by_tenant.entry(&update.tenant).or_default().push(update);
        }
        let mut events = Vec::new();
        for (tenant, updates) in by_tenant {
            events.extend(updates::events(db, tenant, &updates)?);
        }
        let mut sights = Sights::new();
        for slot in slots {
            let Some(viewer) = slot.state().viewer.clone() else { continue };
            if let Entry::Vacant(unknown) = sights.entry((slot.tenant.clone(), viewer)) {
                let (tenant, viewer) = unknown.key();
                let sight = updates::sight(db, tenant, viewer, &events)?;
                unknown.insert(sight);
            }
        }
        Ok(Found { events, sights, upto: piece.upto, complete: piece.complete })
    })
    .await
}

/// Reads the next piece for a stream that is behind. When it has read everything it goes live.
pub async fn catch_up(slot: &Arc<Slot>) -> Result<()> {
    let position = slot.state().position;
    let complete = if let Some(visit) = &slot.visit {
        let piece = visit.after(position).await?;
        slot.tell(&piece);
        piece.complete
    } else {
        let found = gather(std::slice::from_ref(slot), position).await?;
        slot.deliver(&found.events, &found.sights, found.upto);
        found.complete
    };
    if !complete {
        return Ok(());
    }
    // Nothing is awaited since the feed was read: what is committed from here on is after its end.
    HUB.with_borrow_mut(|hub| {
        let position = slot.state().position;
        if !hub.slots.iter().any(|other| other.state().live) {
            hub.position = position;
        }
        if position >= hub.position {
            slot.state().live = true;
            hub.joined = hub.joined.wrapping_add(1);
        }
    });
    Ok(())
}
