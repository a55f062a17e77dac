//! The OpenAPI 3.1 document, made from the tables of operations and the types they name. Native builds
//! only: the file is committed, and a test fails when it is stale.

#![allow(
    clippy::indexing_slicing,
    reason = "indexing a JSON value never panics, and no component holds this"
)]

use crate::auth::{Access, Role};
use crate::chatwoot::ChatwootError;
use crate::problem::{FieldViolation, ProblemDetails};
use crate::routes::{Operation, Routes};
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

/// What an operation's documentation says; filled by [`Operation`]'s builder.
#[derive(Default)]
pub struct Docs {
    pub summary: &'static str,
    pub description: &'static str,
    pub body: Option<Body>,
    /// Of a body with a file in the form field `file`: what the file is.
    pub file: Option<&'static str>,
    pub answers: Vec<Answer>,
    /// Errors of its own: status, code, when.
    pub problems: Vec<(u16, &'static str, &'static str)>,
    /// Why the example is executed by a named test instead of the general one.
    pub example_elsewhere: Option<&'static str>,
    /// Values of path parameters for the example.
    pub example_path: BTreeMap<&'static str, &'static str>,
    parameters: Vec<Value>,
    schemas: Vec<(String, RefOr<Schema>)>,
    is_post: bool,
}

// utoipa's schemas have no `Debug` without a feature of its own.
impl std::fmt::Debug for Docs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Docs").field("summary", &self.summary).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub struct Body {
    pub schema: String,
    pub example: Value,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub description: &'static str,
    pub media_type: Option<&'static str>,
    pub schema: Option<String>,
    pub example: Option<Value>,
}

fn parse(example: &str) -> Value {
    serde_json::from_str(example)
        .unwrap_or_else(|error| Value::String(format!("not JSON: {error}: {example}")))
}

impl Docs {
    pub(crate) fn new(method: &Method, path: &'static str) -> Self {
        let mut docs = Docs { is_post: method == Method::POST, ..Docs::default() };
        for part in path.split('/') {
            if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                docs.parameters.push(json!({
                    "name": name, "in": "path", "required": true, "schema": {"type": "string"}
                }));
            }
        }
        docs
    }

    fn schema<T: ToSchema>(&mut self) -> String {
        let name = T::name().into_owned();
        T::schemas(&mut self.schemas);
        self.schemas.push((name.clone(), T::schema()));
        name
    }

    pub(crate) fn path_param(&mut self, name: &str, text: &str) {
        for parameter in &mut self.parameters {
            if parameter["name"] == name {
                parameter["description"] = json!(text);
            }
        }
    }

    pub(crate) fn path_number(&mut self, name: &str, text: &str) {
        self.path_param(name, text);
        for parameter in &mut self.parameters {
            if parameter["name"] == name {
                parameter["schema"] = json!({"type": "integer", "format": "int64", "minimum": 1});
            }
        }
    }

    pub(crate) fn header(&mut self, name: &str, text: &str) {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": text, "schema": {"type": "string"}
        }));
    }

    pub(crate) fn query<T: IntoParams>(&mut self) {
        for parameter in T::into_params(|| Some(ParameterIn::Query)) {
            self.parameters.push(serde_json::to_value(parameter).unwrap_or_default());
        }
    }

    pub(crate) fn body<T: ToSchema>(&mut self, example: &str) {
        let schema = self.schema::<T>();
        self.body = Some(Body { schema, example: parse(example) });
    }

    pub(crate) fn answer<T: ToSchema>(&mut self, status: u16, description: &'static str, example: &str) {
        let schema = Some(self.schema::<T>());
        let example = Some(parse(example));
        self.answers.push(Answer {
            status,
            description,
            media_type: Some("application/json"),
            schema,
            example,
        });
    }

    pub(crate) fn answer_empty(&mut self, status: u16, description: &'static str) {
        self.answers.push(Answer { status, description, media_type: None, schema: None, example: None });
    }

    pub(crate) fn answer_raw(&mut self, status: u16, media_type: &'static str, description: &'static str) {
        let media_type = Some(media_type);
        self.answers.push(Answer { status, description, media_type, schema: None, example: None });
    }

    pub(crate) fn problem(&mut self, status: u16, code: &'static str, when: &'static str) {
        self.problems.push((status, code, when));
    }

    pub(crate) fn example_path(&mut self, name: &'static str, value: &'static str) {
        self.example_path.insert(name, value);
    }
}

