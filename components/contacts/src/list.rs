//! `GET /v1/contacts`: search, filter, sort and page.

use axum::Json as Answer;
use axum::extract::RawQuery;
use common::auth::{Principal, Role};
use common::input;
use common::page::Page;
use common::routes::Operation;
use common::time::Timestamp;
use common::{Problem, Result, db};
use domain::contacts::{self, Contact, Direction, Filter, OrderBy};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// Most values of one array parameter.
const VALUES_MAX: usize = 50;
/// Longest search text, in characters.
const SEARCH_CHARS: usize = 200;

const CHANNELS: &[&str] = &["whatsapp", "messenger", "instagram", "text", "sms"];

pub fn operation() -> Operation {
    Operation::get("/v1/contacts", "getContacts")
        .tenant(&["contact:list"], Role::ALL)
        .summary("Search, filter, sort and page through contacts")
        .describe(
            "Filters combine with AND; the values inside `tagIds` and `channels` with OR. Archived contacts are \
             hidden unless `archived=true`, which shows only them. Newest first unless ordered otherwise. By creation a \
             page with one field, tag or search costs about the same in a workspace of any size. By `updatedAt` and `name` one \
             with a filter whose many contacts all lie at the end of the order is sorted from all of them, and so \
             are several filters that hardly any contact passes together looked through: some tenths of a second \
             at a million contacts.",
        )
        .query::<Parameters>()
        .answers::<ContactPage>(
            200,
            "A page of contacts. `nextPageToken` is absent on the last page.",
            r#"{"contacts": [{
                "id": "con_01HV8Y5R5RFMS0TFK6PKF9H2S8", "tenantId": "tn_01HV8Y1N3QPY9X2HBQ1M9E8D0K",
                "name": "Anna Kowalska", "createdAt": "2026-04-30T09:20:00.000Z", "updatedAt": "2026-04-30T10:10:00.000Z",
                "identities": [{"id": "idn_01HV8Y7YF5J4Y7M9M7T3H3X2A1", "channel": "whatsapp", "metadata": {"phoneNumber": "+48123456789"}}],
                "tagIds": [], "customFields": {}, "archivedAt": null}]}"#,
        )
}

/// The parameters, for the documentation; [`read`] takes them from the query.
#[derive(Debug, IntoParams)]
#[into_params(names(
    "pageSize",
    "pageToken",
    "search",
    "customFields",
    "tagIds",
    "channels",
    "archived",
    "createdAfter",
    "createdBefore",
    "orderBy",
    "orderDirection"
))]
#[allow(dead_code, reason = "read by the documentation only")]
struct Parameters(
    /// Contacts on a page: 1 to 100, larger values count as 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    Option<u32>,
    /// The `nextPageToken` of the page before, with the same filters and order.
    Option<String>,
    /// Substring of name, `cf_email`, `cf_phone`, an identity's phone number or a tag's name; case does not matter.
    #[param(max_length = 200)]
    Option<String>,
    /// `customFields[key]=value`, or a JSON object; all must match. A key is a field's id or its name in camelCase.
    #[param(example = json!({"lifecycleStage": "lead"}))]
    Option<std::collections::BTreeMap<String, String>>,
    /// Contacts with any of these tags. Repeat the parameter or separate by commas.
    Option<Vec<String>>,
    /// Contacts with an identity on any of these channels.
    Option<Vec<String>>,
    /// `true`: archived contacts only; otherwise active ones only.
    Option<bool>,
    /// RFC 3339; created at this time or later.
    Option<Timestamp>,
    /// RFC 3339; created before this time.
    Option<Timestamp>,
    /// `createdAt` (default), `updatedAt` or `name`.
    #[param(inline)]
    Option<OrderBy>,
    /// `desc` (default) or `asc`.
    #[param(inline)]
    Option<Direction>,
);

/// A page of contacts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactPage {
    contacts: Vec<Contact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

pub async fn list(caller: Principal, RawQuery(query): RawQuery) -> Result<Answer<ContactPage>> {
    let (filter, size, token) = read(query.as_deref().unwrap_or_default())?;
    let page = Page::new(size, token.as_deref(), filter.binding(&caller.tenant))?;
    let (contacts, next_page_token) =
        db::read(|db| contacts::list(db, &caller.tenant, &filter, &page)).await?;
    Ok(Answer(ContactPage { contacts, next_page_token }))
}

