//! `/public/api/v1`: live chat, the customers' side, in the manner of Chatwoot's Client API (its notes 5.22).
//! Nobody signs in here: an inbox is named by its public identifier, a customer by their secret `source_id`.
//!
//! Pages of any origin may call: the requests carry no cookies, and their answers nothing but what the caller's
//! `source_id` opens.

mod attachments;
mod contacts;
mod conversations;
mod inbox;
mod messages;
mod path;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use common::routes::Routes;
use http::{HeaderValue, Method, StatusCode, header};

common::serve!(crate::open);

/// The operations of this component.
pub fn routes() -> Routes {
    let routes = Routes::new("Live chat (Chatwoot)").chatwoot();
    messages::add(conversations::add(contacts::add(inbox::add(routes))))
}

/// The table, open to pages of any origin.
#[derive(Debug)]
pub struct Open(Routes);

/// What the component serves.
pub fn open() -> Open {
    Open(routes())
}

impl Open {
    /// The router of the table, with what browsers ask for before and after.
    pub fn into_router(self) -> Router {
        self.0.into_router().layer(from_fn(cors))
    }
}

async fn cors(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if asks {
        let methods = HeaderValue::from_static("GET, POST, PATCH, PUT");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let names = HeaderValue::from_static("content-type, idempotency-key, x-request-id");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}
