//! `/v1/audit-log`: who changed what.

use axum::Json as Answer;
use common::auth::{Principal, Role};
use common::input::Query;
use common::routes::{Operation, Routes};
use common::time::Timestamp;
use common::{Problem, Result, db};
use domain::audit::{self, Action, AuditEntry, Filter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    Routes::new("Audit log").add(
        Operation::get("/v1/audit-log", "listAuditLog")
            .tenant(&["audit_log:read"], Role::ADMINS)
            .summary("Page through the audit log")
            .describe(
                "What people, service accounts and the platform changed, newest first: roles and members \
                 (`user.added`, `user.role_changed`, `user.removed`, `user.disabled`, `user.enabled`), invitations \
                 (`invitation.created`, `.revoked`, `.accepted`), service accounts (`service_account.created`, \
                 `.deleted`), API keys (`api_key.created`, `.revoked`), the webhook (`webhook.updated`, `.deleted`, \
                 `webhook_signing_key.created`, `.rotated`, `webhook_networks.updated`), inboxes (`inbox.connected`, \
                 `.updated`, `.team_changed`, `.deleted`), billing (`billing.updated`) and contacts (`contact.merged`, \
                 `.merge_undone`, `.erased`). An entry is written with its change, or neither is; it is never \
                 changed and holds no secret. Filters narrow together. An addition to the published API.",
            )
            .query::<LogParameters>()
            .answers::<AuditLogPage>(200, "A page of entries. `nextPageToken` is absent on the last page.", PAGE),
        list,
    )
}

const PAGE: &str = r#"{"entries": [{
  "id": "aud_01HV9A1K3M5P7R9T1V3X5Z7B9D", "createdAt": "2026-04-30T09:46:00.000Z",
  "actor": {"type": "user", "id": "usr_01HV8Y3K2R6G7K3F5B9N8M1Q0S", "name": "Lina Nowak"},
  "action": "user.role_changed", "subject": "usr_01HV8Y2M6D4F8H1K3N5Q7S9V1X", "details": {"from": "agent", "to": "admin"}
}]}"#;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase")]
struct LogParameters {
    /// One kind of change, such as `api_key.created`.
    #[param(example = "api_key.created")]
    action: Option<String>,
    /// Who did it: `usr_…`, `svc_…`, `platform` or `system`.
    actor: Option<String>,
    /// The id of what was changed.
    subject: Option<String>,
    /// Not before this time, RFC 3339.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time, RFC 3339.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Entries on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<u32>,
    /// The `nextPageToken` of the page before.
    page_token: Option<String>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLogPage {
    entries: Vec<AuditEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn list(caller: Principal, Query(query): Query<LogParameters>) -> Result<Answer<AuditLogPage>> {
    let filter = Filter {
        action: query.action.as_deref().map(action).transpose()?,
        actor: query.actor.as_deref(),
        subject: query.subject.as_deref(),
        from: query.from,
        to: query.to,
    };
    let (entries, next_page_token) =
        db::read(|db| audit::list(db, &caller.tenant, &filter, query.page_size, query.page_token.as_deref()))
            .await?;
    Ok(Answer(AuditLogPage { entries, next_page_token }))
}

fn action(text: &str) -> Result<Action> {
    Action::parse(text).ok_or_else(|| {
        Problem::parameter("action", "is no action of the audit log; the description names them all")
    })
}
