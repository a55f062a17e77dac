//! Nobody's dead endpoint delays another tenant.

use super::attempts::Watched;
use serde_json::json;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tests::client::text;
use tests::{App, Conduct, Delivery, RawReceiver, Receiver, Tenant};

const DEAD: usize = 100;
/// More than an endpoint may have in flight.
const EVENTS_OF_THE_DEAD: usize = 6;
const EVENTS_OF_THE_LIVING: usize = 100;
const BETWEEN: Duration = Duration::from_millis(150);
const MOST: Duration = Duration::from_secs(2);

/// From the event's commit to its receipt.
fn delay(delivery: &Delivery) -> Duration {
    let arrived = SystemTime::now() - delivery.at.elapsed();
    let happened: jiff::Timestamp = text(&delivery.event, "timestamp").parse().unwrap();
    let happened = UNIX_EPOCH + Duration::from_millis(u64::try_from(happened.as_millisecond()).unwrap());
    arrived.duration_since(happened).unwrap_or_default()
}

#[test]
fn a_hundred_dead_endpoints_delay_nobody() {
    // Of its own: what it leaves in flight would slow the other tests down.
    let Some(app) = App::own(&[]) else { return };
    let silent = RawReceiver::always(Conduct::Silence);
    let tenants: Vec<Tenant> = std::thread::scope(|scope| {
        let made: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..DEAD / 4).map(|_| Tenant::new(&app)).collect::<Vec<_>>()))
            .collect();
        made.into_iter().flat_map(|made| made.join().unwrap()).collect()
    });
    let receiver = Receiver::start();
    let living = Watched::of(&app, &receiver.url);
    for tenant in &tenants {
        let settings = json!({"enabled": true, "url": silent.url, "eventTypes": ["contact.created"]});
        tenant.key.patch("/v1/webhooks", settings).expect(200);
    }
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for tenant in tenants.iter().cycle().take(DEAD * EVENTS_OF_THE_DEAD) {
                tenant.key.post("/v1/contacts", json!({})).expect(201);
            }
        });
        for number in 1..=EVENTS_OF_THE_LIVING {
            living.happen();
            std::thread::sleep(
                BETWEEN.saturating_mul(u32::try_from(number).unwrap()).saturating_sub(began.elapsed()),
            );
        }
    });
    tests::wait_for("the healthy one's deliveries", Duration::from_secs(30), || {
        (receiver.deliveries().len() >= EVENTS_OF_THE_LIVING).then_some(())
    });
    assert!(silent.open() > 0, "the dead endpoints held something open all the while");
    let mut delays: Vec<Duration> = receiver.deliveries().iter().map(delay).collect();
    delays.sort();
    let (p50, p99) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
    println!(
        "{DEAD} dead endpoints, {} open connections at most: p50 {p50:?}, p99 {p99:?}",
        silent.most_open()
    );
    assert!(p99 < MOST, "p50 {p50:?}, p99 {p99:?}");
}
