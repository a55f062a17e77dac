//! `/internal/whatsapp/...`: reading from a provider for other components, which may not reach the outside.

use crate::connections;
use axum::Json as Answer;
use common::auth::Internal;
use common::input::Json;
use common::outbound::{self, Deadlines};
use common::routes::{Operation, Routes};
use common::time::Timestamp;
use common::{Problem, Result, db};
use domain::inboxes::reads::{self, PhoneNumber, PhoneNumberList, Template};
use http::{HeaderMap, StatusCode};
use providers::whatsapp::{self, Page, Sender};
use providers::{BuildError, Failure, RetryClass};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// An account may have 6000 templates; pages hold up to 100.
const PAGES_MAX: usize = 60;
/// All pages together: somebody waits for the answer.
const TOTAL: Duration = Duration::from_secs(20);
const PAGE: Duration = Duration::from_secs(8);

/// Which inbox's templates to read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadTemplates {
    tenant_id: String,
    inbox_id: String,
}

/// Which account's numbers to read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadPhoneNumbers {
    tenant_id: String,
    waba_id: String,
}

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::post("/internal/whatsapp/templates", "readWhatsAppTemplates")
                .internal()
                .summary("Read the templates of an inbox from WhatsApp")
                .describe("Reads all pages and stores them; who asks reads them from the database then.")
                .body::<ReadTemplates>(
                    r#"{"tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "inboxId": "ibx_01HV8Y4QH7C8H1K5K0C8A2B9E4"}"#,
                )
                .answers_empty(204, "Stored.")
                .problem(404, "inbox_not_found", "There is no such WhatsApp inbox.")
                .problem(502, "provider_refused", "WhatsApp refused; the detail says why.")
                .problem(503, "provider_unavailable", "WhatsApp did not answer in time, or asks to wait.")
                .example_elsewhere("e2e inboxes::provider_reads"),
            templates,
        )
        .add(
            Operation::post("/internal/whatsapp/phone-numbers", "readWhatsAppPhoneNumbers")
                .internal()
                .summary("Read the numbers of a business account from WhatsApp")
                .describe("Reads all pages, with the token of an inbox of that account where the tenant has one.")
                .body::<ReadPhoneNumbers>(
                    r#"{"tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K", "wabaId": "123456789012345"}"#,
                )
                .answers::<PhoneNumberList>(200, "The numbers.", r#"{"phoneNumbers": []}"#)
                .problem(404, "whatsapp_account_not_found", "WhatsApp knows no such account, or the token cannot see it.")
                .problem(502, "provider_refused", "WhatsApp refused; the detail says why.")
                .problem(503, "provider_unavailable", "WhatsApp did not answer in time, or asks to wait.")
                .example_elsewhere("e2e inboxes::provider_reads"),
            phone_numbers,
        )
}