/// Reads the query by hand: arrays come repeated or with commas, `customFields` in two notations
/// (contract section 4). Unknown parameters are ignored.
fn read(query: &str) -> Result<(Filter, Option<u32>, Option<String>)> {
    let (mut filter, mut size, mut token) = (Filter::default(), None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = || value.parse().map_err(|_| Problem::parameter(&name, "must be a whole number"));
        let time = || {
            Timestamp::parse(&value)
                .map(Some)
                .ok_or_else(|| Problem::parameter(&name, "must be an RFC 3339 time"))
        };
        match &*name {
            "pageSize" => size = Some(number()?),
            "pageToken" => token = Some(value.into_owned()),
            "search" if value.chars().count() > SEARCH_CHARS => {
                return Err(Problem::parameter(
                    "search",
                    format!("must be at most {SEARCH_CHARS} characters"),
                ));
            }
            "search" if value.contains('\0') => {
                return Err(Problem::parameter("search", "must not hold a zero character"));
            }
            "search" => filter.search = Some(value.trim().to_string()).filter(|text| !text.is_empty()),
            "tagIds" | "tagIds[]" => add(&mut filter.tag_ids, "tagIds", &value)?,
            "channels" | "channels[]" => add(&mut filter.channels, "channels", &value)?,
            "archived" => filter.archived = input::boolean("archived", &value)?,
            "createdAfter" => filter.created_after = time()?,
            "createdBefore" => filter.created_before = time()?,
            "orderBy" => {
                filter.order_by = match &*value {
                    "createdAt" => OrderBy::CreatedAt,
                    "updatedAt" => OrderBy::UpdatedAt,
                    "name" => OrderBy::Name,
                    _ => return Err(Problem::parameter("orderBy", "must be createdAt, updatedAt or name")),
                }
            }
            "orderDirection" => {
                filter.direction = match &*value {
                    "asc" => Direction::Asc,
                    "desc" => Direction::Desc,
                    _ => return Err(Problem::parameter("orderDirection", "must be asc or desc")),
                }
            }
            "customFields" => {
                let fields: std::collections::BTreeMap<String, String> = serde_json::from_str(&value)
                    .map_err(|_| Problem::parameter("customFields", "must be a JSON object of texts"))?;
                filter.custom_fields.extend(fields);
            }
            other => {
                if let Some(key) = other.strip_prefix("customFields[").and_then(|rest| rest.strip_suffix(']'))
                {
                    filter.custom_fields.insert(key.to_string(), value.into_owned());
                }
            }
        }
    }
    if filter.custom_fields.len() > VALUES_MAX {
        return Err(Problem::parameter("customFields", format!("must name at most {VALUES_MAX} fields")));
    }
    if let Some(channel) = filter.channels.iter().find(|channel| !CHANNELS.contains(&channel.as_str())) {
        let known = CHANNELS.join(", ");
        return Err(Problem::parameter(
            "channels",
            format!("has the unknown value {channel:?}: known are {known}"),
        ));
    }
    Ok((filter, size, token))
}

fn add(values: &mut Vec<String>, name: &str, text: &str) -> Result<()> {
    values.extend(input::values(text).map(str::to_string));
    if values.len() > VALUES_MAX {
        return Err(Problem::parameter(name, format!("must have at most {VALUES_MAX} values")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_arrays_and_fields_in_both_notations() {
        let (filter, size, token) = read(
            "pageSize=10&tagIds=a&tagIds=b,c&channels=whatsapp&customFields%5Bstage%5D=lead&customFields=%7B%22x%22%3A%22y%22%7D&archived=true",
        )
        .unwrap();
        assert_eq!(filter.tag_ids, ["a", "b", "c"]);
        assert_eq!(filter.custom_fields.len(), 2);
        assert!(filter.archived);
        assert_eq!((size, token), (Some(10), None));
    }

    #[test]
    fn refuses_values_it_does_not_know() {
        for wrong in [
            "pageSize=x",
            "archived=1",
            "channels=fax",
            "orderBy=age",
            "orderDirection=up",
            "createdAfter=now",
        ] {
            let problem = read(wrong).unwrap_err();
            assert_eq!(problem.status, 400);
            assert_eq!(problem.errors[0].field, wrong.split('=').next().unwrap());
        }
    }
}
