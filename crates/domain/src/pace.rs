//! The pace of an inbox (channels section 8.3): what its jobs do when the provider asks for patience or
//! refuses the account. Each job asks before it contacts the provider; to wait here is no failure of its own.
//!
//! Throttled: everything of the inbox pauses for the time that the provider names, or a growing one; then it
//! goes on at half the rate, which recovers by a tenth every ten seconds. Each waiting job takes a slot of its
//! own, so that a long queue is worked off without pushing.
//!
//! Refused: the inbox is `degraded` with its reason, its messages stay pending, and one job at a time tries
//! again every few minutes. The first that passes sets the others going.

use crate::inboxes;
use common::db::{Db, Error as DbError, FromRow, Row};
use common::time::Timestamp;
use common::{Result, background, id, params};
use std::time::Duration;

/// The first pause where the provider names none; doubles with each throttling in a row.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// The slowest pace.
const INTERVAL_MAX_US: i64 = 60_000_000;
/// How often a slowed inbox gets faster.
const RECOVERY_STEP: Duration = Duration::from_secs(10);
/// A slot this near counts as reached.
const NEAR_US: i64 = 20_000;
/// Spreads what becomes due at one moment.
const SPREAD_MS: u64 = 500;

/// The state of an inbox's sending; none is stored while it sends freely.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pace {
    paused_until: i64,
    throttles: i64,
    interval_us: i64,
    slowed_at: i64,
    next_slot_us: i64,
    alert: Option<String>,
    probe_at: i64,
    cleared_at: i64,
}

impl FromRow for Pace {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Pace {
            paused_until: row.take()?,
            throttles: row.take()?,
            interval_us: row.take()?,
            slowed_at: row.take()?,
            next_slot_us: row.take()?,
            alert: row.take()?,
            probe_at: row.take()?,
            cleared_at: row.take()?,
        })
    }
}

/// Whether a job may contact the provider now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Go,
    /// Not before then; `slot` when that moment is reserved for it.
    Wait {
        until: Timestamp,
        slot: bool,
    },
}

/// Between two sends of a number, a Page or a sender at the rate that its channel allows, in microseconds
/// (channels sections 2.8, 4.5 and 5.1; SMS: a guess, since it depends on the kind of number).
fn usual_interval_us(channel: &str) -> i64 {
    match channel {
        "whatsapp" => 12_500,
        "messenger" | "instagram" => 3_334,
        _ => 100_000,
    }
}

impl Pace {
    /// The interval as it has shrunk since it was set; 0 when it is the usual one again.
    fn interval_now(&self, channel: &str, now: Timestamp) -> i64 {
        let step = i64::try_from(RECOVERY_STEP.as_millis()).unwrap_or(i64::MAX);
        let steps = now.millis().saturating_sub(self.slowed_at).checked_div(step).unwrap_or_default();
        let mut interval = self.interval_us;
        for _ in 0..steps.clamp(0, 500) {
            if interval <= usual_interval_us(channel) {
                return 0;
            }
            interval = interval.saturating_mul(9).checked_div(10).unwrap_or_default();
        }
        if interval <= usual_interval_us(channel) { 0 } else { interval }
    }

    /// What a job does that comes now; `own_slot` is the moment that it reserved before.
    fn enter(&mut self, channel: &str, own_slot: Option<Timestamp>, probe: Duration, now: Timestamp) -> Gate {
        let wait = |until: i64| Gate::Wait { until: Timestamp(until).after(spread()), slot: false };
        if self.alert.is_some() {
            if self.probe_at > now.millis() {
                return wait(self.probe_at);
            }
            self.probe_at = now.after(probe).millis();
            return Gate::Go;
        }
        if self.paused_until > now.millis() {
            return wait(self.paused_until);
        }
        let interval = self.interval_now(channel, now);
        if interval == 0 {
            self.interval_us = 0;
            return Gate::Go;
        }
        if own_slot.is_some_and(|slot| slot <= now && slot.millis() >= self.paused_until) {
            return Gate::Go;
        }
        let now_us = now.millis().saturating_mul(1000);
        let slot = self.next_slot_us.max(now_us);
        self.next_slot_us = slot.saturating_add(interval);
        if slot <= now_us.saturating_add(NEAR_US) {
            return Gate::Go;
        }
        let until = Timestamp(slot.saturating_add(999).checked_div(1000).unwrap_or(slot));
        Gate::Wait { until, slot: true }
    }

