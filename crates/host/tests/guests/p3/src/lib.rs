//! A WASI 0.3 component. The last segment of the path says what to do, the body is the argument.
mod sql;

use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use spin_sdk::http::{EmptyBody, IntoResponse, Request, Response, send};
use spin_sdk::wasip3::http::types::RequestOptions;
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;
use spin_sdk::{http_service, key_value::Store, variables};
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    /// Requests that this instance has seen, and those it answers right now.
    static SEEN: Cell<u32> = const { Cell::new(0) };
    static NOW: Cell<u32> = const { Cell::new(0) };
    /// Tells instances apart.
    static INSTANCE: u64 = random();
}

fn random() -> u64 {
    spin_sdk::wasip3::random::random::get_random_u64()
}

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    SEEN.set(SEEN.get() + 1);
    let (parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(error) => return format!("no body: {error:?}"),
    };
    let path = parts.uri.path().to_string();
    match path.rsplit('/').next().unwrap_or_default() {
        "request" => {
            let mut lines = vec![format!("{} {}", parts.method, parts.uri)];
            lines.extend(
                parts
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?"))),
            );
            lines.join("\n")
        }
        "name" => variables::get("name").await.unwrap_or_default(),
        "variable" => format!("{:?}", variables::get(body).await),
        // "instance, requests seen so far"
        "instance" => format!("{} {}", INSTANCE.with(|id| *id), SEEN.get()),
        // "instance, requests at once while this one waited"
        "wait" => {
            NOW.set(NOW.get() + 1);
            spin_sdk::time::sleep(Duration::from_millis(body.parse().unwrap_or(0))).await;
            let most = NOW.get();
            NOW.set(NOW.get() - 1);
            format!("{} {most}", INSTANCE.with(|id| *id))
        }
        "trap" => panic!("asked to"),
        "print" => {
            println!("{body}");
            "printed".to_string()
        }
        "fetch" => fetch(&body).await,
        // Answers at once and writes the key `after` 300 ms later.
        "after" => {
            spin_sdk::wit_bindgen::spawn(async move {
                spin_sdk::time::sleep(Duration::from_millis(300)).await;
                let _ = write("default", "after", &body).await;
            });
            "accepted".to_string()
        }
        "set" => {
            let (key, value) = body.split_once('=').unwrap_or((&body, ""));
            format!("{:?}", write("default", key, value).await)
        }
        "get" => match Store::open_default().await {
            Ok(store) => match store.get(&body).await {
                Ok(value) => format!("{:?}", value.map(|value| String::from_utf8_lossy(&value).into_owned())),
                Err(error) => format!("{error:?}"),
            },
            Err(error) => format!("{error:?}"),
        },
        "keys" => keys(&body).await,
        "sql" => sql::run(&body).await,
        _ => format!("hello from {path}"),
    }
}

async fn write(label: &str, key: &str, value: &str) -> Result<(), spin_sdk::key_value::Error> {
    Store::open(label).await?.set(key, value.as_bytes()).await
}

async fn keys(label: &str) -> String {
    let store = match Store::open(label).await {
        Ok(store) => store,
        Err(error) => return format!("{error:?}"),
    };
    match store.get_keys().await.collect().await {
        Ok(mut keys) => {
            keys.sort();
            keys.join(",")
        }
        Err(error) => format!("{error:?}"),
    }
}

/// "status, body" or the error. The argument is `<url> [<patience> [<first byte> <between bytes>]]`,
/// times in milliseconds: how long this guest waits, and what it asks the host to wait at most.
async fn fetch(argument: &str) -> String {
    let mut words = argument.split(' ');
    let url = words.next().unwrap_or_default();
    let mut times = words.map(|word| word.parse().unwrap_or(0));
    let patience = Duration::from_millis(times.next().unwrap_or(5000));
    let mut request = match http::Request::get(url).body(EmptyBody::new()) {
        Ok(request) => request,
        Err(error) => return format!("bad request: {error}"),
    };
    if let (Some(first_byte), Some(between_bytes)) = (times.next(), times.next()) {
        let options = RequestOptions::new();
        let _ = options.set_first_byte_timeout(Some(first_byte * 1_000_000));
        let _ = options.set_between_bytes_timeout(Some(between_bytes * 1_000_000));
        request.extensions_mut().insert(RequestOptionsExtension(options));
    }
    let answer = async {
        let response: Response = match send(request).await {
            Ok(response) => response,
            Err(error) => return format!("error: {error:?}"),
        };
        let status = response.status().as_u16();
        match response.into_body().collect().await {
            Ok(body) => format!("{status} {}", String::from_utf8_lossy(&body.to_bytes())),
            Err(error) => format!("{status} body error: {error:?}"),
        }
    };
    futures::select_biased! {
        answer = answer.boxed_local().fuse() => answer,
        () = spin_sdk::time::sleep(patience).boxed_local().fuse() => "too late".to_string(),
    }
}
