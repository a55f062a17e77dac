//! Work on all the values of a field: in steps, each a transaction, by jobs. The definition shows how far it is.

use super::{CustomFieldDefinition, FieldType, dates};
use crate::jobs::{self, Job, Kind, Step};
use common::db::Db;
use common::time::Timestamp;
use common::{Problem, Result, params};
use serde_json::json;

/// Values of a step.
const BATCH: u32 = 500;
/// Values looked at in one statement before a change of type.
const LOOK: u32 = 1000;
/// Most different values of a field that becomes another type: each is looked at in the request.
const DIFFERENT_MAX: u32 = 50_000;
/// Contacts that a refusal names.
const NAMED_MAX: usize = 100;

/// Texts that have the form of a date field's values.
const HAS_FORM: &str = "value GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'";

/// Marks a field as being deleted and adds the job that deletes its values; `false` when it has none.
pub(super) fn start_clearing(db: &Db<'_>, tenant: &str, field: &CustomFieldDefinition) -> Result<bool> {
    let values = count(db, tenant, &field.id, "1")?;
    if values == 0 {
        return Ok(false);
    }
    start(db, tenant, field, "deleting", values)?;
    jobs::add(db, tenant, Kind::ClearField, None, &field.seq.to_string(), Timestamp::now())?;
    Ok(true)
}

fn start(db: &Db<'_>, tenant: &str, field: &CustomFieldDefinition, work: &str, total: i64) -> Result<()> {
    Ok(db.run(
        "UPDATE custom_fields SET work = ?, work_done = 0, work_total = ? WHERE seq = ? AND tenant_id = ?",
        params![work, total, field.seq, tenant],
    )?)
}

fn stop(db: &Db<'_>, tenant: &str, seq: i64) -> Result<()> {
    Ok(db.run("UPDATE custom_fields SET work = NULL WHERE seq = ? AND tenant_id = ?", params![seq, tenant])?)
}

fn count(db: &Db<'_>, tenant: &str, field: &str, condition: &str) -> Result<i64> {
    let sql =
        format!("SELECT count(*) FROM contact_fields WHERE tenant_id = ? AND field_id = ? AND {condition}");
    Ok(db.row::<(i64,)>(&sql, params![tenant, field])?.map_or(0, |(count,)| count))
}

/// The lane of a field's conversion: its own, so that it can be withdrawn.
fn lane(field: &CustomFieldDefinition) -> String {
    format!("convert:{}", field.seq)
}

/// Prepares a change of type. Dates are texts already; texts become dates when each of them names a day, and those
/// that do so in another form are rewritten by a job.
pub(super) fn change_type(
    db: &Db<'_>,
    tenant: &str,
    field: &CustomFieldDefinition,
    kind: FieldType,
) -> Result<()> {
    // A conversion that is under way must not go on in a later one: what it passed may be texts again by then.
    jobs::withdraw(db, tenant, &lane(field), &field.seq.to_string())?;
    if kind == FieldType::Text {
        return stop(db, tenant, field.seq);
    }
    refuse_what_is_no_date(db, tenant, field)?;
    let others = count(db, tenant, &field.id, &format!("NOT ({HAS_FORM})"))?;
    if others == 0 {
        return Ok(());
    }
    start(db, tenant, field, "converting", others)?;
    let lane = lane(field);
    jobs::add(db, tenant, Kind::ConvertField, Some(&lane), &field.seq.to_string(), Timestamp::now())
}

/// Each different value once, by steps through the index: their number counts, not that of the contacts.
const DIFFERENT: &str = "
    WITH RECURSIVE v (value) AS (
      SELECT (SELECT min(value) FROM contact_fields WHERE tenant_id = ?1 AND field_id = ?2 AND value > ?3)
      UNION ALL
      SELECT (SELECT min(value) FROM contact_fields WHERE tenant_id = ?1 AND field_id = ?2 AND value > v.value)
        FROM v WHERE v.value IS NOT NULL)
    SELECT value FROM v WHERE value IS NOT NULL LIMIT ?4";

fn refuse_what_is_no_date(db: &Db<'_>, tenant: &str, field: &CustomFieldDefinition) -> Result<()> {
    let (mut last, mut seen) = (String::new(), 0_u32);
    let mut named: Vec<(String, String)> = Vec::new();
    loop {
        let values = db.rows::<(String,)>(DIFFERENT, params![tenant, field.id, last, LOOK])?;
        let Some((end,)) = values.last().cloned() else { break };
        let wrong: Vec<&str> = values
            .iter()
            .map(|(value,)| value.as_str())
            .filter(|value| dates::day(value).is_none())
            .collect();
        if !wrong.is_empty() {
            let wrong = serde_json::to_string(&wrong).unwrap_or_default();
            let room = u32::try_from(NAMED_MAX.saturating_sub(named.len())).unwrap_or_default();
            named.extend(db.rows::<(String, String)>(
                "SELECT (SELECT c.id FROM contacts c WHERE c.seq = f.contact_seq), f.value FROM contact_fields f
                  WHERE f.tenant_id = ?1 AND f.field_id = ?2 AND f.value IN (SELECT value FROM json_each(?3))
                    AND (SELECT c.deleted_at FROM contacts c WHERE c.seq = f.contact_seq) IS NULL LIMIT ?4",
                params![tenant, field.id, wrong, room],
            )?);
        }
        seen = seen.saturating_add(u32::try_from(values.len()).unwrap_or(u32::MAX));
        if named.len() >= NAMED_MAX || seen >= DIFFERENT_MAX {
            break;
        }
        last = end;
    }
    if !named.is_empty() {
        return Err(in_the_way(&field.id, &named));
    }
    if seen >= DIFFERENT_MAX {
        return Err(Problem::conflict(
            "custom_field_values_in_the_way",
            format!(
                "The field {} has more than {DIFFERENT_MAX} different values, too many for dates.",
                field.id
            ),
        ));
    }
    Ok(())
}

