//! `POST /internal/tick`: what is due is done, and said.

use serde_json::json;
use tests::App;

#[test]
fn a_tick_answers_what_it_did() {
    let app = App::shared();
    let Some(internal) = app.internal() else { return };
    let ticked = internal.post("/internal/tick", json!({})).expect(200);
    assert!(ticked.is_object(), "{ticked}");
}

#[test]
fn overlapping_ticks_are_harmless() {
    let app = App::shared();
    let Some(internal) = app.internal() else { return };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| internal.post("/internal/tick", json!({})).expect(200));
        }
    });
}
