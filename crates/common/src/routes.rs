//! Operations: what the API can do, each declared once with its rights and its documentation.
//!
//! A component lists its operations in one readable table. The same table routes requests, is checked
//! against the published contract, becomes `openapi.json`, and tells the tests which operations need an
//! authorization test. Documentation exists in native builds only, so it costs a component nothing.

use crate::auth::{Access, Role};
use crate::{Problem, chatwoot, limits};
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::Method;
use tower::ServiceExt;
use tower::util::MapResponseLayer;

#[cfg(not(target_family = "wasm"))]
use crate::openapi::Docs;

/// One method on one path.
#[derive(Debug)]
pub struct Operation {
    pub method: Method,
    /// With `{name}` for parameters.
    pub path: &'static str,
    /// The OpenAPI operationId.
    pub id: &'static str,
    pub access: Access,
    /// Largest body, in bytes.
    pub body_limit: usize,
    /// Whether it belongs to the Chatwoot API, with that API's manners.
    pub chatwoot: bool,
    /// Whether one of the declared scopes is enough to enter: see [`Operation::scope_by_role`].
    pub scope_by_role: bool,
    #[cfg(not(target_family = "wasm"))]
    pub docs: Docs,
}

/// Methods that only document do nothing in a component.
macro_rules! documents {
    ($($(#[$meta:meta])* fn $name:ident($docs:ident $(, $arg:ident: $type:ty)*) $body:block)*) => {
        $(
            $(#[$meta])*
            #[must_use]
            #[cfg_attr(target_family = "wasm", allow(unused_mut, unused_variables))]
            pub fn $name(mut self $(, $arg: $type)*) -> Self {
                #[cfg(not(target_family = "wasm"))]
                {
                    let $docs = &mut self.docs;
                    $body
                }
                self
            }
        )*
    };
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &'static str) -> Self {
        Operation {
            #[cfg(not(target_family = "wasm"))]
            docs: Docs::new(&method, path),
            method,
            path,
            id,
            access: Access::Public,
            body_limit: limits::BODY_BYTES,
            chatwoot: false,
            scope_by_role: false,
        }
    }

    pub fn get(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::GET, path, id)
    }

    pub fn post(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::POST, path, id)
    }

    pub fn put(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::PUT, path, id)
    }

    pub fn patch(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::PATCH, path, id)
    }

    pub fn delete(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::DELETE, path, id)
    }

    /// For members and service accounts of a tenant: all scopes and one of the roles.
    #[must_use]
    pub fn tenant(mut self, scopes: &'static [&'static str], roles: &'static [Role]) -> Self {
        self.access = Access::Tenant { scopes, roles };
        self
    }

    /// Of the declared scopes a caller needs only that of the role which the request is about. One of them lets the
    /// request in; the handler knows the role and checks the right one.
    #[must_use]
    pub fn scope_by_role(mut self) -> Self {
        self.scope_by_role = true;
        self
    }

    /// For holders of the platform token.
    #[must_use]
    pub fn platform(mut self) -> Self {
        self.access = Access::Platform;
        self
    }

    /// For the clock and our own components.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.access = Access::Internal;
        self
    }

    /// For providers that sign what they send.
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.access = Access::Signed;
        self
    }

    /// Largest body, in bytes, where the default does not fit.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    documents! {
        /// One line that says what it does.
        fn summary(docs, text: &'static str) { docs.summary = text; }
        /// What a caller must know beyond the summary: rules, decisions, order, limits.
        fn describe(docs, text: &'static str) { docs.description = text; }
        /// What a path parameter is.
        fn path_param(docs, name: &'static str, text: &'static str) { docs.path_param(name, text); }
        /// What a path parameter that is a whole number is.
        fn path_number(docs, name: &'static str, text: &'static str) { docs.path_number(name, text); }
        /// A header the operation reads beyond the usual ones.
        fn header(docs, name: &'static str, text: &'static str) { docs.header(name, text); }
        /// An error of this operation's own; those of its kind are added by themselves.
        fn problem(docs, status: u16, code: &'static str, when: &'static str) { docs.problem(status, code, when); }
        /// A success without a body.
        fn answers_empty(docs, status: u16, text: &'static str) { docs.answer_empty(status, text); }
        /// A success that is not JSON.
        fn answers_raw(docs, status: u16, media_type: &'static str, text: &'static str) {
            docs.answer_raw(status, media_type, text);
        }
        /// A body of `multipart/form-data` with one file in the field `file`.
        fn takes_file(docs, text: &'static str) { docs.file = Some(text); }
        /// Values for the path parameters of the executed example, where ids of the tests' tenant do not do.
        fn example_path(docs, name: &'static str, value: &'static str) { docs.example_path(name, value); }
        /// Why the example is not executed by itself, and which test executes the operation instead.
        fn example_elsewhere(docs, test: &'static str) { docs.example_elsewhere = Some(test); }
    }

    /// Query parameters.
    #[must_use]
    #[cfg_attr(target_family = "wasm", allow(unused_mut))]
    pub fn query<T: utoipa::IntoParams>(mut self) -> Self {
        #[cfg(not(target_family = "wasm"))]
        self.docs.query::<T>();
        self
    }

    /// A JSON body and an example of it, as JSON text.
    #[must_use]
    #[cfg_attr(target_family = "wasm", allow(unused_mut, unused_variables))]
    pub fn body<T: utoipa::ToSchema>(mut self, example: &'static str) -> Self {
        #[cfg(not(target_family = "wasm"))]
        self.docs.body::<T>(example);
        self
    }

    /// A JSON answer and an example of it, as JSON text.
    #[must_use]
    #[cfg_attr(target_family = "wasm", allow(unused_mut, unused_variables))]
    pub fn answers<T: utoipa::ToSchema>(
        mut self,
        status: u16,
        text: &'static str,
        example: &'static str,
    ) -> Self {
        #[cfg(not(target_family = "wasm"))]
        self.docs.answer::<T>(status, text, example);
        self
    }
}

/// A component's table of operations.
#[derive(Debug)]
pub struct Routes {
    tag: &'static str,
    router: Router,
    table: Vec<&'static Operation>,
    chatwoot: bool,
}

impl Routes {
    /// `tag` groups the operations in the documentation.
    pub fn new(tag: &'static str) -> Self {
        Routes { tag, router: Router::new(), table: Vec::new(), chatwoot: false }
    }

    /// The operations added from here on are of the Chatwoot API: see [`crate::chatwoot`].
    #[must_use]
    pub fn chatwoot(mut self) -> Self {
        self.chatwoot = true;
        self
    }

    /// Routes an operation to its handler.
    #[must_use]
    pub fn add<H, T>(mut self, mut operation: Operation, handler: H) -> Self
    where
        H: Handler<T, ()>,
        T: 'static,
    {
        operation.chatwoot = self.chatwoot;
        // The table lives as long as the instance: leaking it once saves a copy a request.
        let operation: &'static Operation = Box::leak(Box::new(operation));
        let mut filter = MethodFilter::try_from(operation.method.clone()).unwrap_or(MethodFilter::TRACE);
        if operation.chatwoot && operation.method == Method::PATCH {
            filter = filter.or(MethodFilter::PUT);
        }
        let route = on(filter, handler).layer(axum::Extension(operation));
        self.router = self.router.route(operation.path, route);
        self.table.push(operation);
        self
    }

    /// Takes in another table, for components that serve several groups.
    #[must_use]
    pub fn merge(mut self, other: Routes) -> Self {
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self
    }

    /// The group's name in the documentation.
    pub fn tag(&self) -> &'static str {
        self.tag
    }

    /// All operations, in the order of the table.
    pub fn table(&self) -> &[&'static Operation] {
        &self.table
    }

    /// The router: unknown paths and methods answer problem documents too.
    pub fn into_router(self) -> Router {
        let router = self
            .router
            .fallback(|| async { Problem::route_not_found() })
            .method_not_allowed_fallback(|| async {
                Problem::new(
                    http::StatusCode::METHOD_NOT_ALLOWED,
                    "method_not_allowed",
                    "This path does not take that method; the Allow header says which it takes.",
                )
            });
        if !self.chatwoot {
            return router;
        }
        let router = router.layer(MapResponseLayer::new(|mut response: Response| {
            response.extensions_mut().insert(chatwoot::Dialect);
            response
        }));
        // A layer would run after the routing: the path is put right by a service around the router.
        let normalise: fn(Request) -> Request = chatwoot::normalise;
        Router::new().fallback_service(router.map_request(normalise))
    }
}
