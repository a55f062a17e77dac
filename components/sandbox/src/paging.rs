//! Lists as the Graph API pages them: opaque cursors, and `next` until the last page (channels section 2.7).

use crate::credentials::parameter;
use crate::graph::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// Small, so that whoever does not follow `next` misses something.
const PAGE: usize = 3;
const PAGE_MAX: usize = 250;

/// One page of `items`. `own` is the list's URL without a query; `standard` are the members shown where `fields`
/// does not ask for others.
///
/// # Errors
/// 100 where `limit` or the cursor cannot be read.
pub fn page(own: &str, query: &str, items: &[Value], standard: &[&str]) -> Result<Value, Error> {
    let limit = match parameter(query, "limit") {
        None => PAGE,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
            limit.ok_or_else(|| Error::parameter("Param limit must be an integer between 1 and 250"))?
        }
    };
    let start = match parameter(query, "after").filter(|after| !after.is_empty()) {
        None => 0,
        Some(after) => place(&after)
            .and_then(|last| last.checked_add(1))
            .ok_or_else(|| Error::parameter("The After Cursor specified could not be parsed"))?,
    };
    let shown: Vec<Value> = items
        .iter()
        .skip(start)
        .take(limit)
        .map(|item| fields(item, parameter(query, "fields").as_deref(), standard))
        .collect();
    let end = start.saturating_add(shown.len());
    if shown.is_empty() {
        return Ok(json!({"data": []}));
    }
    let after = cursor(end.saturating_sub(1));
    let mut paging = json!({"cursors": {"before": cursor(start), "after": after}});
    if end < items.len()
        && let Some(members) = paging.as_object_mut()
    {
        let mut next = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name != "after" {
                next.append_pair(&name, &value);
            }
        }
        next.append_pair("after", &after);
        members.insert("next".into(), format!("{own}?{}", next.finish()).into());
    }
    Ok(json!({"data": shown, "paging": paging}))
}

/// The members asked for, and always the id.
pub fn fields(item: &Value, asked: Option<&str>, standard: &[&str]) -> Value {
    let asked: Option<Vec<&str>> = asked.map(|asked| asked.split(',').map(str::trim).collect());
    let wanted = |name: &str| match &asked {
        // A field may ask for its own fields: `health_status{…}`.
        Some(asked) => name == "id" || asked.iter().any(|one| one.split('{').next() == Some(name)),
        None => standard.contains(&name),
    };
    let members = item.as_object().into_iter().flatten();
    let shown: Map<String, Value> =
        members.filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    Value::Object(shown)
}

fn cursor(place: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("sandbox-cursor:{place}"))
}

fn place(cursor: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor.trim_end_matches('=')).ok()?).ok()?;
    text.strip_prefix("sandbox-cursor:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_until_next_is_missing() {
        let items: Vec<Value> = (0..7).map(|n| json!({"id": n, "name": n, "secret": n})).collect();
        let (mut query, mut seen, mut pages) = (String::from("fields=name&access_token=t"), Vec::new(), 0);
        loop {
            let page = page("https://a/list", &query, &items, &["id"]).unwrap();
            pages += 1;
            for item in page["data"].as_array().unwrap() {
                assert!(item.get("secret").is_none() && item.get("name").is_some());
                seen.push(item["id"].as_u64().unwrap());
            }
            let Some(next) = page["paging"]["next"].as_str() else { break };
            assert!(page["paging"]["cursors"]["after"].is_string());
            query = next.strip_prefix("https://a/list?").unwrap().to_string();
        }
        assert_eq!((seen, pages), ((0..7).collect(), 3));
        assert!(page("x", "after=nonsense", &items, &[]).is_err());
        assert!(page("x", "limit=0", &items, &[]).is_err());
        let one = page("x", "limit=1", &items, &["name"]).unwrap();
        assert_eq!(one["data"], json!([{"name": 0}]));
    }
}
