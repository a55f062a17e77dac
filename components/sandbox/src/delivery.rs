//! Sending callbacks: signed, claimed, sent, and sent again until they are answered with 200.
//!
//! A callback is a row from the transaction that caused it, so a killed process loses none. Its driver is a
//! task that runs after the response; what that leaves is brought back by the tick. Claims are leases:
//! two drivers never send the same try, and a dead one's comes back.

use crate::provider::Provider;
use crate::recipients::Behaviour;
use crate::store::accounts::Settings;
use crate::store::callbacks::{self as store, Claimed, Planned};
use crate::store::log;
use crate::twilio;
use common::outbound::{self, Deadlines};
use common::time::{self, Timestamp};
use common::{Result, background, db};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// A receiver must answer within this: the provider's 20 s, scaled down by four.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(1),
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(5),
};
/// How long a driver holds a callback; longer than any try takes.
const LEASE: Duration = Duration::from_secs(8);
/// Drivers of one instance that deliver at the same time. Each has a batch under way: a receiver that is
/// slow meets a limit here, not a storm.
const DRIVERS_MAX: u32 = 2;
/// How many callbacks are claimed at once and sent side by side.
const BATCH: u32 = 16;
/// The gap after the first failed try; each next one is twice as long.
const FIRST_GAP: Duration = Duration::from_millis(250);
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// Gaps up to this long are waited for after the response; longer ones are left to the tick.
const DRIVER_WAITS: Duration = Duration::from_secs(2);
/// How late the answer comes to recipients of [`Behaviour::LateAnswer`]: longer than a sender waits.
const LATE_ANSWER: Duration = Duration::from_secs(15);

/// How a try was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    pub error: Option<String>,
}

