//! What the server says of itself: `/openapi.json`, `/docs`, `/healthz`, `/readyz`; and the 404 of every
//! path that no other component has.

mod readiness;

use axum::response::{Html, IntoResponse, Response};
use common::routes::{Operation, Routes};
use http::header;

common::serve!(crate::routes);

/// Made from the tables of operations; a test keeps it fresh.
const OPENAPI: &str = include_str!("../../../openapi.json");
const PAGE: &str = include_str!("docs.html");

/// The operations of this component.
pub fn routes() -> Routes {
    let routes = Routes::new("Server")
        .add(
            Operation::get("/openapi.json", "getOpenApi")
                .summary("Read the API's description")
                .describe("OpenAPI 3.1.")
                .answers_raw(200, "application/json", "The description."),
            openapi,
        )
        .add(
            Operation::get("/docs", "getDocs")
                .summary("Read the API's documentation")
                .describe("A page for people, made from the description.")
                .answers_raw(200, "text/html", "The page."),
            docs,
        )
        .add(
            Operation::get("/healthz", "getHealth")
                .summary("Whether the server lives")
                .describe("Answers without looking at anything else: for liveness probes.")
                .answers_raw(200, "text/plain", "It does."),
            || async { "ok\n" },
        );
    readiness::add(routes)
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "max-age=60")], OPENAPI)
        .into_response()
}

async fn docs() -> Html<&'static str> {
    Html(PAGE)
}
