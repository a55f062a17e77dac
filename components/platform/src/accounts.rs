//! `/platform/api/v1/accounts`

use crate::SCOPE;
use axum::Json as Answer;
use axum::response::Response;
use common::auth::PlatformApp;
use common::chatwoot::Seq;
use common::input::{Json, Post};
use common::routes::{Operation, Routes};
use common::{Result, db};
use domain::accounts::{self, Account, AccountRequest};
use http::StatusCode;

pub fn add(routes: Routes) -> Routes {
    routes
        .add(
            Operation::post("/platform/api/v1/accounts", "create-an-account")
                .platform()
                .summary("Create an Account")
                .describe(
                    "An account is a tenant: `tenant_id` is its id in the v1 API. Only `name` is needed. Nobody is in \
                     it yet: see account users.",
                )
                .body::<AccountRequest>(r#"{"name":"My Account","locale":"en","custom_attributes":{"plan":"pro"}}"#)
                .answers::<Account>(200, "The account created.", ACCOUNT),
            create,
        )
        .add(
            Operation::get("/platform/api/v1/accounts/{account_id}", "get-details-of-an-account")
                .platform()
                .summary("Get an account details")
                .describe("Suspended accounts are shown, deleted ones are not.")
                .path_number("account_id", ID)
                .answers::<Account>(200, "The account.", ACCOUNT)
                .problem(404, "account_not_found", ABSENT),
            read,
        )
        .add(
            Operation::patch("/platform/api/v1/accounts/{account_id}", "update-an-account")
                .platform()
                .summary("Update an account")
                .describe(
                    "Changes the fields that are present. `custom_attributes` and `features` are merged into what is \
                     there, `limits` are replaced. The custom attribute `billing` is the subscription that `GET \
                     /v1/billing/status` shows: `{\"status\", \"plan\"?, \"cancel_at\"?, \"trial_ends_at\"?, \
                     \"trial_available\"?}`, replaced as a whole, `null` for none; it is checked. So is `webhook_allowed_networks`: the \
                     inner networks that the tenant's webhooks may go to, at most 20 in CIDR form, no wider than /8 \
                     (IPv6: /32), `null` for none; one that is taken out is not called any more, not even for \
                     deliveries that wait. The keys and tokens of a `suspended` account are refused until it \
                     is `active` again.",
                )
                .path_number("account_id", ID)
                .body::<AccountRequest>(r#"{"custom_attributes":{"plan":"enterprise"}}"#)
                .answers::<Account>(200, "The account after the change.", ACCOUNT)
                .problem(404, "account_not_found", ABSENT),
            update,
        )
        .add(
            Operation::delete("/platform/api/v1/accounts/{account_id}", "delete-an-account")
                .platform()
                .summary("Delete an Account")
                .describe("Its keys and tokens stop at once. Cannot be undone by the API.")
                .path_number("account_id", ID)
                .answers_empty(200, "Deleted; the body is empty.")
                .problem(404, "account_not_found", ABSENT)
                .example_elsewhere("platform::accounts: it would delete the tenant of the other examples"),
            delete,
        )
}

const ID: &str = "The number of the account.";
pub const ABSENT: &str = "There is no such account.";
const ACCOUNT: &str = r#"{
  "id": 1, "name": "My Account", "locale": "en", "domain": null, "support_email": null, "enabled_features": {},
  "custom_attributes": {"plan": "pro"}, "limits": {}, "status": "active", "tenant_id": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K"
}"#;

async fn create(_: PlatformApp, Post { body, once }: Post<AccountRequest>) -> Result<Response> {
    once.write(SCOPE, StatusCode::OK, |db| accounts::create(db, &body)).await
}

async fn read(_: PlatformApp, Seq(seq): Seq) -> Result<Answer<Account>> {
    db::read(|db| accounts::find(db, seq)).await.map(Answer)
}

async fn update(_: PlatformApp, Seq(seq): Seq, Json(body): Json<AccountRequest>) -> Result<Answer<Account>> {
    db::write(|db| accounts::update(db, seq, &body)).await.map(Answer)
}

async fn delete(_: PlatformApp, Seq(seq): Seq) -> Result<StatusCode> {
    db::write(|db| accounts::delete(db, seq)).await?;
    Ok(StatusCode::OK)
}