    /// The provider asked for patience with the whole sender.
    fn throttled(&mut self, channel: &str, wait: Option<Duration>, now: Timestamp) {
        let same_burst = self.paused_until > now.millis();
        if !same_burst {
            self.throttles = self.throttles.saturating_add(1);
            let interval = self.interval_now(channel, now).max(usual_interval_us(channel));
            self.interval_us = interval.saturating_mul(2).min(INTERVAL_MAX_US);
            self.slowed_at = now.millis();
        }
        let wait = match wait {
            Some(wait) => wait,
            None if same_burst => return,
            None => {
                let doublings = u32::try_from(self.throttles.saturating_sub(1).clamp(0, 10)).unwrap_or(10);
                PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(PAUSE_MAX)
            }
        };
        self.paused_until = self.paused_until.max(now.after(wait).millis());
        self.next_slot_us = self.paused_until.saturating_mul(1000);
    }
}

/// A short random wait.
fn spread() -> Duration {
    let mut random = [0_u8; 8];
    id::fill_random(&mut random);
    Duration::from_millis(u64::from_le_bytes(random).checked_rem(SPREAD_MS).unwrap_or_default())
}

fn load(db: &Db<'_>, inbox_seq: i64) -> Result<Option<Pace>> {
    Ok(db.row(
        "SELECT paused_until, throttles, interval_us, slowed_at, next_slot_us, alert, probe_at, cleared_at
           FROM inbox_pace WHERE inbox_seq = ?",
        params![inbox_seq],
    )?)
}

fn store(db: &Db<'_>, inbox_seq: i64, pace: &Pace) -> Result<()> {
    Ok(db.run(
        "INSERT OR REPLACE INTO inbox_pace
           (inbox_seq, paused_until, throttles, interval_us, slowed_at, next_slot_us, alert, probe_at, cleared_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            inbox_seq,
            pace.paused_until,
            pace.throttles,
            pace.interval_us,
            pace.slowed_at,
            pace.next_slot_us,
            pace.alert,
            pace.probe_at,
            pace.cleared_at
        ],
    )?)
}

/// Asks whether a job may contact the provider now. `probe` is how often an inbox that is refused is tried.
pub fn enter(
    db: &Db<'_>,
    (inbox_seq, channel): (i64, &str),
    own_slot: Option<Timestamp>,
    probe: Duration,
    now: Timestamp,
) -> Result<Gate> {
    let Some(before) = load(db, inbox_seq)? else { return Ok(Gate::Go) };
    let mut pace = before.clone();
    let gate = pace.enter(channel, own_slot, probe, now);
    if pace != before {
        store(db, inbox_seq, &pace)?;
    }
    Ok(gate)
}

/// The provider asked for patience with the whole sender, for `wait` where it says so: all of the inbox pauses
/// until the moment that is answered, and goes on at half the rate.
pub fn throttled(
    db: &Db<'_>,
    (inbox_seq, channel): (i64, &str),
    wait: Option<Duration>,
    now: Timestamp,
) -> Result<Timestamp> {
    let mut pace = load(db, inbox_seq)?.unwrap_or_default();
    pace.throttled(channel, wait, now);
    store(db, inbox_seq, &pace)?;
    Ok(Timestamp(pace.paused_until).after(spread()))
}

/// The provider refuses the account: the inbox is degraded, its queue waits; `true` when that is news. What
/// waits tries again after `probe`, one job at a time.
pub fn alert(
    db: &Db<'_>,
    tenant: &str,
    inbox_seq: i64,
    reason: &str,
    probe: Duration,
    now: Timestamp,
) -> Result<bool> {
    let mut pace = load(db, inbox_seq)?.unwrap_or_default();
    if pace.alert.is_none() {
        pace.probe_at = now.after(probe).millis();
    }
    pace.alert = Some(reason.to_string());
    store(db, inbox_seq, &pace)?;
    inboxes::set_state(db, tenant, inbox_seq, "degraded", &format!("[\"{reason}\"]"))
}