async fn templates(_: Internal, Json(body): Json<ReadTemplates>) -> Result<StatusCode> {
    let connection = db::read(|db| reads::whatsapp(db, &body.tenant_id, &body.inbox_id)).await?;
    let connection = connection.ok_or_else(|| Problem::not_found("inbox", &body.inbox_id))?;
    let sender = connections::graph(&connection).await?.ok_or_else(no_token)?;
    let account = connection.account_id.as_deref().unwrap_or_default();
    let all = pages(|after| whatsapp::templates_page(&sender, account, after), whatsapp::read_templates_page)
        .await
        .map_err(|failure| refused(&failure))?;
    let shown: Vec<Template> = all
        .into_iter()
        .filter(|template| matches!(template.status.as_str(), "APPROVED" | "PENDING"))
        .map(|template| Template {
            id: template.id,
            name: template.name,
            language: template.language,
            status: template.status,
            category: template.category,
            components: template.components,
        })
        .collect();
    db::write(|db| reads::keep_templates(db, &connection, &shown, Timestamp::now())).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn phone_numbers(_: Internal, Json(body): Json<ReadPhoneNumbers>) -> Result<Answer<PhoneNumberList>> {
    let sender = account_sender(&body).await?;
    let all = pages(
        |after| whatsapp::phone_numbers_page(&sender, &body.waba_id, after),
        whatsapp::read_phone_numbers_page,
    )
    .await
    .map_err(|failure| match &failure {
        // "does not exist, or cannot be seen with this token".
        Ended::Refused(why) if why.code == "100" || why.code.starts_with("100/") => {
            account_not_found(&body.waba_id)
        }
        _ => refused(&failure),
    })?;
    let phone_numbers = all
        .into_iter()
        .map(|number| PhoneNumber {
            // The status says it where there is one; numbers of other platforms cannot send through us.
            is_registered: match number.status.as_deref() {
                Some(status) => status == "CONNECTED",
                None => number.platform.as_deref() == Some("CLOUD_API"),
            },
            id: number.id,
            display_phone_number: number.display,
            verified_name: number.verified_name.unwrap_or_default(),
            quality_rating: number.quality.unwrap_or_else(|| "UNKNOWN".into()),
            code_verification_status: number
                .code_verification_status
                .unwrap_or_else(|| "NOT_VERIFIED".into()),
        })
        .collect();
    Ok(Answer(PhoneNumberList { phone_numbers }))
}

/// With the token of the tenant's own inbox of this account, or the deployment's. The latter sees the accounts of
/// all tenants, so it tells nobody of one that only others have connected. The sandbox's accounts are everybody's.
async fn account_sender(body: &ReadPhoneNumbers) -> Result<Sender> {
    let (own, is_of_another) = db::read(|db| {
        let own = reads::of_account(db, &body.tenant_id, &body.waba_id)?;
        Ok((own, reads::is_of_another(db, &body.tenant_id, &body.waba_id)?))
    })
    .await?;
    let sender = match own {
        Some(connection) => connections::graph(&connection).await?,
        None if is_of_another && !connections::whatsapp_is_sandbox().await => {
            return Err(account_not_found(&body.waba_id));
        }
        None => connections::whatsapp_of_deployment().await?,
    };
    sender.ok_or_else(no_token)
}

/// Why not all pages were read.
enum Ended {
    NotBuilt(BuildError),
    Unreachable(String),
    Refused(Failure),
}

/// Follows the pages to the last one, within the limits.
async fn pages<T>(
    request: impl Fn(Option<&str>) -> Result<http::Request<Vec<u8>>, BuildError>,
    read: impl Fn(u16, &HeaderMap, &[u8]) -> Result<Page<T>, Failure>,
) -> Result<Vec<T>, Ended> {
    let end = Timestamp::now().after(TOTAL);
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let left = end.millis().saturating_sub(Timestamp::now().millis());
        let total = Duration::from_millis(u64::try_from(left).unwrap_or_default()).min(PAGE);
        if total.is_zero() {
            return Err(Ended::Unreachable("the pages took too long".into()));
        }
        let deadlines = Deadlines { connect: total.min(Duration::from_secs(5)), first_byte: total, total };
        let request = request(after.as_deref()).map_err(Ended::NotBuilt)?;
        let answer = outbound::send(request, deadlines)
            .await
            .map_err(|error| Ended::Unreachable(error.to_string()))?;
        let page = read(answer.status().as_u16(), answer.headers(), answer.body()).map_err(Ended::Refused)?;
        items.extend(page.items);
        // A cursor that leads to itself would never end.
        if page.after.is_none() || page.after == after {
            return Ok(items);
        }
        after = page.after;
    }
    common::log!("a list of the provider was cut", pages = PAGES_MAX);
    Ok(items)
}

fn no_token() -> Problem {
    let detail = "Neither the inbox nor this server has an access token for WhatsApp. Set one with PATCH /v1/inboxes/{id}.";
    Problem::new(StatusCode::BAD_GATEWAY, "provider_refused", detail)
}

fn account_not_found(id: &str) -> Problem {
    let mut problem = Problem::not_found("whatsapp account", id);
    problem.detail = format!("WhatsApp knows no business account {id}, or the access token cannot see it.");
    problem
}

fn refused(ended: &Ended) -> Problem {
    match ended {
        Ended::NotBuilt(error) => {
            let mut problem = no_token();
            problem.detail = "The inbox's settings cannot be used in a request to WhatsApp.".into();
            problem.cause = Some(error.to_string());
            problem
        }
        Ended::Unreachable(why) => {
            let detail = "WhatsApp did not answer in time. Try again in a moment.";
            let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable", detail);
            problem.cause = Some(why.clone());
            problem.with_retry_after(5)
        }
        Ended::Refused(failure) => {
            let (status, code) = match failure.class {
                RetryClass::Retry | RetryClass::Throttled => {
                    (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable")
                }
                _ => (StatusCode::BAD_GATEWAY, "provider_refused"),
            };
            let detail = match failure.class {
                RetryClass::Retry => "WhatsApp could not answer. Try again in a moment.",
                RetryClass::Throttled => "WhatsApp was asked too often. Wait, then try again.",
                RetryClass::Alert(_) => failure.public_reason,
                RetryClass::Never | RetryClass::OtherWay => {
                    "WhatsApp refused the request. Check the business account and the permissions of its token."
                }
            };
            let mut problem = Problem::new(status, code, detail);
            problem.cause = Some(format!("{}: {}", failure.code, failure.provider_text));
            match failure.class {
                RetryClass::Retry | RetryClass::Throttled => {
                    problem.with_retry_after(failure.retry_after.map_or(5, |wait| wait.as_secs().max(1)))
                }
                _ => problem,
            }
        }
    }
}
