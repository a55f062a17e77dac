//! The server is killed with SIGKILL at any moment and started again: nothing acknowledged is lost,
//! nothing is sent twice.
//!
//! `FLOWNALLY_KILL_ROUNDS` says how often (default 50), `FLOWNALLY_KILL_SEED` repeats the moments of a run.

mod checks;
mod load;
mod webhooks;

use load::{Load, Random};
use std::time::{Duration, Instant};
use tests::App;

/// The kill comes this long after the load began, at most.
const LONGEST_ROUND_MS: u64 = 150;
/// Leases of jobs, and how long an unknown outcome is waited for: short, so that the test is. Deadlines are
/// half a lease: a busy machine must not miss them by itself.
const LEASE_MS: &str = "6000";
const OUTCOME_WAIT_MS: &str = "3000";
/// After so many rounds the server gets time to work off what is left: a long run shall look for faults,
/// not pile up work.
const ROUNDS_A_STRETCH: u64 = 50;
/// Nothing came for so long: the work is done. Longer than a lease.
const QUIET: Duration = Duration::from_secs(8);
/// All that is left after a stretch is done within this time; a webhook delivery that failed twice is tried
/// again after five minutes.
const SETTLED: Duration = Duration::from_secs(420);

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_sent_twice() {
    let rounds = number("FLOWNALLY_KILL_ROUNDS").unwrap_or(50);
    let seed = number("FLOWNALLY_KILL_SEED").unwrap_or(u64::from(std::process::id()));
    let variables = [("job_lease_ms", LEASE_MS), ("outcome_wait_ms", OUTCOME_WAIT_MS)];
    let Some(mut app) = App::own(&variables) else { return };
    println!("{rounds} rounds, FLOWNALLY_KILL_SEED={seed}");
    let mut random = Random::new(seed);
    let mut load = Load::new(&app);
    let began = Instant::now();
    for round in 0..rounds {
        load.prepare(round);
        let pause = Duration::from_millis(random.below(LONGEST_ROUND_MS + 1));
        load.run_until(|| {
            std::thread::sleep(pause);
            app.process().kill();
        });
        app.process().start_again();
        if (round + 1).is_multiple_of(ROUNDS_A_STRETCH) {
            load.receiver.wait_until_quiet(QUIET, SETTLED);
        }
    }
    load.finish_open_requests();
    println!("{} after {:?}", load.summary(), began.elapsed());
    let outcome = checks::settle(&app, &load, SETTLED);
    checks::messages_are_all_there(&load, &outcome);
    checks::nothing_was_sent_twice(&app, &load, &outcome);
    checks::customers_messages_are_there_once(&load, &outcome);
    checks::the_receiver_heard_of_everything(&load, &outcome);
    println!("{outcome} after {:?}", began.elapsed());
}

pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}
