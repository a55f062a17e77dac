//! The inner networks that a tenant's webhooks may go to: a custom attribute of its account, which only the operator
//! of this server sets, by the Platform API.

use common::db::Db;
use common::problem::Violations;
use common::{Result, params};
use ipnet::IpNet;
use serde_json::Value;

/// The custom attribute: a list of networks in CIDR form.
pub const ATTRIBUTE: &str = "webhook_allowed_networks";
/// Most networks of a tenant.
const MOST: usize = 20;
/// The widest network, by its prefix.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 32;

const NO_NETWORK: &str = "must be a network in CIDR form, such as 10.1.0.0/16";

/// The networks that a tenant is allowed now.
pub fn of(db: &Db<'_>, tenant: &str) -> Result<Vec<IpNet>> {
    let found = db.row::<(Option<String>,)>(
        "SELECT json_extract(custom_attributes, '$.webhook_allowed_networks') FROM tenants WHERE id = ?",
        params![tenant],
    )?;
    let json = found.and_then(|(json,)| json).unwrap_or_default();
    Ok(serde_json::from_str(&json).map(|list| read(&list)).unwrap_or_default())
}

/// The valid networks of an attribute: one that was set before it had this meaning allows nothing else.
fn read(attribute: &Value) -> Vec<IpNet> {
    let networks = attribute.as_array().into_iter().flatten();
    networks.filter_map(Value::as_str).filter_map(|text| network(text).ok()).take(MOST).collect()
}

/// Checks the custom attribute of a request; `null` is none.
pub(crate) fn check(violations: &mut Violations, attribute: &Value) {
    let field = format!("custom_attributes.{ATTRIBUTE}");
    let list = match attribute {
        Value::Null => return,
        Value::Array(list) => list,
        _ => return violations.add(field, "must be a list of networks, or null"),
    };
    if list.len() > MOST {
        return violations.add(field, format!("must hold at most {MOST} networks"));
    }
    for (at, entry) in list.iter().enumerate() {
        if let Err(rule) = network(entry.as_str().unwrap_or_default()) {
            violations.add(format!("{field}[{at}]"), rule);
        }
    }
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    let network: IpNet = text.parse().map_err(|_| NO_NETWORK)?;
    if network != network.trunc() {
        return Err("must be written with its first address, such as 10.1.0.0/16");
    }
    let widest = match network {
        // With leading zeros some read octal numbers.
        IpNet::V4(network) if network.to_string() != text => return Err(NO_NETWORK),
        IpNet::V4(_) => WIDEST_V4,
        // Addresses that are mapped into IPv6 are compared as what they are.
        IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() => {
            return Err("must be written as an IPv4 network");
        }
        IpNet::V6(_) => WIDEST_V6,
    };
    if network.prefix_len() < widest {
        return Err("is too wide: at most /8 of IPv4 and /32 of IPv6");
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(attribute: Value) -> Vec<String> {
        let mut violations = Violations::new();
        check(&mut violations, &attribute);
        violations
            .finish()
            .map_or_else(|problem| problem.errors, |()| Vec::new())
            .into_iter()
            .map(|e| e.field)
            .collect()
    }

    #[test]
    fn networks_are_checked_one_by_one() {
        let field = |at: &str| vec![format!("custom_attributes.webhook_allowed_networks{at}")];
        assert_eq!(refused(Value::Null), Vec::<String>::new());
        assert_eq!(refused(json!([])), Vec::<String>::new());
        let good = json!(["10.0.0.0/8", "192.168.7.9/32", "fd00:1234::/32", "fd00::1/128", "127.0.0.0/8"]);
        assert_eq!(refused(good.clone()), Vec::<String>::new());
        assert_eq!(read(&good).len(), 5);
        for wrong in [json!("10.0.0.0/8"), json!({}), json!(5), json!(false), json!(vec!["10.0.0.0/8"; 21])] {
            assert_eq!(refused(wrong.clone()), field(""), "{wrong}");
        }
        for wrong in [
            json!(5),
            json!(null),
            json!(""),
            json!("10.0.0.1"),
            json!("10.0.0.1/8"),
            json!("0.0.0.0/0"),
            json!("10.0.0.0/7"),
            json!("10.0.0.0/33"),
            json!("10.0.0.0/08x"),
            json!("010.0.0.0/8"),
            json!(" 10.0.0.0/8"),
            json!("::/0"),
            json!("fd00::/31"),
            json!("fd00::/129"),
            json!("::ffff:10.0.0.0/104"),
            json!("example.com"),
        ] {
            assert_eq!(refused(json!(["10.0.0.0/8", wrong])), field("[1]"), "{wrong}");
            assert_eq!(read(&json!([wrong])), Vec::<IpNet>::new(), "{wrong}");
        }
    }

    #[test]
    fn what_was_there_before_allows_nothing_else() {
        assert_eq!(read(&json!(["0.0.0.0/0", "10.1.0.0/16"])), ["10.1.0.0/16".parse::<IpNet>().unwrap()]);
        assert_eq!(read(&json!("10.1.0.0/16")), Vec::<IpNet>::new());
        assert_eq!(read(&json!(vec!["10.1.0.0/16"; 25])).len(), MOST);
    }
}