fn in_the_way(field: &str, named: &[(String, String)]) -> Problem {
    let at_least = if named.len() >= NAMED_MAX { "at least " } else { "" };
    let problem = Problem::conflict(
        "custom_field_values_in_the_way",
        format!(
            "{at_least}{} contacts have a value of {field} that is no date: `errors` names them. Change or clear \
             those values first.",
            named.len()
        ),
    );
    named.iter().fold(problem, |problem, (contact, value)| {
        let shown: String = value.chars().take(60).collect();
        problem.with_error(contact, format!("has the value {shown:?}, which is no date"))
    })
}

/// The field that a job works on, if it still is to be worked on so.
fn at_work(db: &Db<'_>, job: &Job, work: &str) -> Result<Option<(i64, String)>> {
    let seq: i64 = job.subject.parse().unwrap_or_default();
    Ok(db.row(
        "SELECT seq, id FROM custom_fields WHERE seq = ? AND tenant_id = ? AND work = ?",
        params![seq, job.tenant, work],
    )?)
}

/// A step of deleting a field's values; the last deletes the definition.
pub fn clear(db: &Db<'_>, job: &Job) -> Result<Step> {
    let Some((seq, id)) = at_work(db, job, "deleting")? else { return Ok(Step::Done) };
    let gone = db.rows::<(i64,)>(
        "DELETE FROM contact_fields WHERE (contact_seq, field_id) IN (
           SELECT contact_seq, field_id FROM contact_fields WHERE tenant_id = ?1 AND field_id = ?2 LIMIT ?3)
         RETURNING 1",
        params![job.tenant, id, BATCH],
    )?;
    if gone.is_empty() {
        db.run("DELETE FROM custom_fields WHERE seq = ? AND tenant_id = ?", params![seq, job.tenant])?;
        return Ok(Step::Done);
    }
    advance(db, &job.tenant, seq, gone.len())?;
    Ok(Step::More(None))
}

fn advance(db: &Db<'_>, tenant: &str, seq: i64, done: usize) -> Result<()> {
    Ok(db.run(
        "UPDATE custom_fields SET work_done = min(work_done + ?, work_total) WHERE seq = ? AND tenant_id = ?",
        params![i64::try_from(done).unwrap_or_default(), seq, tenant],
    )?)
}

/// A step of writing texts as dates, in the order of the index from behind `last` on.
pub fn convert(db: &Db<'_>, job: &Job, last: Option<&str>) -> Result<Step> {
    let Some((seq, id)) = at_work(db, job, "converting")? else { return Ok(Step::Done) };
    let (value, contact): (String, i64) =
        last.and_then(|last| serde_json::from_str(last).ok()).unwrap_or_default();
    let found = db.rows::<(i64, String)>(
        &format!(
            "SELECT contact_seq, value FROM contact_fields
              WHERE tenant_id = ?1 AND field_id = ?2 AND (value, contact_seq) > (?3, ?4) AND NOT ({HAS_FORM})
              ORDER BY value, contact_seq LIMIT ?5"
        ),
        params![job.tenant, id, value, contact, BATCH],
    )?;
    let Some((contact, value)) = found.last().cloned() else {
        stop(db, &job.tenant, seq)?;
        return Ok(Step::Done);
    };
    let days: Vec<_> = found.iter().map(|(contact, value)| json!([contact, dates::day(value)])).collect();
    let days = serde_json::to_string(&days).unwrap_or_default();
    // The `+` keeps SQLite from looking at all values of the field.
    db.run(
        "UPDATE contact_fields SET value = d.value ->> 1 FROM json_each(?1) d
          WHERE contact_fields.contact_seq = d.value ->> 0 AND contact_fields.field_id = ?2
            AND +contact_fields.tenant_id = ?3 AND d.value ->> 1 IS NOT NULL",
        params![days, id, job.tenant],
    )?;
    // What is no date can only be a deleted contact's: it stood in nobody's way.
    db.run(
        "DELETE FROM contact_fields WHERE +tenant_id = ?2 AND (contact_seq, field_id) IN (
           SELECT d.value ->> 0, ?3 FROM json_each(?1) d WHERE d.value ->> 1 IS NULL)",
        params![days, job.tenant, id],
    )?;
    advance(db, &job.tenant, seq, found.len())?;
    Ok(Step::More(serde_json::to_string(&(value, contact)).ok()))
}