impl Answer {
    /// Meta wants 200 itself; the others take any success.
    fn is_taken(&self, callback: &Claimed) -> bool {
        match Provider::parse(&callback.provider) {
            Some(Provider::Twilio | Provider::Gateway) => {
                self.status.is_some_and(|status| (200..300).contains(&status))
            }
            _ => self.status == Some(200),
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Done {
    pub delivered: u32,
    /// Not answered with 200: tried again later.
    pub postponed: u32,
    /// The first of those tries.
    pub next_try: Option<Timestamp>,
}

/// Plans the callbacks of a message, each twice in the mode `duplicate`; answers when they are due.
pub fn schedule(db: &db::Db<'_>, callbacks: Vec<Planned>, settings: &Settings) -> Result<Vec<Timestamp>> {
    let mut moments: Vec<_> = callbacks.iter().map(|callback| Timestamp(callback.due_at)).collect();
    moments.dedup();
    let copies = if settings.duplicate { 2 } else { 1 };
    let planned: Vec<_> =
        callbacks.into_iter().flat_map(|callback| std::iter::repeat_n(callback, copies)).collect();
    store::schedule(db, &planned, None)?;
    Ok(moments)
}

/// Plans callbacks that the caller sends itself with [`send_claimed`], inside its transaction.
pub fn schedule_own(db: &db::Db<'_>, planned: &[Planned], now: Timestamp) -> Result<Vec<Claimed>> {
    store::schedule(db, planned, Some(now.after(LEASE)))
}

/// Plans callbacks and sends them at once; gives how each was answered. What was not taken is tried again later.
pub async fn send_now(planned: &[Planned]) -> Result<Vec<Answer>> {
    let now = Timestamp::now();
    let claimed = db::write(|db| schedule_own(db, planned, now)).await?;
    let (answers, done) = send_claimed(claimed).await?;
    drive(done.next_try.into_iter().collect());
    Ok(answers)
}

/// What follows a message that was accepted, before it is answered: callbacks that are due already are sent (the
/// mode `callbackBeforeResponse`), the others will be, and some recipients let the answer come late.
pub async fn follow(moments: Vec<Timestamp>, accepted_at: Timestamp, behaviour: Behaviour) -> Result<()> {
    if moments.iter().any(|moment| *moment <= accepted_at) {
        // Whatever is not answered with 200 now is tried again later.
        deliver_due(u32::MAX).await?;
    }
    drive(moments);
    if behaviour == Behaviour::LateAnswer {
        time::sleep(LATE_ANSWER).await;
    }
    Ok(())
}

/// Sends callbacks at the given moments, after the response.
pub fn drive(moments: Vec<Timestamp>) {
    if moments.is_empty() {
        return;
    }
    background::spawn(async move {
        let mut moments: BinaryHeap<Reverse<Timestamp>> = moments.into_iter().map(Reverse).collect();
        while let Some(Reverse(moment)) = moments.pop() {
            sleep_until(moment).await;
            let Some(_place) = Place::take() else {
                // Those who deliver go on until nothing is due: they see this one's callbacks too.
                continue;
            };
            match deliver_due(u32::MAX).await {
                Ok(Done { next_try: Some(next), .. }) if next <= Timestamp::now().after(DRIVER_WAITS) => {
                    moments.push(Reverse(next));
                }
                Ok(_) => {}
                Err(problem) => common::log!("callbacks are left to the tick", problem = problem),
            }
        }
    });
}

thread_local! {
    static DRIVERS: Cell<u32> = const { Cell::new(0) };
}

/// A place among the drivers that deliver; given back when dropped.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let busy = DRIVERS.get();
        (busy < DRIVERS_MAX).then(|| {
            DRIVERS.set(busy.saturating_add(1));
            Place
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        DRIVERS.set(DRIVERS.get().saturating_sub(1));
    }
}

/// Sends what is due, at most `batches` times [`BATCH`] callbacks.
pub async fn deliver_due(batches: u32) -> Result<Done> {
    let mut done = Done::default();
    for _ in 0..batches {
        let now = Timestamp::now();
        if !db::read(|db| store::any_due(db, now)).await? {
            break;
        }
        let claimed = db::write(|db| store::claim(db, now, now.after(LEASE), BATCH)).await?;
        if claimed.is_empty() {
            break;
        }
        let (_, batch) = send_claimed(claimed).await?;
        done.delivered = done.delivered.saturating_add(batch.delivered);
        done.postponed = done.postponed.saturating_add(batch.postponed);
        done.next_try = [done.next_try, batch.next_try].into_iter().flatten().min();
    }
    Ok(done)
}

/// Sends callbacks that the caller holds, side by side, and records how they were answered.
pub async fn send_claimed(claimed: Vec<Claimed>) -> Result<(Vec<Answer>, Done)> {
    let progress: Vec<(String, String)> =
        claimed.iter().filter_map(|one| Some((one.message.clone()?, one.state.clone()?))).collect();
    if !progress.is_empty() {
        db::write(|db| twilio::resource::progress(db, &progress)).await?;
    }
    let requests = claimed.iter().map(|one| {
        let headers: BTreeMap<String, String> = serde_json::from_str(&one.headers).unwrap_or_default();
        send(one.url.clone(), headers, one.body.clone().into_bytes())
    });
    let answers = all(requests.collect()).await;
    let now = Timestamp::now();
    let mut done = Done::default();
    let (mut finished, mut postponed) = (Vec::new(), Vec::new());
    for (callback, answer) in claimed.iter().zip(&answers) {
        let why = answer
            .status
            .map_or_else(|| answer.error.clone().unwrap_or_default(), |status| status.to_string());
        if answer.is_taken(callback) {
            done.delivered = done.delivered.saturating_add(1);
            finished.push(callback.seq);
        } else if callback.attempts >= callback.tries {
            common::log!(
                "callback given up",
                callback = callback.seq,
                tries = callback.attempts,
                answer = why
            );
            finished.push(callback.seq);
        } else {
            let try_at = now.after(gap(callback.attempts));
            done.postponed = done.postponed.saturating_add(1);
            done.next_try = Some(done.next_try.map_or(try_at, |earlier| earlier.min(try_at)));
            common::log!(
                "callback not taken",
                callback = callback.seq,
                tries = callback.attempts,
                answer = why
            );
            postponed.push((callback, try_at));
        }
    }
    db::write(|db| {
        store::done(db, &finished)?;
        for (callback, try_at) in postponed {
            store::postpone(db, callback, try_at)?;
        }
        for (callback, answer) in claimed.iter().zip(&answers) {
            log::add_attempt(db, callback, now, answer.status, answer.error.as_deref())?;
        }
        Ok(())
    })
    .await?;
    Ok((answers, done))
}

/// Posts bytes to a callback URL.
pub async fn send(url: String, headers: BTreeMap<String, String>, body: Vec<u8>) -> Answer {
    let failed = |error: String| Answer { status: None, error: Some(error) };
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = match request.body(body) {
        Ok(request) => request,
        Err(error) => return failed(error.to_string()),
    };
    match outbound::send(request, DEADLINES).await {
        Ok(answer) => Answer { status: Some(answer.status().as_u16()), error: None },
        Err(error) => failed(error.to_string()),
    }
}

/// The gap after a number of tries.
fn gap(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 16)).unwrap_or(0);
    FIRST_GAP.saturating_mul(1 << doublings).min(LONGEST_GAP)
}

async fn sleep_until(moment: Timestamp) {
    let wait = moment.millis().saturating_sub(Timestamp::now().millis());
    if let Ok(millis @ 1..) = u64::try_from(wait) {
        time::sleep(Duration::from_millis(millis)).await;
    }
}

/// Runs all futures side by side and gives their results in order.
async fn all<T, F: Future<Output = T>>(futures: Vec<F>) -> Vec<T> {
    let mut running: Vec<(Pin<Box<F>>, Option<T>)> =
        futures.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, result) in &mut running {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *result = Some(value),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_grow_to_a_limit() {
        let gaps: Vec<u128> =
            [1, 2, 3, 8, 9, 20, i64::MAX].map(|attempts| gap(attempts).as_millis()).to_vec();
        assert_eq!(gaps, [250, 500, 1000, 32_000, 60_000, 60_000, 60_000]);
        assert_eq!(gap(0), FIRST_GAP);
        assert!(DEADLINES.total < LEASE);
    }
}