impl Operation {
    /// Every error the operation can give: its own and those of its kind.
    pub fn all_problems(&self) -> Vec<(u16, &'static str, &'static str)> {
        let mut all = self.docs.problems.clone();
        match self.access {
            Access::Public => {}
            Access::Signed => {
                all.push((401, "auth_signature_invalid", "The signature or the handshake token is wrong."))
            }
            Access::Tenant { .. } => {
                all.push((401, "auth_token_invalid", "There is no credential, or it is not valid now."));
                all.push((
                    403,
                    "auth_authz_denied",
                    "The credential lacks the scope, or its role may not do this; the code names the scope.",
                ));
            }
            Access::Platform | Access::Internal => {
                all.push((401, "auth_token_invalid", "The token is missing or wrong."));
            }
        }
        if self.docs.body.is_some() {
            all.push((400, "request_malformed", "The body is no JSON."));
            all.push((413, "request_too_large", "The body is larger than the operation takes."));
            all.push((415, "request_media_type_unsupported", "The body is not application/json."));
            all.push((422, "request_validation_failed", "A field breaks a rule; `errors` names each."));
        } else if self.docs.file.is_some() {
            all.push((400, "request_malformed", "The body is no form, or it broke off."));
            all.push((413, "request_too_large", "The file is larger than the operation takes."));
            all.push((415, "request_media_type_unsupported", "The body is not multipart/form-data."));
            all.push((422, "request_validation_failed", "The file breaks a rule; `errors` names the field."));
        } else if self.docs.parameters.iter().any(|parameter| parameter["in"] == "query") {
            all.push((400, "request_malformed", "A query parameter breaks a rule; `errors` names it."));
        }
        if self.takes_idempotency_key() {
            all.push((
                409,
                "idempotency_key_in_flight",
                "A request with this Idempotency-Key is still running.",
            ));
            all.push((422, "idempotency_key_reused", "The Idempotency-Key was used with another body."));
        }
        all.push((500, "internal_error", "Something went wrong on our side."));
        all.push((
            503,
            "service_unavailable",
            "The service cannot take the request now; nothing was changed.",
        ));
        all.sort();
        all
    }

    /// POST operations of tenants and of the platform take an `Idempotency-Key`.
    pub fn takes_idempotency_key(&self) -> bool {
        self.docs.is_post && matches!(self.access, Access::Tenant { .. } | Access::Platform)
    }

