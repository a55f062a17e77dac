//! `GET /v1/contacts/{id}` and `GET /v1/contacts`.

use crate::database;
use crate::server::{Caller, Failure, rfc3339};
use axum::Json;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const PAGE_SIZE_MAX: u32 = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    id: String,
    tenant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    created_at: String,
    updated_at: String,
    identities: Box<RawValue>,
    tag_ids: Box<RawValue>,
    custom_fields: Box<RawValue>,
    archived_at: Option<String>,
    #[serde(skip)]
    position: (i64, i64),
}

/// The components' columns, word for word (crates/domain/src/contacts.rs).
const COLUMNS: &str = "c.seq, c.id, c.tenant_id, c.name, c.created_at, c.updated_at, c.archived_at,
    (SELECT json_group_array(json_object('id', i.id, 'channel', i.channel, 'metadata',
              CASE i.channel WHEN 'whatsapp' THEN json_object('phoneNumber', '+' || i.address)
                             ELSE json_object('externalId', i.address) END))
       FROM identities i WHERE i.contact_seq = c.seq),
    (SELECT json_group_array(t.tag_id) FROM contact_tags t WHERE t.contact_seq = c.seq),
    (SELECT json_group_object(f.field_id, f.value) FROM contact_fields f WHERE f.contact_seq = c.seq)";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Contact> {
    let json = |column: usize| {
        RawValue::from_string(row.get(column)?).map_err(|_| rusqlite::Error::InvalidColumnIndex(column))
    };
    let created_at: i64 = row.get(4)?;
    Ok(Contact {
        position: (created_at, row.get(0)?),
        id: row.get(1)?,
        tenant_id: row.get(2)?,
        name: row.get(3)?,
        created_at: rfc3339(created_at),
        updated_at: rfc3339(row.get(5)?),
        archived_at: row.get::<_, Option<i64>>(6)?.map(rfc3339),
        identities: json(7)?,
        tag_ids: json(8)?,
        custom_fields: json(9)?,
    })
}

pub async fn get(caller: Caller, Path(id): Path<String>) -> Result<Json<Contact>, Failure> {
    let sql = select(" FROM contacts c WHERE c.id = ? AND c.tenant_id = ? AND c.deleted_at IS NULL");
    let found = database::read(|db| {
        db.prepare_cached(&sql)?.query_row(params![id, caller.tenant], from_row).optional()
    })?;
    found.map(Json).ok_or_else(|| Failure(StatusCode::NOT_FOUND, format!("there is no contact {id}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Paging {
    page_size: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    contacts: Vec<Contact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

pub async fn list(caller: Caller, Query(paging): Query<Paging>) -> Result<Json<Page>, Failure> {
    let size = paging.page_size.unwrap_or(50).min(PAGE_SIZE_MAX);
    let sql = select(
        " FROM contacts c
          WHERE c.tenant_id = ? AND (c.archived_at IS NULL) = 1 AND c.deleted_at IS NULL
          ORDER BY c.created_at DESC, c.seq DESC LIMIT ?",
    );
    let mut contacts = database::read(|db| {
        db.prepare_cached(&sql)?
            .query_map(params![caller.tenant, size + 1], from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = contacts.len() > size;
    contacts.truncate(size);
    let last = contacts.last().filter(|_| more);
    let next_page_token = last.map(|last| format!("{:016x}{:016x}", last.position.0, last.position.1));
    Ok(Json(Page { contacts, next_page_token }))
}

fn select(rest: &str) -> String {
    format!("SELECT {COLUMNS}{rest}")
}
