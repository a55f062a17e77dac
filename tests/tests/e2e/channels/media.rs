//! Files that customers send: fetched from a provider that is a real HTTP server here.

use crate::channels::support::{SOON, wait_for_messages, wait_until};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tests::app::known;
use tests::client::text;
use tests::whatsapp::{envelope, now, signature};
use tests::{App, Receiver, Tenant, callbacks, unique, wait_for};

/// The smallest PNG: one pixel.
const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0,
    0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0,
    1, 0, 0, 5, 0, 1, 0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];
const TOKEN: &str = "media-token-of-the-tests";

/// WhatsApp's media calls.
#[derive(Clone)]
struct Provider {
    base: String,
    /// Where redirected downloads end.
    elsewhere: String,
    /// Paths asked for, with their `authorization`.
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

impl Provider {
    fn start(elsewhere: &str) -> (Self, tokio::runtime::Runtime) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let provider = Provider {
            base: format!("http://{address}"),
            elsewhere: elsewhere.to_string(),
            calls: Arc::default(),
        };
        let router = Router::new()
            .route("/v25.0/{id}", axum::routing::get(info))
            .route("/files/{id}/{number}", axum::routing::get(file))
            .with_state(provider.clone());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (provider, runtime)
    }

    fn note(&self, request: &Request) -> bool {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.unwrap_or_default().to_string();
        let knows = given == format!("Bearer {TOKEN}");
        self.calls.lock().unwrap().push((request.uri().path().to_string(), given));
        knows
    }

    fn calls(&self, path: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(called, _)| called.starts_with(path)).count()
    }
}

async fn info(State(provider): State<Provider>, Path(id): Path<String>, request: Request) -> Response {
    if !provider.note(&request) {
        return (StatusCode::UNAUTHORIZED, r#"{"error":{"code":190,"message":"token"}}"#).into_response();
    }
    if id.starts_with("gone") {
        let body = r#"{"error":{"code":100,"message":"Object does not exist","error_subcode":33}}"#;
        return (StatusCode::BAD_REQUEST, body).into_response();
    }
    let number = provider.calls(&format!("/v25.0/{id}"));
    let size = if id.starts_with("huge") { 500_000_000 } else { PNG.len() };
    let url = if id.starts_with("foreign") {
        "https://elsewhere.example.com/file".to_string()
    } else {
        format!("{}/files/{id}/{number}", provider.base)
    };
    let body = json!({"messaging_product": "whatsapp", "id": id, "url": url, "mime_type": "image/png",
                      "sha256": "00", "file_size": size});
    body.to_string().into_response()
}

async fn file(
    State(provider): State<Provider>,
    Path((id, number)): Path<(String, usize)>,
    request: Request,
) -> Response {
    if !provider.note(&request) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match id.as_str() {
        // Its first URL is over.
        id if id.starts_with("renewed") && number == 1 => StatusCode::NOT_FOUND.into_response(),
        id if id.starts_with("redirected") => {
            (StatusCode::FOUND, [(header::LOCATION, provider.elsewhere.clone())]).into_response()
        }
        // More than is told and allowed.
        id if id.starts_with("endless") => vec![b'x'; 3_000_000].into_response(),
        _ => PNG.into_response(),
    }
}

/// A server whose WhatsApp is the provider here; one for all that is tried.
fn own(provider: &Provider) -> Option<App> {
    App::own(&[
        ("whatsapp_base_url", &provider.base),
        ("whatsapp_access_token", TOKEN),
        ("inbound_media_max_bytes", "2000000"),
    ])
}

fn image(account: &str, media: &str) -> Value {
    let from = unique::phone();
    let from = from.trim_start_matches('+');
    let message = json!({"from": from, "id": format!("wamid.{}", unique::word()), "timestamp": now().to_string(),
        "type": "image", "image": {"id": media, "mime_type": "image/png", "sha256": "00", "caption": "look"}});
    envelope(account, json!({"messages": [message]}))
}

#[test]
fn files_are_fetched_with_our_token_from_the_provider_only() {
    let elsewhere = Receiver::start();
    let (provider, _runtime) = Provider::start(&elsewhere.url);
    let Some(app) = own(&provider) else { return };
    let Some(secret) = known("FLOWNALLY_WHATSAPP_APP_SECRET", app.whatsapp_app_secret.as_ref()) else {
        return;
    };
    // Each file in a tenant of its own: its id, and what becomes of it.
    let receive = |media: &str| {
        let tenant = Tenant::new(&app);
        let inbox = tenant.inbox();
        let body = image(&inbox.phone_number_id, media).to_string();
        let client = app.client().with("x-hub-signature-256", &signature(secret, body.as_bytes()));
        let answer = callbacks::post(&client, "/channels/whatsapp", "application/json", body.as_bytes());
        assert_eq!(answer.status, 200, "{answer}");
        // The message is there at once, whatever becomes of its file.
        let message = wait_for_messages(&tenant.key, 1)[0].clone();
        assert_eq!(message["content"]["media"]["caption"], "look");
        assert_eq!(message["deliveryStatus"], "delivered");
        (tenant, text(&message, "id"), text(&message["content"]["media"], "mediaId"))
    };
    for media in ["plain-1", "renewed-1"] {
        let (tenant, message, file) = receive(media);
        let done = wait_until(&tenant.key, &message, media, |message| {
            message["content"]["media"]["url"].is_string()
        });
        let content = &done["content"]["media"];
        assert_eq!(content["fileSize"], PNG.len(), "{content}");
        assert_eq!(content["mimeType"], "image/png");
        assert_eq!(content["url"], format!("/media/{}/uploads/{file}", tenant.id));
        let bytes = tenant.key.get(&text(content, "url"));
        assert_eq!((bytes.status, bytes.body.as_slice()), (200, PNG), "{media}");
    }
    assert_eq!(provider.calls("/v25.0/renewed-1"), 2, "a new URL is asked for once");

    for (media, why) in [
        ("gone-1", "does not have the file"),
        ("huge-1", "larger"),
        ("endless-1", "larger"),
        ("foreign-1", "address"),
    ] {
        let (tenant, message, file) = receive(media);
        let record = format!("/v1/media/{file}");
        let shown = wait_for(media, SOON, || {
            Some(tenant.key.get(&record).expect(200)).filter(|file| file["state"] == "failed")
        });
        assert!(text(&shown, "failureReason").contains(why), "{media}: {shown}");
        let after = tenant.key.get(&format!("/v1/messages/{message}")).expect(200);
        assert_eq!(after["message"]["deliveryStatus"], "delivered", "the file failed, not the message");
        assert!(after["message"].get("failureReason").is_none());
    }

    // A redirect is followed without the token.
    let (_, _, _) = receive("redirected-1");
    let followed = elsewhere.wait_until("the redirected download", SOON, |_| true);
    assert_eq!(followed.header("authorization"), "");
    assert!(provider.calls.lock().unwrap().iter().all(|(_, given)| given == &format!("Bearer {TOKEN}")));
}