    fn document(&self, tag: &str) -> Value {
        let mut parameters = self.docs.parameters.clone();
        if self.takes_idempotency_key() {
            parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
        }
        let mut operation = json!({
            "operationId": self.id,
            "tags": [tag],
            "summary": self.docs.summary,
            "description": self.docs.description,
            "responses": self.responses(),
        });
        if !parameters.is_empty() {
            operation["parameters"] = json!(parameters);
        }
        if self.chatwoot && self.method == Method::PATCH {
            operation["description"] = json!(format!("{} PUT does the same.", self.docs.description));
        }
        if let Some(body) = &self.docs.body {
            operation["requestBody"] = json!({
                "required": true,
                "content": {"application/json": {
                    "schema": reference(&body.schema), "example": body.example,
                }},
            });
            if self.chatwoot {
                operation["requestBody"]["content"]["application/x-www-form-urlencoded"] =
                    json!({"schema": reference(&body.schema)});
            }
        }
        if let Some(file) = self.docs.file {
            operation["requestBody"] = json!({
                "required": true,
                "content": {"multipart/form-data": {"schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": file}},
                }}},
            });
        }
        match self.access {
            Access::Tenant { scopes, roles } => {
                operation["security"] = if self.scope_by_role {
                    operation["x-scopes-mode"] = json!("byRole");
                    scopes.iter().map(|scope| json!({"bearerAuth": [scope]})).collect()
                } else {
                    json!([{"bearerAuth": scopes}])
                };
                operation["x-required-scopes"] = json!(scopes);
                operation["x-allowed-roles"] =
                    json!(roles.iter().map(|role: &Role| role.as_str()).collect::<Vec<_>>());
            }
            Access::Platform => operation["security"] = json!([{"platformToken": []}]),
            Access::Internal => operation["security"] = json!([{"tickToken": []}]),
            Access::Signed => operation["security"] = json!([{"providerSignature": []}]),
            Access::Public => operation["security"] = json!([]),
        }
        operation
    }

    fn responses(&self) -> Value {
        let mut responses = Map::new();
        for answer in &self.docs.answers {
            let mut response = json!({"description": answer.description});
            if let Some(media_type) = answer.media_type {
                let mut content = Map::new();
                if let Some(schema) = &answer.schema {
                    content.insert("schema".into(), reference(schema));
                } else if media_type != "application/json" {
                    content.insert("schema".into(), json!({"type": "string"}));
                }
                if let Some(example) = &answer.example {
                    content.insert("example".into(), example.clone());
                }
                response["content"] = json!({ media_type: content });
            }
            responses.insert(answer.status.to_string(), response);
        }
        let mut by_status: BTreeMap<u16, Vec<(&str, &str)>> = BTreeMap::new();
        for (status, code, when) in self.all_problems() {
            by_status.entry(status).or_default().push((code, when));
        }
        let (media_type, schema) = if self.chatwoot {
            ("application/json", "ChatwootError")
        } else {
            ("application/problem+json", "ProblemDetails")
        };
        for (status, problems) in by_status {
            let line = |(code, when): &(&str, &str)| {
                // Chatwoot's errors carry no code.
                if self.chatwoot { (*when).to_string() } else { format!("`{code}`: {when}") }
            };
            let lines: Vec<String> = problems.iter().map(line).collect();
            responses.insert(
                status.to_string(),
                json!({
                    "description": lines.join("\n\n"),
                    "content": {media_type: {"schema": reference(schema)}},
                }),
            );
        }
        Value::Object(responses)
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// The whole document.
pub fn document(version: &str, description: &str, tables: &[Routes]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut add = |name: String, schema: &RefOr<Schema>| {
        schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
    };
    let mut found = Vec::new();
    ProblemDetails::schemas(&mut found);
    found.push(("ProblemDetails".into(), <ProblemDetails<'_> as utoipa::PartialSchema>::schema()));
    found.push(("FieldViolation".into(), <FieldViolation as utoipa::PartialSchema>::schema()));
    found.push(("ChatwootError".into(), <ChatwootError as utoipa::PartialSchema>::schema()));
    for (name, schema) in &found {
        add(name.clone(), schema);
    }
    for routes in tables {
        for operation in routes.table() {
            for (name, schema) in &operation.docs.schemas {
                add(name.clone(), schema);
            }
            paths
                .entry(operation.path)
                .or_default()
                .insert(operation.method.as_str().to_ascii_lowercase(), operation.document(routes.tag()));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Flownally Edge", "version": version, "description": description,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/", "description": "This server."}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {"IdempotencyKey": {
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "1 to 255 visible ASCII characters. For 24 hours the same key and body replay the first answer, with `Idempotent-Replay: true`.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }},
            "securitySchemes": {
                "bearerAuth": {"type": "http", "scheme": "bearer", "description": "An API key `fln_live_…` or a user token of POST /v1/auth/sessions."},
                "platformToken": {"type": "apiKey", "in": "header", "name": "api_access_token", "description": "The variable platform_token."},
                "tickToken": {"type": "http", "scheme": "bearer", "description": "The variable tick_token."},
                "providerSignature": {"type": "apiKey", "in": "header", "name": "X-Hub-Signature-256", "description": "HMAC-SHA256 of the raw body under the app secret."},
            },
        },
    })
}
