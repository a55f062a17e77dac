//! Makes events: contacts, by the tenants in turn.

use super::side_by_side;
use crate::client::Connection;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const CALLERS: usize = 4;

/// Makes `count` contacts with the API keys that the file `keys` lists, `rate` a second or, with 0, as many as go.
pub fn run(app: &str, keys: &str, count: &str, rate: &str) -> Result<(), Box<dyn Error>> {
    let keys = std::fs::read_to_string(keys)?;
    let keys: Arc<[String]> = keys.lines().map(|key| format!("Bearer {key}")).collect();
    let (count, rate): (usize, u32) = (count.parse()?, rate.parse()?);
    let pause = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
    super::run(async {
        let (next, begin) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        side_by_side(CALLERS, || {
            let (app, keys, next) = (app.to_string(), keys.clone(), next.clone());
            async move {
                let mut connection = Connection::open(&app).await?;
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(key) = keys.get(n % keys.len().max(1)).filter(|_| n < count) else {
                        return Ok(());
                    };
                    tokio::time::sleep_until(begin + pause * u32::try_from(n)?).await;
                    let body = format!(r#"{{"name":"Anna Kowalska {n}","customFields":{{"stage":"lead"}}}}"#);
                    let headers = [("authorization", key.as_str())];
                    let (status, answer) = connection.send("POST", "/v1/contacts", &headers, body).await?;
                    if status != 201 {
                        let answer = String::from_utf8_lossy(&answer);
                        return Err(format!("a contact was answered {status}: {answer}").into());
                    }
                }
            }
        })
        .await
    })
}
