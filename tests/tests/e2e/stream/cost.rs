//! What open streams cost when nothing happens.

use super::{CREATED, SOON};
use std::time::{Duration, Instant};
use tests::{App, Events, Tenant, unique};

const STREAMS: usize = 500;
/// Of one core, in percent.
const PROMISED: f64 = 5.0;
const LOOK: Duration = Duration::from_secs(20);

/// The processor time that the server uses, in percent of a core.
fn load(app: &App) -> f64 {
    let process = app.process.as_ref().unwrap();
    let (before, began) = (process.processor_time(), Instant::now());
    std::thread::sleep(LOOK);
    let used = process.processor_time() - before;
    100.0 * used.as_secs_f64() / began.elapsed().as_secs_f64()
}

#[test]
fn five_hundred_idle_streams_cost_less_than_five_percent_of_a_core() {
    let Some(app) = App::own(&[("stream_max_per_user", "1000")]) else { return };
    let tenant = Tenant::new(&app);
    let quiet = load(&app);
    let mut streams: Vec<Events> = (0..STREAMS).map(|_| Events::ready(&tenant.key, CREATED)).collect();
    // Others use this machine, which makes everything dearer: one of a few tries must hold what is promised.
    let mut loads = Vec::new();
    while loads.len() < 3 && loads.last().is_none_or(|load| load - quiet >= PROMISED) {
        std::thread::sleep(Duration::from_secs(2));
        loads.push(load(&app));
    }
    let memory = app.process.as_ref().unwrap().memory() >> 20;
    println!("{STREAMS} idle streams: {loads:.2?} % of a core, {quiet:.2} % without them, {memory} MB");
    assert!(
        loads.last().is_some_and(|load| load - quiet < PROMISED),
        "{loads:?} % of a core, {quiet} % before"
    );
    // They are alive.
    super::send(&tenant, &tenant.inbox(), &unique::phone());
    for events in &mut streams {
        events.wait_for("message.created", SOON);
    }
}