/// The provider takes messages of this inbox, or got new credentials: it is active, and what waited for that
/// starts now.
pub fn recovered(db: &Db<'_>, tenant: &str, inbox_seq: i64) -> Result<()> {
    let now = Timestamp::now();
    inboxes::set_state(db, tenant, inbox_seq, "active", "[]")?;
    let Some(mut pace) = load(db, inbox_seq)? else { return Ok(()) };
    pace.throttles = 0;
    if pace.alert.take().is_some() {
        pace.cleared_at = now.millis();
        // The lanes of this inbox: `send:5:` and what begins so.
        let lanes = (format!("send:{inbox_seq}:"), format!("send:{inbox_seq};"));
        let woken = db.touches(
            "UPDATE jobs SET due_at = ?, held = 0
              WHERE held = 1 AND lane >= ? AND lane < ? AND tenant_id = ? RETURNING 1",
            params![now, lanes.0, lanes.1, tenant],
        )?;
        if woken {
            background::work_is_due();
        }
    }
    store(db, inbox_seq, &pace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: Duration = Duration::from_secs(180);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000_i64.saturating_add(seconds))
    }

    fn goes(pace: &mut Pace, own: Option<Timestamp>, now: Timestamp) -> bool {
        pace.enter("whatsapp", own, PROBE, now) == Gate::Go
    }

    #[test]
    fn a_throttled_inbox_pauses_and_goes_on_at_half_the_rate() {
        let mut pace = Pace::default();
        pace.throttled("whatsapp", Some(Duration::from_secs(7)), at(0));
        assert!(!goes(&mut pace, None, at(6)));
        assert!(goes(&mut pace, None, at(7)));
        let Gate::Wait { until, slot } = pace.enter("whatsapp", None, PROBE, at(7)) else { panic!() };
        assert_eq!((until.millis() - at(7).millis(), slot), (25, true), "40 a second instead of 80");
        assert!(goes(&mut pace, Some(until), until), "its slot is its own");
    }

    #[test]
    fn refusals_of_one_burst_count_once_and_later_ones_slow_further() {
        let mut pace = Pace::default();
        for _ in 0..32 {
            pace.throttled("whatsapp", None, at(0));
        }
        assert_eq!((pace.throttles, pace.interval_us), (1, 25_000));
        assert_eq!(pace.paused_until, at(1).millis());
        pace.throttled("whatsapp", None, at(2));
        assert_eq!((pace.throttles, pace.interval_us), (2, 50_000));
        assert_eq!(pace.paused_until, at(4).millis());
        for _ in 0..40 {
            let end = Timestamp(pace.paused_until);
            let wait = Some(Duration::from_secs(1));
            pace.throttled("whatsapp", wait, end.after(Duration::from_millis(1)));
        }
        assert_eq!(pace.interval_us, INTERVAL_MAX_US);
    }

    #[test]
    fn the_rate_recovers_slowly() {
        let mut pace = Pace::default();
        pace.throttled("whatsapp", Some(Duration::ZERO), at(0));
        assert_eq!(pace.interval_now("whatsapp", at(9)), 25_000);
        assert_eq!(pace.interval_now("whatsapp", at(10)), 22_500);
        assert!(pace.interval_now("whatsapp", at(60)) > 0);
        assert_eq!(pace.interval_now("whatsapp", at(70)), 0);
        assert!(goes(&mut pace, None, at(3600)) && pace.interval_us == 0);
    }

    #[test]
    fn one_job_at_a_time_tries_a_refused_account() {
        let mut pace =
            Pace { alert: Some("token_expired".into()), probe_at: at(180).millis(), ..Pace::default() };
        assert!(!goes(&mut pace, None, at(179)));
        assert!(goes(&mut pace, None, at(180)));
        assert!(!goes(&mut pace, None, at(181)), "the next try is three minutes later");
        assert!(goes(&mut pace, None, at(360)));
    }
}
